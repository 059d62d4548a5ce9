// The operations on files that pgwalship needs, each with what is durable when it returns.
// PosixFileSystem does them for real and is the only caller of fsync, rename, link and unlink;
// tests/support/memory_file_system models a disk that loses what was not synced.
//
// Paths are absolute. Errors name the operation and the path ("open '/a/b': No such file or
// directory"). Any thread may call a FileSystem; one File belongs to one thread at a time.
#pragma once

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace pgwalship {

struct FileStat {
  std::uint64_t size = 0;
  std::uint64_t inode = 0;
  std::uint64_t device = 0;
  WallTime modified{};
  WallTime changed{};  // content, names or mode: nobody can set it back, unlike `modified`

  friend bool operator==(const FileStat&, const FileStat&) = default;
};

class File {
 public:
  virtual ~File() = default;

  // Writes all of `data` at `offset`. Nothing is durable until sync().
  virtual Result<void> write_at(std::uint64_t offset, ByteView data) = 0;
  // Reads up to into.size() bytes; fewer only at the end of the file.
  virtual Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) const = 0;
  virtual Result<FileStat> stat() const = 0;
  // On success the content and the size are durable; the name is not. After a failure the state of
  // the content is unknown and sync() must not be tried again on this file.
  virtual Result<void> sync() = 0;
  // The same open file, for another thread. It stays readable after the name has gone.
  virtual Result<std::unique_ptr<File>> duplicate() const = 0;
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;

  // Creates a file that did not exist, mode 0600, open for reading and writing, and holds an
  // exclusive flock on it as long as any File of it is open (see remove_abandoned).
  // kAlreadyExists when the name is taken. Neither name nor content is durable.
  virtual Result<std::unique_ptr<File>> create(const std::string& path) = 0;
  virtual Result<std::unique_ptr<File>> open(const std::string& path) = 0;  // for reading, and sync
  // Gives the file a second name; kAlreadyExists when that is taken: it is never replaced.
  // Not durable until sync_directory of the new name's directory.
  virtual Result<void> link(const std::string& from, const std::string& to) = 0;
  // Moves a name over whatever has the new name. Not durable until sync_directory.
  virtual Result<void> rename(const std::string& from, const std::string& to) = 0;
  virtual Result<void> remove(const std::string& path) = 0;
  // Removes the file unless a living process holds the lock that create() took.
  // kRetry when it is still in use.
  virtual Result<void> remove_abandoned(const std::string& path) = 0;
  // On success all names in the directory are durable.
  virtual Result<void> sync_directory(const std::string& path) = 0;
  // Creates the directory (mode 0700) and its missing parents; durable on return.
  virtual Result<void> make_directories(const std::string& path) = 0;
  // Names of the regular files in a directory, unordered.
  virtual Result<std::vector<std::string>> list(const std::string& path) const = 0;
  // The same files with what stat() says of each, without holding them all in memory. A file that
  // comes or goes meanwhile may be left out. `visitor` must not call this FileSystem.
  using FileVisitor = std::function<void(std::string_view name, const FileStat& stat)>;
  virtual Result<void> visit_files(const std::string& path, const FileVisitor& visitor) const = 0;
  virtual Result<FileStat> stat(const std::string& path) const = 0;
  // Bytes that an unprivileged process can still write to the file system that holds `path`.
  virtual Result<std::uint64_t> free_bytes(const std::string& path) const = 0;
};

}  // namespace pgwalship
