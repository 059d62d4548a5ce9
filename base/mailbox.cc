#include "base/mailbox.h"

#include <cerrno>
#include <sys/eventfd.h>
#include <unistd.h>

namespace pgwalship {

// Made at start-up, where nothing can go on without it: failure is the end of the process.
Fd make_eventfd() {
  Fd fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  CHECK(fd.valid());
  return fd;
}

void signal_eventfd(int fd) {
  const int saved = errno;  // called from signal handlers
  const std::uint64_t one = 1;
  // EAGAIN: the counter is at its maximum, so it is readable already.
  CHECK(::write(fd, &one, sizeof one) == sizeof one || errno == EAGAIN);
  errno = saved;
}

void clear_eventfd(int fd) {
  std::uint64_t count = 0;
  CHECK(::read(fd, &count, sizeof count) == sizeof count || errno == EAGAIN);
}

}  // namespace pgwalship
