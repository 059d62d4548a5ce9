#include "base/posix_file_system.h"

#include "base/fd.h"

#include <cerrno>
#include <chrono>
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <tuple>
#include <unistd.h>
#include <utility>

namespace pgwalship {

namespace {

constexpr mode_t kFileMode = 0600;
constexpr mode_t kDirectoryMode = 0700;
// How often create() starts again when remove_abandoned() of another process took the new file
// between its creation and its lock. That window is microseconds wide.
constexpr int kCreateAttempts = 4;

std::string doing(std::string_view verb, const std::string& path) {
  return std::string(verb) + " '" + path + "'";
}

std::string doing(std::string_view verb, const std::string& from, const std::string& to) {
  return doing(verb, from) + " to '" + to + "'";
}

WallTime wall_time_of(const timespec& from) {
  const auto since_epoch =
      std::chrono::seconds(from.tv_sec) + std::chrono::nanoseconds(from.tv_nsec);
  return WallTime(std::chrono::duration_cast<WallTime::duration>(since_epoch));
}

FileStat file_stat_of(const struct stat& from) {
  return FileStat{.size = static_cast<std::uint64_t>(from.st_size),
                  .inode = from.st_ino,
                  .device = from.st_dev,
                  .modified = wall_time_of(from.st_mtim),
                  .changed = wall_time_of(from.st_ctim)};
}

class PosixFile final : public File {
 public:
  PosixFile(Fd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

  Result<void> write_at(std::uint64_t offset, ByteView data) override {
    while (!data.empty()) {
      const ssize_t put = ::pwrite(fd_.get(), data.data(), data.size(), static_cast<off_t>(offset));
      if (put < 0 && errno == EINTR) {
        continue;
      }
      if (put < 0) {
        return errno_error(doing("write", path_), errno);
      }
      offset += static_cast<std::uint64_t>(put);
      data = data.subspan(static_cast<std::size_t>(put));
    }
    return {};
  }

  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) const override {
    std::size_t total = 0;
    while (total < into.size()) {
      const ssize_t got = ::pread(fd_.get(), into.data() + total, into.size() - total,
                                  static_cast<off_t>(offset + total));
      if (got < 0 && errno == EINTR) {
        continue;
      }
      if (got < 0) {
        return errno_error(doing("read", path_), errno);
      }
      if (got == 0) {
        break;
      }
      total += static_cast<std::size_t>(got);
    }
    return total;
  }

  Result<FileStat> stat() const override {
    struct stat found {};
    if (::fstat(fd_.get(), &found) != 0) {
      return errno_error(doing("stat", path_), errno);
    }
    return file_stat_of(found);
  }

  // Never retried, not even after EINTR: the kernel may have dropped the dirty pages by then.
  Result<void> sync() override {
    if (::fsync(fd_.get()) != 0) {
      return errno_error(doing("fsync", path_), errno);
    }
    return {};
  }

  // dup(2), so that the lock of create() lasts until both are closed.
  Result<std::unique_ptr<File>> duplicate() const override {
    auto copy = fd_.duplicate();
    if (!copy.ok()) {
      return copy.error().within(doing("duplicate", path_));
    }
    return std::unique_ptr<File>(std::make_unique<PosixFile>(std::move(copy).value(), path_));
  }

 private:
  Fd fd_;
  std::string path_;
};

enum class LockOutcome { kHeld, kTaken, kNameGone };

// The lock of create() and remove_abandoned(). A name can be removed between open and flock, so
// that the lock is on a file without a name: the caller has to look whether it still has one.
Result<LockOutcome> try_lock(int fd, const std::string& path) {
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) {
      return LockOutcome::kTaken;
    }
    return errno_error(doing("lock", path), errno);
  }
  struct stat locked {};
  if (::fstat(fd, &locked) != 0) {
    return errno_error(doing("stat", path), errno);
  }
  struct stat named {};
  if (::lstat(path.c_str(), &named) != 0) {
    if (errno == ENOENT) {
      return LockOutcome::kNameGone;
    }
    return errno_error(doing("stat", path), errno);
  }
  const bool same = locked.st_ino == named.st_ino && locked.st_dev == named.st_dev;
  return same ? LockOutcome::kHeld : LockOutcome::kNameGone;
}

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}

Result<void> check_is_directory(const std::string& path) {
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0) {
    return errno_error(doing("stat", path), errno);
  }
  if (!S_ISDIR(found.st_mode)) {
    return errno_error(doing("make directory", path), ENOTDIR);
  }
  return {};
}

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

bool is_regular(DIR* directory, const dirent& entry) {
  if (entry.d_type != DT_UNKNOWN) {
    return entry.d_type == DT_REG;
  }
  struct stat found {};
  return ::fstatat(::dirfd(directory), entry.d_name, &found, AT_SYMLINK_NOFOLLOW) == 0 &&
         S_ISREG(found.st_mode);
}

using EntryHandler = std::function<Result<void>(DIR* directory, const dirent& entry)>;

Result<void> read_directory(const std::string& path, const EntryHandler& handler) {
  const std::unique_ptr<DIR, CloseDirectory> directory(::opendir(path.c_str()));
  if (!directory) {
    return errno_error(doing("open directory", path), errno);
  }
  while (true) {
    errno = 0;
    const dirent* entry = ::readdir(directory.get());
    if (entry == nullptr && errno != 0) {
      return errno_error(doing("read directory", path), errno);
    }
    if (entry == nullptr) {
      return {};
    }
    TRY(handler(directory.get(), *entry));
  }
}

}  // namespace

Result<std::unique_ptr<File>> PosixFileSystem::create(const std::string& path) {
  for (int attempt = 0; attempt < kCreateAttempts; ++attempt) {
    Fd fd(::open(path.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, kFileMode));
    if (!fd.valid()) {
      return errno_error(doing("create", path), errno);
    }
    auto locked = try_lock(fd.get(), path);
    if (!locked.ok()) {
      ::unlink(path.c_str());
      return locked.error();
    }
    if (locked.value() == LockOutcome::kHeld) {
      return std::unique_ptr<File>(std::make_unique<PosixFile>(std::move(fd), path));
    }
  }
  return Error{Errc::kRetry, doing("create", path) + ": another process removes it each time", {}};
}

Result<std::unique_ptr<File>> PosixFileSystem::open(const std::string& path) {
  // O_NONBLOCK: a FIFO with that name must not hang us; for regular files it means nothing.
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid()) {
    return errno_error(doing("open", path), errno);
  }
  struct stat found {};
  if (::fstat(fd.get(), &found) != 0) {
    return errno_error(doing("stat", path), errno);
  }
  if (!S_ISREG(found.st_mode)) {
    return Error{Errc::kInvalid, doing("open", path) + ": not a regular file", {}};
  }
  return std::unique_ptr<File>(std::make_unique<PosixFile>(std::move(fd), path));
}

Result<void> PosixFileSystem::link(const std::string& from, const std::string& to) {
  if (::linkat(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), 0) != 0) {
    return errno_error(doing("link", from, to), errno);
  }
  return {};
}

Result<void> PosixFileSystem::rename(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) {
    return errno_error(doing("rename", from, to), errno);
  }
  return {};
}

Result<void> PosixFileSystem::remove(const std::string& path) {
  if (::unlink(path.c_str()) != 0) {
    return errno_error(doing("remove", path), errno);
  }
  return {};
}

Result<void> PosixFileSystem::remove_abandoned(const std::string& path) {
  Fd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd.valid()) {
    return errno_error(doing("remove", path), errno);
  }
  TRY_ASSIGN(const LockOutcome locked, try_lock(fd.get(), path));
  if (locked == LockOutcome::kNameGone) {
    return errno_error(doing("remove", path), ENOENT);
  }
  if (locked == LockOutcome::kTaken) {
    return Error{Errc::kRetry, doing("remove", path) + ": a living process writes it", {}};
  }
  return remove(path);  // before the lock goes with `fd`
}

Result<void> PosixFileSystem::sync_directory(const std::string& path) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) {
    return errno_error(doing("open directory", path), errno);
  }
  if (::fsync(fd.get()) != 0) {
    return errno_error(doing("fsync directory", path), errno);
  }
  return {};
}

Result<void> PosixFileSystem::make_directories(const std::string& path) {
  std::vector<std::string> missing;
  std::string existing = path;
  while (::access(existing.c_str(), F_OK) != 0 && errno == ENOENT && existing != "/") {
    missing.push_back(existing);
    existing = parent_of(existing);
  }
  TRY(check_is_directory(existing));
  // Whoever made the deepest existing one may have died before it synced the name. Where we may
  // not read the parent, we did not make the name either.
  if (::access(parent_of(existing).c_str(), R_OK) == 0) {
    TRY(sync_directory(parent_of(existing)));
  }
  for (; !missing.empty(); missing.pop_back()) {
    const std::string& next = missing.back();
    if (::mkdir(next.c_str(), kDirectoryMode) != 0 && errno != EEXIST) {
      return errno_error(doing("make directory", next), errno);
    }
    TRY(check_is_directory(next));
    TRY(sync_directory(parent_of(next)));
  }
  return {};
}

Result<std::vector<std::string>> PosixFileSystem::list(const std::string& path) const {
  std::vector<std::string> names;
  TRY(read_directory(path, [&](DIR* directory, const dirent& entry) -> Result<void> {
    if (is_regular(directory, entry)) {
      names.emplace_back(entry.d_name);
    }
    return {};
  }));
  return names;
}

Result<std::vector<std::string>> list_others(const std::string& path) {
  std::vector<std::string> names;
  TRY(read_directory(path, [&](DIR* directory, const dirent& entry) -> Result<void> {
    if (!is_regular(directory, entry)) {
      names.emplace_back(entry.d_name);
    }
    return {};
  }));
  return names;
}

Result<void> PosixFileSystem::visit_files(const std::string& path,
                                          const FileVisitor& visitor) const {
  return read_directory(path, [&](DIR* directory, const dirent& entry) -> Result<void> {
    if (entry.d_type != DT_REG && entry.d_type != DT_UNKNOWN) {
      return {};
    }
    struct stat found {};
    if (::fstatat(::dirfd(directory), entry.d_name, &found, AT_SYMLINK_NOFOLLOW) != 0) {
      return errno == ENOENT ? Result<void>()
                             : errno_error(doing("stat", path + "/" + entry.d_name), errno);
    }
    if (S_ISREG(found.st_mode)) {
      visitor(entry.d_name, file_stat_of(found));
    }
    return {};
  });
}

Result<FileStat> PosixFileSystem::stat(const std::string& path) const {
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0) {
    return errno_error(doing("stat", path), errno);
  }
  return file_stat_of(found);
}

Result<std::uint64_t> PosixFileSystem::free_bytes(const std::string& path) const {
  struct statvfs found {};
  if (::statvfs(path.c_str(), &found) != 0) {
    return errno_error(doing("stat file system of", path), errno);
  }
  return std::uint64_t{found.f_bavail} * found.f_frsize;
}

void begin_write_back(const std::string& path) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (file.valid()) {
    std::ignore = ::sync_file_range(file.get(), 0, 0, SYNC_FILE_RANGE_WRITE);
  }
}

}  // namespace pgwalship
