// What PostgreSQL says of itself, against what pgwalship needs of it. Pure.
#pragma once

#include "archiver/postgres_facts.h"
#include "cmd/check_lines.h"
#include "cmd/config.h"

#include <cstdint>
#include <vector>

namespace pgwalship {

// What the archive says, 0 when it does not.
struct ArchiveIdentity {
  std::uint64_t system_id = 0;
  std::uint32_t segment_bytes = 0;
};

std::vector<CheckLine> postgres_checks(const Config& config, const PostgresFacts& facts,
                                       const ArchiveIdentity& archive);

}  // namespace pgwalship
