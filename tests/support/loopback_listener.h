// A TCP port on loopback that accepts connections in the kernel and says nothing by itself.
#pragma once

#include "base/check.h"
#include "base/fd.h"

#include <arpa/inet.h>
#include <cstdint>
#include <netinet/in.h>
#include <sys/socket.h>
#include <vector>

namespace pgwalship {

class LoopbackListener {
 public:
  LoopbackListener() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address_);
    CHECK(::bind(socket_.get(), address(), size) == 0);
    CHECK(::listen(socket_.get(), 0) == 0);
    CHECK(::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address_), &size) == 0);
  }

  std::uint16_t port() const { return ntohs(address_.sin_port); }

  Fd accept() const { return Fd(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC)); }

  // Connections that nobody accepts: while they live, Linux drops the packets of any further one,
  // as a firewall would.
  std::vector<Fd> fill_backlog() const {
    std::vector<Fd> occupants;
    for (int i = 0; i < 4; ++i) {
      occupants.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
      std::ignore = ::connect(occupants.back().get(), address(), sizeof(address_));
    }
    return occupants;
  }

 private:
  const sockaddr* address() const { return reinterpret_cast<const sockaddr*>(&address_); }

  Fd socket_;
  sockaddr_in address_{};
};

}  // namespace pgwalship
