// What is wrong with the timelines of an archive, short enough for the status report;
// `pgwalship timeline` has the whole picture. Pure.
#pragma once

#include "wal/archive_survey.h"

#include <cstdint>
#include <string>
#include <vector>

namespace pgwalship {

struct TimelineTrouble {
  std::uint32_t timeline = 0;
  std::uint64_t gaps = 0;
  std::uint64_t missing_segments = 0;
  std::uint64_t needed_segments = 0;             // of these: every recovery past them stops there
  std::string first_gap = {};                    // its names; empty without a gap
  std::vector<std::string> contradictions = {};  // the first few, in words
  std::uint64_t contradiction_count = 0;
};

// Of the timelines that have any, by number; at most kTroublesMax, the newest ones.
inline constexpr std::size_t kTroublesMax = 32;
std::vector<TimelineTrouble> find_timeline_troubles(const ArchiveSurvey& survey);

}  // namespace pgwalship
