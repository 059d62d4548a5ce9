#include "tests/support/memory_file.h"

#include "base/fd.h"

#include <cerrno>
#include <utility>

namespace pgwalship {

MemoryFile::MemoryFile(MemoryFileSystem& file_system, InodePointer inode, std::string path,
                       Access access, std::shared_ptr<MemoryInode::Lock> lock)
    : file_system_(file_system),
      inode_(std::move(inode)),
      path_(std::move(path)),
      access_(access),
      lock_(std::move(lock)),
      boot_(file_system.boots_) {
  ++inode_->open_files;
}

MemoryFile::~MemoryFile() {
  const std::lock_guard guard(file_system_.mutex_);
  lock_.reset();
  if (boot_ == file_system_.boots_) {
    --inode_->open_files;
    file_system_.release(*inode_);
  }
}

Result<void> MemoryFile::write_at(std::uint64_t offset, ByteView data) {
  const std::lock_guard guard(file_system_.mutex_);
  TRY(check_alive("write"));
  if (access_ != Access::kReadWrite) {
    return errno_error(doing("write"), EBADF);
  }
  return file_system_.write(*inode_, path_, offset, data);
}

Result<std::size_t> MemoryFile::read_at(std::uint64_t offset, std::span<std::byte> into) const {
  const std::lock_guard guard(file_system_.mutex_);
  TRY(check_alive("read"));
  TRY(file_system_.look(MemoryFileSystem::Operation::kRead, "read", path_));
  return inode_->read(offset, into);
}

Result<FileStat> MemoryFile::stat() const {
  const std::lock_guard guard(file_system_.mutex_);
  TRY(check_alive("stat"));
  TRY(file_system_.look(MemoryFileSystem::Operation::kStat, "stat", path_));
  return MemoryFileSystem::stat_of(*inode_);
}

Result<void> MemoryFile::sync() {
  const std::lock_guard guard(file_system_.mutex_);
  TRY(check_alive("fsync"));
  return file_system_.sync(*inode_, path_);
}

Result<std::unique_ptr<File>> MemoryFile::duplicate() const {
  const std::lock_guard guard(file_system_.mutex_);
  TRY(check_alive("duplicate"));
  return std::unique_ptr<File>(
      std::make_unique<MemoryFile>(file_system_, inode_, path_, access_, lock_));
}

std::string MemoryFile::doing(std::string_view verb) const {
  return std::string(verb) + " '" + path_ + "'";
}

Result<void> MemoryFile::check_alive(std::string_view verb) const {
  if (boot_ != file_system_.boots_) {
    return Error{Errc::kIo, doing(verb) + ": opened before the machine started", {}};
  }
  return file_system_.script_.check_running(doing(verb));
}

}  // namespace pgwalship
