// What is wrong with an archive: each file by itself (gzip, hash, header against name, first page
// against name, system identifier), and all together (gaps, histories). Reads; changes nothing.
#pragma once

#include "wal/archive_store.h"

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace pgwalship {

struct Problem {
  enum class Kind {
    kCorrupt,     // the copy is bad: a peer may have a good one
    kUnreadable,  // the disk does not give it
    kMisfit,      // a legacy file whose content is not what its name says
    kForeign,     // of another cluster
    kAbsent,      // asked for by name, and not here
    kGap,         // segments between others are missing
    kHistory,     // a timeline's history is missing, or contradicts another
  };
  Kind kind = Kind::kCorrupt;
  std::string name;  // of the file; of a gap the first that is missing
  std::string what;
  std::string hint;
  std::vector<WalName> wanted;  // what a peer could help with
};
std::string_view to_word(Problem::Kind kind);

// What reading one file gave.
struct CheckedFile {
  WalName name;
  std::uint64_t file_bytes = 0;
  std::uint32_t segment_bytes = 0;  // 0: not known
  std::string history;              // content of a .history file
  std::vector<Problem> problems;
  std::uint64_t system_id = 0;  // 0: not known
};
// Reads all of it. `system_id`: the archive's; 0: not known yet. Any thread.
CheckedFile check_file(const ArchiveStore& store, const WalName& name, std::uint64_t system_id);

// Collects what was read, in any order, and finds what no single file shows.
class Verification {
 public:
  void add(const CheckedFile& file);
  // Gaps by timeline, then histories. What is missing before the first segment of a timeline was
  // expired, and is no gap.
  std::vector<Problem> problems() const;

 private:
  void find_gaps(const std::vector<WalName>& segments, std::vector<Problem>& problems) const;
  void check_history(std::uint32_t timeline, std::vector<Problem>& problems) const;

  std::map<std::uint32_t, std::vector<WalName>> segments_;  // by timeline
  std::map<std::uint32_t, std::string> histories_;          // by timeline
  std::uint32_t segment_bytes_ = 0;
};

}  // namespace pgwalship
