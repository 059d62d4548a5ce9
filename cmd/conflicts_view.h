// What `pgwalship conflicts` prints, for a person and as JSON. Pure.
#pragma once

#include "wal/archive_store.h"

#include <optional>
#include <string>
#include <vector>

namespace pgwalship {

// One content in quarantine, and what the comparison with the archive's gave.
struct ConflictEntry {
  ArchiveLayout::Quarantined refused;
  std::optional<ConflictFacts> facts;
  std::string failure;  // why there are no facts, or empty
};

// A line for each: NAME HASH VERDICT.
std::string render_conflicts(const std::vector<ConflictEntry>& entries,
                             const std::string& directory);
std::string conflicts_json(const std::vector<ConflictEntry>& entries);
// All that is known about one name; the entries are not empty and are all of it.
std::string render_conflict(const std::vector<ConflictEntry>& entries,
                            const std::string& directory);
// "SHA-256 …, 16777216 bytes, from pgdb1".
std::string content_text(const FileFacts& facts);

}  // namespace pgwalship
