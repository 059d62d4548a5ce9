// Fd: owns one file descriptor; move-only; closes it when it goes.
// errno_error() is the only place where errno becomes an Error.
#pragma once

#include "base/bytes.h"
#include "base/result.h"

#include <string_view>
#include <utility>

namespace pgwalship {

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept;
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd();

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void reset();

  // A second descriptor for the same open file (close-on-exec).
  Result<Fd> duplicate() const;

 private:
  int fd_ = -1;
};

// "`doing`: strerror(errno)". ENOSPC and EDQUOT become kNoSpace, ENOENT kNotFound, EEXIST
// kAlreadyExists, ETIMEDOUT kTimeout, a refused or broken connection kRetry, the rest kIo.
Error errno_error(std::string_view doing, int error_number);

// Blocking; EINTR is retried. read_full fails with kCorrupt when the end of file comes first.
Result<void> read_full(int fd, std::span<std::byte> into, std::string_view doing);
Result<void> write_full(int fd, ByteView data, std::string_view doing);

}  // namespace pgwalship
