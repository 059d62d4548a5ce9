#include "archiver/timeline_troubles.h"

#include <map>

namespace pgwalship {
namespace {

constexpr std::size_t kContradictionsMax = 4;

}  // namespace

std::vector<TimelineTrouble> find_timeline_troubles(const ArchiveSurvey& survey) {
  const TimelineGraph graph = survey.graph();
  std::map<std::uint32_t, TimelineTrouble> troubles;
  const auto of = [&troubles](std::uint32_t timeline) -> TimelineTrouble& {
    return troubles.try_emplace(timeline, TimelineTrouble{.timeline = timeline}).first->second;
  };
  for (const ArchiveGap& gap : cover_archive(graph, {}, {}).gaps) {
    TimelineTrouble& trouble = of(gap.run.timeline);
    if (++trouble.gaps == 1) {
      trouble.first_gap = run_text(gap.run, survey.segment_bytes);
    }
    trouble.missing_segments += gap.run.count();
    trouble.needed_segments += gap.branch == ArchiveGap::Branch::kNeeded ? gap.run.count() : 0;
  }
  for (const TimelineFinding& finding : graph.findings()) {
    TimelineTrouble& trouble = of(finding.timeline);
    ++trouble.contradiction_count;
    if (trouble.contradictions.size() < kContradictionsMax) {
      trouble.contradictions.push_back(finding.text);
    }
  }
  while (troubles.size() > kTroublesMax) {
    troubles.erase(troubles.begin());
  }
  std::vector<TimelineTrouble> all;
  all.reserve(troubles.size());
  for (auto& [timeline, trouble] : troubles) {
    all.push_back(std::move(trouble));
  }
  return all;
}

}  // namespace pgwalship
