// What is read from disks for one status report.
#pragma once

#include "archiver/timeline_troubles.h"
#include "base/file_system.h"
#include "wal/archive_store.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace pgwalship {

struct DiskFacts {
  std::vector<TimelineTrouble> timelines;
  std::uint64_t system_id = 0;
  bool reconciled = false;
  bool vanished = false;  // files did that it may not have back
  SegmentPosition floor = 0;
  std::vector<std::string> quarantined;
  std::optional<std::uint64_t> free_bytes;
  std::string role = "unknown";              // primary, standby, recovering, stopped, unknown
  std::optional<std::uint64_t> ready_files;  // .ready files in pg_wal/archive_status
  std::optional<WallTime> oldest_ready;      // when the first of them was marked
  std::optional<WalName> first_ready;        // the first segment of the newest timeline among them
  // Of these, what the archive lacks; known of a stopped server only.
  std::optional<std::uint64_t> unarchived_files;
  std::string data_directory;
  std::string error;     // why the archive could not be read, or empty; for the caller to fill in
  bool reading = false;  // it has not been read once yet; for the caller, too
};
// Reads them; blocks. `data_directory` may be empty. The archive is not listed: `outline` is what
// the index tells of it.
DiskFacts read_disk_facts(FileSystem& file_system, const ArchiveStore& store,
                          ArchiveOutline outline, const std::string& data_directory);

}  // namespace pgwalship
