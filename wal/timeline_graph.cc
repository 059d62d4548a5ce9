#include "wal/timeline_graph.h"

#include <algorithm>

namespace pgwalship {
namespace {

std::string number_text(std::uint32_t timeline) {
  return "timeline " + std::to_string(timeline);
}

std::string forks_text(const TimelineHistory& history, std::size_t forks) {
  TimelineHistory part{
      history.timeline,
      {history.forks.begin(), history.forks.begin() + static_cast<std::ptrdiff_t>(forks)}};
  return part.forks.empty() ? "nothing" : history_text(part);
}

// The runs' parts within [first, last].
std::vector<SegmentRun> clip(const std::vector<SegmentRun>& runs, std::uint64_t first,
                             std::uint64_t last) {
  std::vector<SegmentRun> parts;
  auto run = std::partition_point(runs.begin(), runs.end(),
                                  [first](const SegmentRun& r) { return r.last < first; });
  for (; run != runs.end() && run->first <= last; ++run) {
    parts.push_back({run->timeline, std::max(run->first, first), std::min(run->last, last)});
  }
  return parts;
}

}  // namespace

std::string_view to_word(TimelineFinding::Kind kind) {
  switch (kind) {
    case TimelineFinding::Kind::kHistoryUnreadable:
      return "history_unreadable";
    case TimelineFinding::Kind::kHistoryMissing:
      return "history_missing";
    case TimelineFinding::Kind::kParentMissing:
      return "parent_missing";
    case TimelineFinding::Kind::kParentsDisagree:
      return "parents_disagree";
    case TimelineFinding::Kind::kBeforeFork:
      return "before_fork";
    case TimelineFinding::Kind::kBeyondFork:
      return "beyond_fork";
  }
  return "unknown";
}

TimelineGraph::TimelineGraph(const std::vector<HistoryFile>& histories,
                             const std::vector<SegmentRun>& runs, std::uint32_t segment_bytes)
    : segment_bytes_(segment_bytes) {
  CHECK(is_segment_size(segment_bytes));
  for (const SegmentRun& run : runs) {
    timeline(run.timeline).runs.push_back(run);
  }
  read(histories);
  connect();
  check_history_files();
  compare_histories();
  check_segments();
  std::stable_sort(findings_.begin(), findings_.end(),
                   [](const auto& a, const auto& b) { return a.timeline < b.timeline; });
}

Timeline& TimelineGraph::timeline(std::uint32_t number) {
  return timelines_.try_emplace(number, Timeline{.number = number}).first->second;
}

void TimelineGraph::read(const std::vector<HistoryFile>& files) {
  for (const HistoryFile& file : files) {
    timeline(file.timeline);
    Result<TimelineHistory> history =
        file.unreadable.empty()
            ? parse_timeline_history(file.timeline, file.text)
            : Error{Errc::kIo, "history of " + number_text(file.timeline) + ": " + file.unreadable,
                    ""};
    files_[file.timeline] = history.ok();
    if (history.ok()) {
      histories_.emplace(file.timeline, std::move(history).value());
    } else {
      find_fault({.kind = TimelineFinding::Kind::kHistoryUnreadable,
                  .timeline = file.timeline,
                  .text = history.error().message});
    }
  }
}

void TimelineGraph::connect() {
  for (const auto& [number, history] : histories_) {
    for (const TimelineFork& fork : history.forks) {
      timeline(fork.parent);
      if (!histories_.contains(fork.parent)) {
        hearsay_.emplace(fork.parent, number);  // the lowest number's word counts
      }
    }
  }
  for (auto& [number, node] : timelines_) {
    const std::optional<Path> known = path(number);
    if (known && known->forks > 0) {
      node.origin = known->history->forks[known->forks - 1];
      node.known = known->history->timeline == number ? Timeline::Origin::kHistory
                                                      : Timeline::Origin::kHearsay;
    }
  }
  for (const auto& [number, node] : timelines_) {
    if (node.origin) {
      timeline(node.origin->parent).children.push_back(number);
    }
  }
}

std::optional<TimelineGraph::Path> TimelineGraph::path(std::uint32_t timeline) const {
  if (const auto own = histories_.find(timeline); own != histories_.end()) {
    return Path{&own->second, own->second.forks.size()};
  }
  const auto source = hearsay_.find(timeline);
  if (source == hearsay_.end()) {
    return std::nullopt;
  }
  const TimelineHistory& history = histories_.at(source->second);
  const auto mention =
      std::find_if(history.forks.begin(), history.forks.end(),
                   [timeline](const TimelineFork& fork) { return fork.parent == timeline; });
  return Path{&history, static_cast<std::size_t>(mention - history.forks.begin())};
}

void TimelineGraph::check_history_files() {
  for (const auto& [number, node] : timelines_) {
    if (number == 1 || files_.contains(number)) {
      continue;
    }
    const std::string file = WalName::history_of(number).text();
    if (!node.runs.empty()) {
      find_fault(
          {.kind = TimelineFinding::Kind::kHistoryMissing,
           .timeline = number,
           .text = number_text(number) + " has segments here, but '" + file + "' is missing"});
    } else {
      const std::uint32_t child = hearsay_.at(number);
      find_fault({.kind = TimelineFinding::Kind::kParentMissing,
                  .timeline = number,
                  .other = child,
                  .text = number_text(child) + " descends from " + number_text(number) +
                          ", of which nothing is here, not even '" + file + "'"});
    }
  }
}

// A history holds the histories of all its ancestors. From the nearest one on, up to the first that
// has a file of its own: that one is compared with its own ancestors by itself.
void TimelineGraph::compare_histories() {
  for (const auto& [number, history] : histories_) {
    for (std::size_t i = history.forks.size(); i-- > 0;) {
      const std::uint32_t ancestor = history.forks[i].parent;
      const std::optional<Path> theirs = path(ancestor);
      if (theirs &&
          !std::equal(
              history.forks.begin(), history.forks.begin() + static_cast<std::ptrdiff_t>(i),
              theirs->history->forks.begin(),
              theirs->history->forks.begin() + static_cast<std::ptrdiff_t>(theirs->forks))) {
        find_fault({.kind = TimelineFinding::Kind::kParentsDisagree,
                    .timeline = number,
                    .other = ancestor,
                    .text = "histories contradict each other about how " + number_text(ancestor) +
                            " came about: " + WalName::history_of(number).text() + " says " +
                            forks_text(history, i) + "; " +
                            WalName::history_of(theirs->history->timeline).text() + " says " +
                            forks_text(*theirs->history, theirs->forks)});
      }
      if (histories_.contains(ancestor)) {
        break;
      }
    }
  }
}

void TimelineGraph::check_segments() {
  for (const auto& [number, node] : timelines_) {
    const std::uint64_t start = node.origin ? node.origin->lsn / segment_bytes_ : 0;
    for (const SegmentRun& run :
         start == 0 ? std::vector<SegmentRun>() : clip(node.runs, 0, start - 1)) {
      find_fault({.kind = TimelineFinding::Kind::kBeforeFork,
                  .timeline = number,
                  .other = node.origin->parent,
                  .run = run,
                  .text = run_text(run, segment_bytes_) + ": " + number_text(number) + " left " +
                          number_text(node.origin->parent) + " only at " +
                          lsn_text(node.origin->lsn)});
    }
    const std::optional<std::uint64_t> beyond = first_beyond_fork(number);
    if (!beyond) {
      continue;
    }
    const std::uint32_t last_child = *std::max_element(
        node.children.begin(), node.children.end(), [this](std::uint32_t a, std::uint32_t b) {
          return timelines_.at(a).origin->lsn < timelines_.at(b).origin->lsn;
        });
    for (const SegmentRun& run : clip(node.runs, *beyond, kNoEnd)) {
      find_fault({.kind = TimelineFinding::Kind::kBeyondFork,
                  .timeline = number,
                  .other = last_child,
                  .run = run,
                  .text = run_text(run, segment_bytes_) + ": " + number_text(last_child) +
                          " left " + number_text(number) + " at " +
                          lsn_text(timelines_.at(last_child).origin->lsn) +
                          ", before this was written"});
    }
  }
}

const Timeline* TimelineGraph::find(std::uint32_t number) const {
  const auto found = timelines_.find(number);
  return found == timelines_.end() ? nullptr : &found->second;
}

std::vector<SegmentRun> TimelineGraph::line(std::uint32_t timeline) const {
  std::vector<SegmentRun> pieces;
  std::uint64_t start = 0;
  const std::optional<Path> known = path(timeline);
  for (std::size_t i = 0; known && i < known->forks; ++i) {
    const TimelineFork& fork = known->history->forks[i];
    const std::uint64_t next = fork.lsn / segment_bytes_;
    if (next > start) {
      pieces.push_back({fork.parent, start, next - 1});
    }
    start = next;
  }
  pieces.push_back({timeline, start, kNoEnd});
  return pieces;
}

std::vector<SegmentRun> TimelineGraph::chain(std::uint32_t timeline, std::uint64_t from,
                                             std::uint64_t to) const {
  std::vector<SegmentRun> wanted;
  if (from >= to) {
    return wanted;
  }
  const std::uint64_t first = from / segment_bytes_;
  const std::uint64_t last = (to - 1) / segment_bytes_;
  for (const SegmentRun& piece : line(timeline)) {
    if (piece.first <= last && piece.last >= first) {
      wanted.push_back({piece.timeline, std::max(piece.first, first), std::min(piece.last, last)});
    }
  }
  return wanted;
}

std::vector<SegmentRun> TimelineGraph::present(const SegmentRun& within) const {
  const Timeline* node = find(within.timeline);
  return node == nullptr ? std::vector<SegmentRun>() : clip(node->runs, within.first, within.last);
}

std::vector<SegmentRun> TimelineGraph::missing(const std::vector<SegmentRun>& wanted) const {
  std::vector<SegmentRun> holes;
  for (const SegmentRun& piece : wanted) {
    std::uint64_t next = piece.first;
    bool full = false;  // there up to the end of the piece
    for (const SegmentRun& run : present(piece)) {
      if (run.first > next) {
        holes.push_back({piece.timeline, next, run.first - 1});
      }
      full = run.last == piece.last;
      next = run.last + 1;
    }
    if (!full) {
      holes.push_back({piece.timeline, next, piece.last});
    }
  }
  return holes;
}

std::optional<std::uint64_t> TimelineGraph::shared_until(std::uint32_t ancestor,
                                                         std::uint32_t timeline) const {
  if (ancestor == timeline) {
    return kNoEnd;
  }
  const std::optional<Path> known = path(timeline);
  for (std::size_t i = 0; known && i < known->forks; ++i) {
    if (known->history->forks[i].parent == ancestor) {
      return known->history->forks[i].lsn;
    }
  }
  return std::nullopt;
}

std::optional<std::uint64_t> TimelineGraph::first_beyond_fork(std::uint32_t timeline) const {
  const Timeline* node = find(timeline);
  std::optional<std::uint64_t> first;
  for (const std::uint32_t child :
       node == nullptr ? std::vector<std::uint32_t>() : node->children) {
    // The segment of the fork is both timelines', also when the fork is at its start: a server that
    // goes down after a switch has begun it, and a later checkpoint has it archived.
    const std::uint64_t forked = timelines_.at(child).origin->lsn / segment_bytes_;
    first = std::max(first.value_or(0), forked + 1);
  }
  return first;
}

std::uint32_t TimelineGraph::latest_from(std::uint32_t start) const {
  std::uint32_t latest = start;
  while (latest < ~std::uint32_t{0} && files_.contains(latest + 1)) {
    ++latest;
  }
  return latest;
}

}  // namespace pgwalship
