#include "base/fd.h"

#include "base/user_name.h"

#include <cerrno>
#include <fcntl.h>
#include <string>
#include <system_error>
#include <unistd.h>

namespace pgwalship {

namespace {

Errc code_of(int error_number) {
  switch (error_number) {
    case ENOSPC:
    case EDQUOT:
      return Errc::kNoSpace;
    case ENOENT:
      return Errc::kNotFound;
    case EEXIST:
      return Errc::kAlreadyExists;
    case ETIMEDOUT:
      return Errc::kTimeout;
    case EAGAIN:  // connect(2) to a unix socket whose backlog is full
    case EPIPE:
    case ECONNREFUSED:
    case ECONNRESET:
    case ECONNABORTED:
    case ENOTCONN:
    case EHOSTUNREACH:
    case EHOSTDOWN:
    case ENETUNREACH:
    case ENETDOWN:
      return Errc::kRetry;
    default:
      return Errc::kIo;
  }
}

}  // namespace

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this != &other) {
    reset();
    fd_ = other.release();
  }
  return *this;
}

Fd::~Fd() {
  reset();
}

void Fd::reset() {
  if (valid()) {
    ::close(release());  // what must be durable was synced before; nothing is left to report
  }
}

Result<Fd> Fd::duplicate() const {
  const int copy = ::fcntl(fd_, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) {
    return errno_error("duplicate descriptor", errno);
  }
  return Fd(copy);
}

// Who is refused is not always who typed the command: root becomes another for some.
Error errno_error(std::string_view doing, int error_number) {
  const bool is_forbidden = error_number == EACCES;
  return Error{code_of(error_number),
               std::string(doing) + ": " + std::generic_category().message(error_number),
               is_forbidden
                   ? "its owner and mode, and those of the directories above it, must let "
                     "the user " +
                         effective_user_name().value_or(std::to_string(::geteuid())) + " in"
                   : ""};
}

Result<void> read_full(int fd, std::span<std::byte> into, std::string_view doing) {
  while (!into.empty()) {
    const ssize_t got = ::read(fd, into.data(), into.size());
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0) {
      return errno_error(doing, errno);
    }
    if (got == 0) {
      return Error{Errc::kCorrupt, std::string(doing) + ": unexpected end of file", {}};
    }
    into = into.subspan(static_cast<std::size_t>(got));
  }
  return {};
}

Result<void> write_full(int fd, ByteView data, std::string_view doing) {
  while (!data.empty()) {
    const ssize_t put = ::write(fd, data.data(), data.size());
    if (put < 0 && errno == EINTR) {
      continue;
    }
    if (put < 0) {
      return errno_error(doing, errno);
    }
    data = data.subspan(static_cast<std::size_t>(put));
  }
  return {};
}

}  // namespace pgwalship
