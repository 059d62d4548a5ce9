#include "wal/archive_coverage.h"

#include <algorithm>
#include <tuple>

namespace pgwalship {
namespace {

constexpr std::uint64_t kNoEnd = TimelineGraph::kNoEnd;

// What is missing on one timeline's own part of its line, and from there down to the next segment
// that any ancestor has; the ancestors' own parts are their own affair.
std::vector<SegmentRun> holes_of(const TimelineGraph& graph, std::uint32_t timeline) {
  const std::vector<SegmentRun> line = graph.line(timeline);
  const std::vector<SegmentRun> own = graph.present(line.back());
  std::vector<SegmentRun> wanted;
  if (own.empty()) {
    return wanted;
  }
  for (std::size_t i = line.size() - 1; i-- > 0;) {
    const std::vector<SegmentRun> there = graph.present(line[i]);
    if (there.empty()) {
      wanted.push_back(line[i]);
      continue;
    }
    if (there.back().last < line[i].last) {
      wanted.push_back({line[i].timeline, there.back().last + 1, line[i].last});
    }
    wanted.push_back({timeline, line.back().first, own.back().last});
    return graph.missing(wanted);
  }
  return graph.missing({{timeline, own.front().first, own.back().last}});
}

std::vector<SegmentRun> united(std::vector<SegmentRun> runs) {
  std::sort(runs.begin(), runs.end(), [](const SegmentRun& a, const SegmentRun& b) {
    return std::tie(a.timeline, a.first) < std::tie(b.timeline, b.first);
  });
  std::vector<SegmentRun> whole;
  for (const SegmentRun& run : runs) {
    if (!whole.empty() && whole.back().timeline == run.timeline &&
        run.first <= whole.back().last + 1) {
      whole.back().last = std::max(whole.back().last, run.last);
    } else {
      whole.push_back(run);
    }
  }
  return whole;
}

std::vector<ArchiveGap> find_gaps(const TimelineGraph& graph) {
  std::vector<SegmentRun> holes;
  for (const auto& [number, node] : graph.timelines()) {
    const std::vector<SegmentRun> found = holes_of(graph, number);
    holes.insert(holes.end(), found.begin(), found.end());
  }
  std::vector<ArchiveGap> gaps;
  for (const SegmentRun& hole : united(std::move(holes))) {
    const std::uint64_t beyond = graph.first_beyond_fork(hole.timeline).value_or(kNoEnd);
    if (hole.first < beyond) {
      gaps.push_back({{hole.timeline, hole.first, std::min(hole.last, beyond - 1)},
                      ArchiveGap::Branch::kNeeded});
    }
    if (hole.last >= beyond) {
      gaps.push_back({{hole.timeline, std::max(hole.first, beyond), hole.last},
                      ArchiveGap::Branch::kAbandoned});
    }
  }
  return gaps;
}

// The first segment from number `from` on that the line of `timeline` lacks, and the timeline that
// it should be of.
struct LineEnd {
  std::uint64_t number = 0;
  std::uint32_t timeline = 0;
  std::uint32_t reached = 0;  // of the segment before it; 0: there is not even the first
};
LineEnd end_of_line(const TimelineGraph& graph, std::uint32_t timeline, std::uint64_t from) {
  LineEnd end{.number = from, .timeline = timeline};
  for (const SegmentRun& piece : graph.line(timeline)) {
    if (piece.last < end.number) {
      continue;
    }
    end.timeline = piece.timeline;
    const auto there = graph.present({piece.timeline, end.number, piece.last});
    if (there.empty() || there.front().first > end.number) {
      break;
    }
    end.number = there.front().last + 1;
    end.reached = piece.timeline;
    if (there.front().last < piece.last) {
      break;
    }
  }
  return end;
}

// The first segment of a line from number `from` on that is there.
std::optional<std::uint64_t> next_present(const TimelineGraph& graph, std::uint32_t timeline,
                                          std::uint64_t from) {
  for (const SegmentRun& piece : graph.line(timeline)) {
    if (piece.last < from) {
      continue;
    }
    const auto there = graph.present({piece.timeline, std::max(piece.first, from), piece.last});
    if (!there.empty()) {
      return there.front().first;
    }
  }
  return std::nullopt;
}

// One base backup, looked at along every timeline that descends from it.
class BackupView {
 public:
  BackupView(const TimelineGraph& graph, const std::vector<WalName>& partials,
             const BackupLabel& label)
      : graph_(graph), partials_(partials), label_(label) {
    for (const auto& [number, node] : graph.timelines()) {
      if (graph.shared_until(label.start_timeline, number).value_or(0) >= label.stop_lsn) {
        descendants_.push_back(number);
      }
    }
    if (graph.find(label.start_timeline) == nullptr) {
      descendants_.push_back(label.start_timeline);
    }
  }

  void fill(BackupCoverage& coverage) const {
    coverage.latest = graph_.latest_from(label_.start_timeline);
    coverage.latest_descends = descends(coverage.latest);
    for (const std::uint32_t timeline : descendants_) {
      const RecoverySpan span = span_along(timeline);
      if (missing_along(timeline).empty() && ends_apart(timeline, span)) {
        coverage.spans.push_back(span);
      }
    }
    if (!coverage.spans.empty()) {
      coverage.state = BackupCoverage::State::kRecoverable;
      return;
    }
    coverage.missing = missing_along(label_.start_timeline);
    coverage.state = is_expired(coverage.missing) ? BackupCoverage::State::kExpired
                                                  : BackupCoverage::State::kBroken;
  }

 private:
  bool descends(std::uint32_t timeline) const {
    return std::find(descendants_.begin(), descendants_.end(), timeline) != descendants_.end();
  }

  // Of what it takes to be consistent.
  std::vector<SegmentRun> missing_along(std::uint32_t timeline) const {
    const std::uint64_t stop = std::max(label_.stop_lsn, label_.start_lsn + 1);
    return graph_.missing(graph_.chain(timeline, label_.start_lsn, stop));
  }

  RecoverySpan span_along(std::uint32_t timeline) const {
    const std::uint32_t bytes = graph_.segment_bytes();
    const LineEnd end = end_of_line(graph_, timeline, label_.start_lsn / bytes);
    RecoverySpan span{
        .timeline = timeline, .to = segment_lsn(end.number, bytes), .reached = end.reached};
    if (const auto later = next_present(graph_, timeline, end.number)) {
      span.gap = graph_
                     .missing(graph_.chain(timeline, segment_lsn(end.number, bytes),
                                           segment_lsn(*later, bytes)))
                     .front();
    }
    span.only_partial =
        std::any_of(partials_.begin(), partials_.end(), [&](const WalName& partial) {
          return partial.timeline() == end.timeline && segment_number(partial, bytes) == end.number;
        });
    return span;
  }

  // Not merely part of the way to a child of it.
  bool ends_apart(std::uint32_t timeline, const RecoverySpan& span) const {
    std::uint64_t last_fork = 0;
    for (const std::uint32_t child : graph_.find(timeline)->children) {
      if (descends(child)) {
        last_fork = std::max(last_fork, graph_.find(child)->origin->lsn);
      }
    }
    const std::uint32_t bytes = graph_.segment_bytes();
    const std::uint64_t fork_segment_end =
        last_fork == 0 ? 0 : segment_lsn((last_fork - 1) / bytes + 1, bytes);
    return last_fork == 0 || span.to > fork_segment_end;
  }

  bool is_expired(const std::vector<SegmentRun>& missing) const {
    if (missing.empty()) {
      return false;
    }
    bool anything_behind = false;
    for (const std::uint32_t timeline : descendants_) {
      const auto oldest = next_present(graph_, timeline, 0);
      if (oldest && *oldest < missing.front().first) {
        return false;
      }
      anything_behind = anything_behind || oldest.has_value();
    }
    return anything_behind;
  }

  const TimelineGraph& graph_;
  const std::vector<WalName>& partials_;
  const BackupLabel& label_;
  std::vector<std::uint32_t> descendants_;  // its own timeline included
};

}  // namespace

std::string_view to_word(BackupCoverage::State state) {
  switch (state) {
    case BackupCoverage::State::kRecoverable:
      return "recoverable";
    case BackupCoverage::State::kExpired:
      return "expired";
    case BackupCoverage::State::kBroken:
      return "broken";
    case BackupCoverage::State::kUnreadable:
      return "unreadable";
  }
  return "unknown";
}

ArchiveCoverage cover_archive(const TimelineGraph& graph, const std::vector<WalName>& partials,
                              const std::vector<BackupFile>& backups) {
  ArchiveCoverage coverage{.gaps = find_gaps(graph), .backups = {}, .partials = partials};
  for (const BackupFile& backup : backups) {
    BackupCoverage covered{.backup = backup};
    if (backup.label) {
      BackupView(graph, partials, *backup.label).fill(covered);
    }
    coverage.backups.push_back(std::move(covered));
  }
  return coverage;
}

}  // namespace pgwalship
