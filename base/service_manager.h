// What a service manager such as systemd is told of this process: the datagrams of sd_notify(3),
// whose protocol is stable. Written here and not taken from libsystemd because that one blocks when
// the manager does not read: the loop would stop with it. Without a service manager (no
// NOTIFY_SOCKET in the environment) every call does nothing. One thread.
#pragma once

#include "base/clock.h"
#include "base/fd.h"

#include <optional>
#include <string>
#include <string_view>

namespace pgwalship {

class ServiceManager {
 public:
  struct Environment {          // of sd_notify(3) and sd_watchdog_enabled(3); empty: not set
    std::string notify_socket;  // a path, or '@' and an abstract name
    std::string watchdog_usec;
    std::string watchdog_pid;
  };
  static Environment environment_of_process();

  explicit ServiceManager(const Environment& environment);

  // Whether somebody listens.
  bool listens() const { return socket_.valid(); }
  // "READY=1", "STATUS=...", several with newlines between. What the manager does not take now is
  // kept, in order, for the next say() or flush(). A STATUS is one line: blanks replace newlines.
  void say(std::string_view assignments);
  void say_status(std::string_view line);
  void flush();
  bool has_unsent() const { return !unsent_.empty(); }

  // How long the manager waits for a sign of life before it kills; nothing: it does not watch.
  std::optional<Duration> watchdog() const { return watchdog_; }
  // A sign of life. Not kept when it cannot be sent: it would no longer be true.
  void keep_alive();

 private:
  bool send(std::string_view text);

  Fd socket_;  // connected; invalid: nobody listens
  std::string unsent_;
  std::optional<Duration> watchdog_;
};

}  // namespace pgwalship
