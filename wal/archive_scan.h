// Looks at the archive directory and says what its index must hold. Only the headers of files that
// the known index does not describe are read: a file is the same while its inode, size and time of
// change are. Blocks on the disk: for a worker.
#pragma once

#include "base/file_system.h"
#include "wal/archive_index.h"
#include "wal/archive_layout.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace pgwalship {

// Of inode, size and time of change. Never 0.
std::uint64_t file_stamp(const FileStat& stat);

struct ArchiveScan {
  ArchiveIndex index;
  std::uint64_t headers_read = 0;
};
// Everything under a valid name. A file whose header cannot be read is there, with a content that
// is not known. An error when the directory cannot be read.
Result<ArchiveScan> scan_archive(FileSystem& file_system, const ArchiveLayout& layout,
                                 const ArchiveIndex& known);

// Names that files of the archive would have and that are taken by something else, a directory, a
// link, a fifo: what is to be called so can be neither stored nor served. In order.
Result<std::vector<std::string>> find_obstacles(const std::string& archive);

struct FileLook {
  ArchivePlace place;
  std::optional<ArchiveIndex::Entry> entry;  // nothing: there is no such file
  std::uint32_t segment_bytes = 0;           // what its header says; 0: nothing
};
// The same for one name. An error when it cannot be told whether the file is there.
Result<FileLook> look_at_file(FileSystem& file_system, const ArchiveLayout& layout,
                              const WalName& name);

}  // namespace pgwalship
