#include "cmd/daemon_signals.h"

#include <cerrno>
#include <csignal>
#include <sys/signalfd.h>

namespace pgwalship {

Result<Fd> block_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
    sigaddset(&set, signal);
  }
  if (pthread_sigmask(SIG_BLOCK, &set, nullptr) != 0) {
    return errno_error("block signals", errno);
  }
  Fd fd(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd.valid()) {
    return errno_error("signalfd", errno);
  }
  return fd;
}

}  // namespace pgwalship
