#include "wal/archive_lock.h"

#include <tuple>
#include <utility>

namespace pgwalship {

RemoveAtExit::RemoveAtExit(FileSystem& file_system, std::string path)
    : file_system_(file_system), path_(std::move(path)) {}

RemoveAtExit::~RemoveAtExit() {
  std::ignore = file_system_.remove(path_);  // ArchiveStore::prepare() removes what stays
}

Result<std::unique_ptr<File>> take_lock(FileSystem& file_system, const std::string& path) {
  Result<std::unique_ptr<File>> lock = file_system.create(path);
  if (lock.ok() || lock.error().code != Errc::kAlreadyExists) {
    return lock;
  }
  if (const auto removed = file_system.remove_abandoned(path);
      !removed.ok() && removed.error().code != Errc::kNotFound) {
    return removed.error();
  }
  lock = file_system.create(path);
  if (!lock.ok() && lock.error().code == Errc::kAlreadyExists) {
    return Error{Errc::kRetry, lock.error().message, ""};
  }
  return lock;
}

}  // namespace pgwalship
