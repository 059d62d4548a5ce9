// Segments of one timeline without a gap between them, by number: segment `n` starts at LSN
// n * segment size. Pure.
#pragma once

#include "wal/segment_name.h"

#include <cstdint>
#include <string>
#include <vector>

namespace pgwalship {

struct SegmentRun {
  std::uint32_t timeline = 0;
  std::uint64_t first = 0;
  std::uint64_t last = 0;  // the last one that is there, not one behind it

  std::uint64_t count() const { return last - first + 1; }
  friend bool operator==(const SegmentRun&, const SegmentRun&) = default;
};

// REQUIRES of all of these: is_segment_size(segment_bytes).
// REQUIRES: name.kind() is not kHistory.
std::uint64_t segment_number(const WalName& name, std::uint32_t segment_bytes);
// The LSN of its first byte; the greatest LSN for a number that no LSN reaches.
std::uint64_t segment_lsn(std::uint64_t number, std::uint32_t segment_bytes);
// The name of segment `number` of `timeline`.
std::string segment_text(std::uint32_t timeline, std::uint64_t number, std::uint32_t segment_bytes);
// "000000010000000000000005" or "000000010000000000000005 to 000000010000000000000009".
std::string run_text(const SegmentRun& run, std::uint32_t segment_bytes);

// The runs of the whole segments (no .partial) among `sorted`, which is in archiving order.
std::vector<SegmentRun> segment_runs(const std::vector<WalName>& sorted,
                                     std::uint32_t segment_bytes);

}  // namespace pgwalship
