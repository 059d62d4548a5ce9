// The lock of one name in the archive, held while the file under it is taken away or replaced
// (docs/durability.md). Other processes and other threads are kept out alike.
#pragma once

#include "base/file_system.h"
#include "base/result.h"

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

// Exclusive between processes and threads for as long as the File is open; the lock of a dead
// process does not count. kRetry when another holds it. The caller removes the path at the end.
Result<std::unique_ptr<File>> take_lock(FileSystem& file_system, const std::string& path);

}  // namespace pgwalship
