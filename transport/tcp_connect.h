// A TCP connection within a deadline, name resolution included. Knows nothing of SSH.
#pragma once

#include "base/clock.h"
#include "base/fd.h"
#include "base/result.h"

#include <cstdint>
#include <functional>
#include <string>

namespace pgwalship {

struct TcpTarget {
  std::string host;  // a name or a numeric address
  std::uint16_t port = 0;
  TimePoint deadline{};  // of std::chrono::steady_clock, for everything together
  int cancel_fd = -1;    // readable: give up; -1: none
  std::function<void()> on_resolved = {};
};

// A connected, non-blocking socket with TCP_NODELAY. All addresses of the name are tried in turn.
// kRetry: the name is not known, nobody listens, unreachable, cancelled; kTimeout: no answer. The
// message names the host and the hint says what to look at.
Result<Fd> tcp_connect(const TcpTarget& target);

// Waits until `fd` has one of `events` (poll(2)); kTimeout at the deadline, kRetry when cancelled.
struct SocketWait {
  int fd = -1;
  short events = 0;
  TimePoint deadline{};
  int cancel_fd = -1;
};
Result<void> wait_for(const SocketWait& wait);

}  // namespace pgwalship
