#include "base/directory_watch.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <sys/inotify.h>
#include <unistd.h>

namespace pgwalship {
namespace {

constexpr std::uint32_t kNameEvents =
    IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CLOSE_WRITE;
constexpr std::uint32_t kDirectoryEvents = IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
// Any of these in an event: there is no telling what was missed.
constexpr std::uint32_t kLostEvents =
    IN_Q_OVERFLOW | IN_IGNORED | IN_UNMOUNT | IN_DELETE_SELF | IN_MOVE_SELF;

// Some hundred events at a time; one is at most 272 bytes.
constexpr std::size_t kReadBytes = 64U * 1024;

Error watch_error(const std::string& directory, int code) {
  Error error = errno_error("watch '" + directory + "'", code);
  if (code == EMFILE || code == ENOSPC) {
    error.hint = "raise fs.inotify.max_user_instances or max_user_watches (sysctl)";
  }
  return error;
}

Result<int> add_watch(int fd, const std::string& directory) {
  const int watch = ::inotify_add_watch(fd, directory.c_str(), kNameEvents | kDirectoryEvents);
  return watch < 0 ? Result<int>(watch_error(directory, errno)) : Result<int>(watch);
}

}  // namespace

Result<DirectoryWatch> DirectoryWatch::open(const std::string& directory) {
  Fd fd(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!fd.valid()) {
    return watch_error(directory, errno);
  }
  TRY_ASSIGN(const int watch, add_watch(fd.get(), directory));
  return DirectoryWatch(std::move(fd), directory, watch);
}

// The kernel gives the same descriptor for the same directory, however it is named.
Result<NameWatch::Renewed> DirectoryWatch::renew() {
  TRY_ASSIGN(const int watch, add_watch(fd_.get(), directory_));
  if (watch == watch_) {
    return Renewed::kSame;
  }
  ::inotify_rm_watch(fd_.get(), watch_);  // fails when the kernel has dropped it already
  watch_ = watch;
  return Renewed::kOther;
}

NameWatch::Changes DirectoryWatch::take() {
  Changes changes;
  alignas(inotify_event) std::array<char, kReadBytes> buffer;
  for (;;) {
    const ssize_t got = ::read(fd_.get(), buffer.data(), buffer.size());
    if (got <= 0) {
      if (got < 0 && errno == EINTR) {
        continue;
      }
      if (got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK)) {
        changes.rescan = true;
      }
      return changes;
    }
    for (std::size_t at = 0; at < static_cast<std::size_t>(got);) {
      inotify_event event{};
      std::memcpy(&event, buffer.data() + at, sizeof event);
      if ((event.mask & kLostEvents) != 0) {
        changes.rescan = true;
      } else if (event.len > 0 && (event.mask & IN_ISDIR) == 0) {
        changes.names.emplace_back(buffer.data() + at + sizeof event);
      }
      at += sizeof event + event.len;
    }
  }
}

}  // namespace pgwalship
