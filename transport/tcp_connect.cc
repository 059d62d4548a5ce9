#include "transport/tcp_connect.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <future>
#include <memory>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <thread>

namespace pgwalship {

namespace {

// What waits in the kernel is ahead of everything that comes later: enough to fill a pipe between
// sites, little enough that a fresh segment does not queue behind a catch-up.
constexpr int kUnsentBytesMax = 256 * 1024;

using Addresses = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

struct Resolved {
  int status = 0;
  int error_number = 0;
  Addresses addresses{nullptr, &freeaddrinfo};
};

Resolved resolve(const std::string& host, std::uint16_t port, int flags) {
  addrinfo wanted{};
  wanted.ai_family = AF_UNSPEC;
  wanted.ai_socktype = SOCK_STREAM;
  wanted.ai_flags = AI_NUMERICSERV | flags;
  addrinfo* found = nullptr;
  Resolved resolved;
  resolved.status = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &wanted, &found);
  resolved.error_number = errno;
  resolved.addresses.reset(found);
  return resolved;
}

// getaddrinfo has no deadline and cannot be interrupted: it runs on a thread of its own, which is
// left behind when it is late and ends by itself when the resolver gives up.
Result<Addresses> find_addresses(const TcpTarget& target) {
  Resolved resolved = resolve(target.host, target.port, AI_NUMERICHOST);
  if (resolved.status == EAI_NONAME) {
    std::packaged_task<Resolved()> task(
        [host = target.host, port = target.port] { return resolve(host, port, 0); });
    std::future<Resolved> answer = task.get_future();
    std::thread(std::move(task)).detach();
    if (answer.wait_until(target.deadline) != std::future_status::ready) {
      return Error{Errc::kTimeout, "resolve '" + target.host + "': no answer from the name service",
                   "give the node an address= in the configuration, or check /etc/resolv.conf"};
    }
    resolved = answer.get();
  }
  if (resolved.status != 0) {
    const std::string reason = resolved.status == EAI_SYSTEM
                                   ? errno_error("name service", resolved.error_number).message
                                   : gai_strerror(resolved.status);
    return Error{Errc::kRetry, "resolve '" + target.host + "': " + reason,
                 "check the node's name and address= in the configuration, DNS and /etc/hosts"};
  }
  return std::move(resolved.addresses);
}

Error connect_error(const TcpTarget& target, int error_number) {
  const std::string where = target.host + ":" + std::to_string(target.port);
  Error error = errno_error("connect to " + where, error_number);
  error.code = Errc::kRetry;
  error.hint = error_number == ECONNREFUSED
                   ? "nobody listens there: is sshd running on " + target.host + ", and on port " +
                         std::to_string(target.port) + "?"
                   : "check the network and the firewall between here and " + target.host;
  return error;
}

void tune(int socket) {
  // Without them the connection is slower, nothing else: failures do not matter.
  const int on = 1;
  std::ignore = setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  std::ignore =
      setsockopt(socket, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &kUnsentBytesMax, sizeof(kUnsentBytesMax));
}

// Each address gets its share of what is left, so that a dead first one leaves time for the next.
TimePoint share_of(TimePoint deadline, const addrinfo* rest) {
  int addresses = 0;
  for (; rest != nullptr; rest = rest->ai_next) {
    ++addresses;
  }
  const TimePoint now = std::chrono::steady_clock::now();
  return now + (deadline - now) / addresses;
}

Result<Fd> connect_address(const TcpTarget& target, const addrinfo& address) {
  Fd socket(::socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.valid()) {
    return connect_error(target, errno);
  }
  tune(socket.get());
  if (::connect(socket.get(), address.ai_addr, address.ai_addrlen) != 0) {
    if (errno != EINPROGRESS) {
      return connect_error(target, errno);
    }
    const Result<void> writable =
        wait_for({socket.get(), POLLOUT, share_of(target.deadline, &address), target.cancel_fd});
    if (!writable.ok() && writable.error().code == Errc::kTimeout) {
      Error error = connect_error(target, ETIMEDOUT);
      error.code = Errc::kTimeout;
      return error;
    }
    TRY(writable);
    int outcome = 0;
    socklen_t size = sizeof(outcome);
    if (getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &outcome, &size) != 0) {
      outcome = errno;
    }
    if (outcome != 0) {
      return connect_error(target, outcome);
    }
  }
  return socket;
}

}  // namespace

Result<void> wait_for(const SocketWait& wait) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(
        wait.deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) {
      return Error{Errc::kTimeout, "no answer", ""};
    }
    pollfd fds[] = {{wait.fd, wait.events, 0}, {wait.cancel_fd, POLLIN, 0}};
    const auto timeout = std::min<std::chrono::milliseconds::rep>(left.count(), 60'000);
    const int ready = ::poll(fds, 2, static_cast<int>(timeout));
    if (ready < 0 && errno != EINTR) {
      return errno_error("poll", errno);
    }
    if (ready > 0 && fds[1].revents != 0) {
      return Error{Errc::kRetry, "cancelled", ""};
    }
    if (ready > 0) {
      return {};
    }
  }
}

Result<Fd> tcp_connect(const TcpTarget& target) {
  TRY_ASSIGN(const Addresses addresses, find_addresses(target));
  if (target.on_resolved) {
    target.on_resolved();
  }
  Result<Fd> outcome = connect_error(target, EADDRNOTAVAIL);
  for (const addrinfo* address = addresses.get(); address != nullptr; address = address->ai_next) {
    outcome = connect_address(target, *address);
    if (outcome.ok()) {
      break;
    }
  }
  return outcome;
}

}  // namespace pgwalship
