// Whether what is pushed fits the timelines that the archive knows. Pure: it is told what history
// files say and what was stored, and answers with what to say about it, once. An alarm stands as
// long as a look at the archive still shows what it tells.
//
// Nothing is refused here. A primary that shuts down while its successor is up finishes its old
// timeline lawfully, and refusing a segment would make a server keep it, and all after it, until
// its disk is full; so what is odd is archived and told. What must be refused, other content under
// a name that is taken, is refused by the store.
#pragma once

#include "base/clock.h"
#include "wal/timeline_graph.h"

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace pgwalship {

class TimelineWatch {
 public:
  enum class Kind {
    kBeyondFork,   // a segment after the point where a known child left its timeline
    kBeforeFork,   // a segment before the one in which its timeline starts
    kWrongParent,  // a segment whose first page is of a timeline that it cannot come from
    kSplitBrain,   // two histories contradict each other
  };
  struct Segment {
    WalName name;
    std::uint32_t header_timeline;
    std::uint32_t bytes;
  };
  struct Alarm {
    Kind kind = Kind::kBeyondFork;
    std::uint32_t timeline = 0;
    std::uint64_t count = 1;  // of segments
    std::string text;         // of the first
    std::string hint;
    // For review().
    std::optional<Segment> last = {};          // of the segments
    std::optional<TimePoint> refused_at = {};  // of a refused history: when it was last
    bool was_in_quarantine = false;            // and whether a look has shown it there
  };

  bool knows(std::uint32_t timeline) const { return histories_.contains(timeline); }
  // The first number above `timeline` whose history file it has not been told of.
  std::uint32_t first_unknown_above(std::uint32_t timeline) const;
  // What cannot be parsed counts as known: `pgwalship timeline` complains about it.
  void learn(std::uint32_t timeline, const std::string& text);

  // A segment that was stored, and the timeline of its first page. The alarm to log: the first one
  // of its kind on its timeline. REQUIRES: name.is_wal(), is_segment_size(segment_bytes).
  std::optional<Alarm> stored(const WalName& name, std::uint32_t header_timeline,
                              std::uint32_t segment_bytes);
  // The history of `timeline` was stored; REQUIRES: learn() was called for it.
  std::optional<Alarm> stored_history(std::uint32_t timeline);
  // A history was refused because another one has its name (H8). Texts as they are in the files.
  struct Rival {
    std::string text;
    std::string origin;         // the node that pushed it; may be empty
    bool is_undecided = false;  // of the refused one: it is in quarantine, for an operator
  };
  std::optional<Alarm> refused_history(std::uint32_t timeline, const Rival& present,
                                       const Rival& refused, TimePoint now);

  // The archive as it is now.
  struct Look {
    // What is in known(); nothing: it is not there any more. What is left out is as it was.
    std::map<std::uint32_t, std::optional<std::string>> histories;
    std::set<std::uint32_t> undecided;  // timelines of whose history quarantine holds another one
    std::set<std::string> missing;      // of the alarms' last segments
  };
  std::vector<std::uint32_t> known() const;
  // Drops what is no longer true; returns it, to be logged.
  std::vector<Alarm> review(const Look& look, TimePoint now);
  // PostgreSQL tries once a minute. What is not in quarantine as undecided, because it was decided
  // about before, stands for so long after the last try.
  static constexpr std::chrono::minutes kRefusedLasts{5};

  // All that stand, the latest last; at most kAlarmsMax.
  static constexpr std::size_t kAlarmsMax = 64;
  const std::deque<Alarm>& alarms() const { return alarms_; }

 private:
  std::optional<Alarm> raise(Alarm alarm);
  std::optional<Alarm> judge(const Segment& segment) const;
  std::optional<Alarm> judge_history(std::uint32_t timeline) const;
  bool stands(Alarm& alarm, const Look& look, TimePoint now) const;
  // The timeline that wrote byte `lsn` of the line of `history`.
  static std::uint32_t owner(const TimelineHistory& history, std::uint64_t lsn);

  std::map<std::uint32_t, std::optional<TimelineHistory>> histories_;
  std::deque<Alarm> alarms_;
};

// "beyond_fork", ...: for JSON.
std::string_view to_word(TimelineWatch::Kind kind);

}  // namespace pgwalship
