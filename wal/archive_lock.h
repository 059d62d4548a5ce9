// Locks in an archive: files under .pgwalship that somebody holds for as long as the File is open,
// exclusive between processes and threads. A dead process holds nothing, whatever it left. A name's
// lock is held while the file under it is taken away or replaced (docs/durability.md).
#pragma once

#include "base/file_system.h"
#include "base/result.h"
#include "wal/archive_layout.h"

#include <memory>
#include <string>

namespace pgwalship {

// Removes a temporary file at the end of a block, whatever happened in it.
class RemoveAtExit {
 public:
  RemoveAtExit(FileSystem& file_system, std::string path);
  ~RemoveAtExit();
  RemoveAtExit(const RemoveAtExit&) = delete;
  RemoveAtExit& operator=(const RemoveAtExit&) = delete;

 private:
  FileSystem& file_system_;
  std::string path_;
};

// kRetry when another holds it. The caller removes the path at the end.
Result<std::unique_ptr<File>> take_lock(FileSystem& file_system, const std::string& path);

// One daemon for one archive, whatever its socket (H46); clients and receivers work beside it.
// kAlreadyExists when another has it. REQUIRES: ArchiveStore::prepare().
Result<std::unique_ptr<File>> lock_for_daemon(FileSystem& file_system, const ArchiveLayout& layout);

}  // namespace pgwalship
