#include "wal/segment_run.h"

#include <bit>
#include <limits>

namespace pgwalship {

std::uint64_t segment_number(const WalName& name, std::uint32_t segment_bytes) {
  CHECK(is_segment_size(segment_bytes));
  CHECK(name.kind() != WalKind::kHistory);
  return (std::uint64_t{name.log()} << (32 - std::countr_zero(segment_bytes))) + name.seg();
}

std::uint64_t segment_lsn(std::uint64_t number, std::uint32_t segment_bytes) {
  constexpr std::uint64_t kLast = std::numeric_limits<std::uint64_t>::max();
  return number > kLast / segment_bytes ? kLast : number * segment_bytes;
}

std::string segment_text(std::uint32_t timeline, std::uint64_t number,
                         std::uint32_t segment_bytes) {
  return WalName::segment_at(timeline, segment_lsn(number, segment_bytes), segment_bytes).text();
}

std::string run_text(const SegmentRun& run, std::uint32_t segment_bytes) {
  const std::string first = segment_text(run.timeline, run.first, segment_bytes);
  return run.first == run.last
             ? first
             : first + " to " + segment_text(run.timeline, run.last, segment_bytes);
}

std::vector<SegmentRun> segment_runs(const std::vector<WalName>& sorted,
                                     std::uint32_t segment_bytes) {
  std::vector<SegmentRun> runs;
  for (const WalName& name : sorted) {
    if (name.kind() != WalKind::kSegment) {
      continue;
    }
    const std::uint64_t number = segment_number(name, segment_bytes);
    if (!runs.empty() && runs.back().timeline == name.timeline() &&
        runs.back().last + 1 == number) {
      ++runs.back().last;
    } else {
      runs.push_back(SegmentRun{name.timeline(), number, number});
    }
  }
  return runs;
}

}  // namespace pgwalship
