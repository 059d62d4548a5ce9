// The service manager's end of sd_notify(3): a datagram socket that keeps what it is told.
#pragma once

#include "base/check.h"
#include "base/fd.h"
#include "tests/support/temp_dir.h"

#include <array>
#include <cstring>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>

namespace pgwalship {

class NotifySocket {
 public:
  NotifySocket() : fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    CHECK(path().size() < sizeof address.sun_path);
    std::memcpy(address.sun_path, path().data(), path().size());
    CHECK(::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  }

  std::string path() const { return directory_.file("notify"); }
  // The oldest datagram that waits; empty: none does.
  std::string next() const {
    std::array<char, 8192> text{};
    const ssize_t got = ::recv(fd_.get(), text.data(), text.size(), 0);
    return got <= 0 ? "" : std::string(text.data(), static_cast<std::size_t>(got));
  }

 private:
  TempDir directory_;
  Fd fd_;
};

}  // namespace pgwalship
