// The index of the archive on disk, so that a start reads one file and looks at the directory,
// instead of reading a header in each of a million files: <archive>/.pgwalship/index. Derived: it
// may be deleted or damaged at any moment, and costs time, nothing else. It is not synced.
//
//     8 bytes "PGWSIDX1" | u32 segment bytes | u64 count
//     | count * (u64 lane | u64 position | u8 kind | u32 offset | u64 stamp | u32 file bytes
//                | 16 bytes content key)
//     | u32 CRC-32 of all before it
//
// Little-endian; entries in archiving order. The words are those of wal/archive_index.h.
#pragma once

#include "base/file_system.h"
#include "wal/archive_index.h"
#include "wal/archive_layout.h"

#include <cstdint>

namespace pgwalship {

// An empty index when there is no cache, or none that can be trusted: what it says is compared with
// the directory anyway (wal/archive_scan.h).
ArchiveIndex load_index_cache(FileSystem& file_system, const ArchiveLayout& layout);

// Takes the place of the present one, whole or not at all. `unique` is for the name of the
// temporary file.
Result<void> save_index_cache(FileSystem& file_system, const ArchiveLayout& layout,
                              const ArchiveIndex& index, std::uint64_t unique);

}  // namespace pgwalship
