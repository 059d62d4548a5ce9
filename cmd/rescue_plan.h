// What a stopped server's pg_wal still holds, and in which order it is shipped: what PostgreSQL
// wanted to archive first (.ready), then the rest, each in archiving order. A segment whose records
// end in the middle goes as .partial, which is how PostgreSQL names the last one of a timeline.
// What is marked .ready was finished once: when it is not to be had here, that is said. Blocks on
// the disk: every segment is read to its end.
#pragma once

#include "wal/archive_store.h"
#include "wal/data_directory.h"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace pgwalship {

struct RescueFile {
  std::string path;
  WalName name;  // what it is shipped as
  bool is_ready = false;
};

// What may be safe nowhere.
struct RescueLoss {
  WalName name;
  std::string why;
  bool is_ready = false;
};

struct RescuePlan {
  std::vector<RescueFile> files;
  std::vector<std::string> left_out;  // "NAME: why", for a person
  std::vector<RescueLoss> lost;       // in archiving order
};

// `archive` tells which segments are whole there already: their unfinished copies are left out, and
// one that cannot be read or is gone is no loss then.
// kInvalid when a file is of another cluster than `system_id` (0: not known).
Result<RescuePlan> plan_rescue(FileSystem& file_system, const DataDirectory& directory,
                               const ArchiveStore& archive, std::uint64_t system_id,
                               const std::function<void(const WalName&)>& on_read);

}  // namespace pgwalship
