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

Result<std::unique_ptr<File>> lock_for_daemon(FileSystem& file_system,
                                              const ArchiveLayout& layout) {
  Result<std::unique_ptr<File>> lock = take_lock(file_system, layout.daemon_lock_file());
  if (lock.ok() || lock.error().code != Errc::kRetry) {
    return lock;
  }
  return Error{Errc::kAlreadyExists,
               "another pgwalshipd serves the archive '" + layout.directory() + "': it holds '" +
                   layout.daemon_lock_file() + "'",
               "stop it first, or give this one an [archive] directory of its own"};
}

}  // namespace pgwalship
