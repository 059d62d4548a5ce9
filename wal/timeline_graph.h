// How the timelines of an archive come from each other, from the history files it holds and the
// segments it has of each. Pure.
//
// A timeline starts in the segment that holds its fork: promotion copies the parent's part of that
// segment into it, so a recovery reads the child's file there and never the parent's. The parent's
// own file of that number may exist as well, whole or as .partial, and is in order.
#pragma once

#include "wal/segment_run.h"
#include "wal/timeline_history.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pgwalship {

// What the archive holds under <timeline>.history.
struct HistoryFile {
  std::uint32_t timeline = 0;
  std::string text;
  std::string unreadable = {};  // why it could not be read, or empty
};

struct Timeline {
  std::uint32_t number = 0;
  enum class Origin {
    kNone,     // timeline 1, or it cannot be known: its history is missing
    kHistory,  // its own history file says so
    kHearsay,  // a descendant's history file says so; its own is missing
  };
  Origin known = Origin::kNone;
  std::optional<TimelineFork> origin = {};   // unless kNone
  std::vector<std::uint32_t> children = {};  // rising
  std::vector<SegmentRun> runs = {};         // rising
};

struct TimelineFinding {
  enum class Kind {
    kHistoryUnreadable,  // PostgreSQL could not read it either
    kHistoryMissing,     // there are segments of it, and no history file
    kParentMissing,      // `other` comes from it, and there is nothing of it
    kParentsDisagree,    // its history and that of its ancestor `other` contradict each other
    kBeforeFork,         // `run` lies before the segment in which it starts
    kBeyondFork,         // `run` was written after timeline `other`, the last to do so, left it
  };
  Kind kind = Kind::kHistoryUnreadable;
  std::uint32_t timeline = 0;
  std::uint32_t other = 0;
  std::optional<SegmentRun> run = {};
  std::string text;  // the whole thing in words, with names
};
// "history_unreadable", ...: for JSON.
std::string_view to_word(TimelineFinding::Kind kind);

class TimelineGraph {
 public:
  // `runs` by timeline and position. REQUIRES: is_segment_size(segment_bytes).
  TimelineGraph(const std::vector<HistoryFile>& histories, const std::vector<SegmentRun>& runs,
                std::uint32_t segment_bytes);

  std::uint32_t segment_bytes() const { return segment_bytes_; }
  // All that have segments, a history file, or a descendant that names them; rising.
  const std::map<std::uint32_t, Timeline>& timelines() const { return timelines_; }
  const Timeline* find(std::uint32_t number) const;
  const std::vector<TimelineFinding>& findings() const { return findings_; }
  // The highest number of all; 0 when there is none.
  std::uint32_t newest() const { return timelines_.empty() ? 0 : timelines_.rbegin()->first; }

  // What a recovery reads to get anywhere on `timeline`: its ancestors' segments as far as they are
  // theirs, then its own; the oldest first, the last one without an end. A timeline whose origin is
  // not known is its own only piece.
  static constexpr std::uint64_t kNoEnd = ~std::uint64_t{0};
  std::vector<SegmentRun> line(std::uint32_t timeline) const;
  // The same from the segment that holds `from` to the one that holds the byte before `to`; nothing
  // when from >= to.
  std::vector<SegmentRun> chain(std::uint32_t timeline, std::uint64_t from, std::uint64_t to) const;
  // The parts of `within` that the archive holds, and the parts of `wanted` that it does not.
  std::vector<SegmentRun> present(const SegmentRun& within) const;
  std::vector<SegmentRun> missing(const std::vector<SegmentRun>& wanted) const;

  // The LSN up to which the WAL of `ancestor` is that of `timeline`: kNoEnd for itself, nothing
  // when it is no ancestor.
  std::optional<std::uint64_t> shared_until(std::uint32_t ancestor, std::uint32_t timeline) const;
  // The first segment that is wholly beyond the last fork; nothing without children.
  std::optional<std::uint64_t> first_beyond_fork(std::uint32_t timeline) const;
  // Where recovery_target_timeline = 'latest' leads from `start`: PostgreSQL counts up as long as
  // there is a history file (findNewestTimeLine), whether that timeline descends from it or not.
  std::uint32_t latest_from(std::uint32_t start) const;

 private:
  // The forks that lead to a timeline, in somebody's history.
  struct Path {
    const TimelineHistory* history = nullptr;
    std::size_t forks = 0;
  };

  Timeline& timeline(std::uint32_t number);
  void read(const std::vector<HistoryFile>& files);
  void connect();
  void compare_histories();
  void check_history_files();
  void check_segments();
  std::optional<Path> path(std::uint32_t timeline) const;
  void find_fault(TimelineFinding finding) { findings_.push_back(std::move(finding)); }

  std::uint32_t segment_bytes_;
  std::map<std::uint32_t, Timeline> timelines_;
  std::map<std::uint32_t, TimelineHistory> histories_;  // the readable ones
  std::map<std::uint32_t, bool> files_;                 // by timeline: whether it was readable
  // Timelines without a readable history of their own: whose history knows how they came about.
  std::map<std::uint32_t, std::uint32_t> hearsay_;
  std::vector<TimelineFinding> findings_;
};

}  // namespace pgwalship
