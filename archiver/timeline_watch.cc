#include "archiver/timeline_watch.h"

#include <algorithm>

namespace pgwalship {
namespace {

constexpr const char* kTwoServers =
    "two servers archive into this cluster: `pgwalship timeline` shows both lines, find the server "
    "that should not run";
constexpr const char* kSplitBrain =
    "two servers were promoted to the same timeline, or one twice (restart_on_promote of the pgsql "
    "resource agent): fence one, rebuild it from the other; `pgwalship timeline` shows the lines";

std::string timeline_words(std::uint32_t timeline) {
  return "timeline " + std::to_string(timeline);
}

std::string rival_words(std::uint32_t timeline, const TimelineWatch::Rival& rival) {
  const auto history = parse_timeline_history(timeline, rival.text);
  return (history.ok() ? "came from " + history_text(history.value()) : history.error().message) +
         (rival.origin.empty() ? "" : " (pushed by " + rival.origin + ")");
}

}  // namespace

std::string_view to_word(TimelineWatch::Kind kind) {
  switch (kind) {
    case TimelineWatch::Kind::kBeyondFork:
      return "beyond_fork";
    case TimelineWatch::Kind::kBeforeFork:
      return "before_fork";
    case TimelineWatch::Kind::kWrongParent:
      return "wrong_parent";
    case TimelineWatch::Kind::kSplitBrain:
      return "split_brain";
  }
  return "unknown";
}

std::uint32_t TimelineWatch::first_unknown_above(std::uint32_t timeline) const {
  std::uint32_t number = timeline + 1;
  while (histories_.contains(number)) {
    ++number;
  }
  return number;
}

void TimelineWatch::learn(std::uint32_t timeline, const std::string& text) {
  Result<TimelineHistory> history = parse_timeline_history(timeline, text);
  histories_.emplace(timeline,
                     history.ok() ? std::optional(std::move(history).value()) : std::nullopt);
}

std::uint32_t TimelineWatch::owner(const TimelineHistory& history, std::uint64_t lsn) {
  const auto fork = std::find_if(history.forks.begin(), history.forks.end(),
                                 [lsn](const TimelineFork& f) { return f.lsn > lsn; });
  return fork == history.forks.end() ? history.timeline : fork->parent;
}

std::optional<TimelineWatch::Alarm> TimelineWatch::stored(const WalName& name,
                                                          std::uint32_t header_timeline,
                                                          std::uint32_t segment_bytes) {
  const Segment segment{name, header_timeline, segment_bytes};
  std::optional<Alarm> alarm = judge(segment);
  if (!alarm) {
    return std::nullopt;
  }
  alarm->last = segment;
  return raise(std::move(*alarm));
}

std::optional<TimelineWatch::Alarm> TimelineWatch::judge(const Segment& segment) const {
  const auto& [name, header_timeline, segment_bytes] = segment;
  const std::uint32_t timeline = name.timeline();
  const std::uint64_t start = name.start_lsn(segment_bytes);
  const auto own = histories_.find(timeline);
  if (own != histories_.end() && own->second) {
    const TimelineFork& origin = own->second->origin();
    if (start + segment_bytes <= origin.lsn) {
      return Alarm{Kind::kBeforeFork, timeline, 1,
                   name.text() + " lies before the fork: " + timeline_words(timeline) + " left " +
                       timeline_words(origin.parent) + " only at " + lsn_text(origin.lsn),
                   kSplitBrain};
    }
    if (const std::uint32_t expected = owner(*own->second, start); header_timeline != expected) {
      return Alarm{Kind::kWrongParent, timeline, 1,
                   name.text() + " was begun on " + timeline_words(header_timeline) + ", but by " +
                       WalName::history_of(timeline).text() + " that part is " +
                       timeline_words(expected) + "'s",
                   kSplitBrain};
    }
  }
  // Of several children the one that left last: what is before its fork is its own line's.
  const TimelineHistory* last_child = nullptr;
  for (auto child = histories_.upper_bound(timeline); child != histories_.end(); ++child) {
    if (child->second && child->second->origin().parent == timeline &&
        (last_child == nullptr || child->second->origin().lsn >= last_child->origin().lsn)) {
      last_child = &*child->second;
    }
  }
  // A segment that starts at the fork is that of a server that went down after a switch. A
  // promotion leaves it as .partial, and after failovers and pg_rewind a checkpoint has it archived
  // whole.
  if (last_child == nullptr || start <= last_child->origin().lsn) {
    return std::nullopt;
  }
  return Alarm{Kind::kBeyondFork, timeline, 1,
               name.text() + " lies beyond the fork: " + timeline_words(last_child->timeline) +
                   " left " + timeline_words(timeline) + " at " +
                   lsn_text(last_child->origin().lsn) + ", and no recovery to it reads this",
               kTwoServers};
}

std::optional<TimelineWatch::Alarm> TimelineWatch::stored_history(std::uint32_t timeline) {
  std::optional<Alarm> alarm = judge_history(timeline);
  return alarm ? raise(std::move(*alarm)) : std::nullopt;
}

std::optional<TimelineWatch::Alarm> TimelineWatch::judge_history(std::uint32_t timeline) const {
  const auto found = histories_.find(timeline);
  if (found == histories_.end() || !found->second) {
    return std::nullopt;
  }
  const std::optional<TimelineHistory>& history = found->second;
  for (std::size_t i = history->forks.size(); i-- > 0;) {
    const auto ancestor = histories_.find(history->forks[i].parent);
    if (ancestor == histories_.end() || !ancestor->second) {
      continue;
    }
    const TimelineHistory said{
        ancestor->first,
        {history->forks.begin(), history->forks.begin() + static_cast<std::ptrdiff_t>(i)}};
    if (said.forks != ancestor->second->forks) {
      return Alarm{Kind::kSplitBrain, timeline, 0,
                   "split brain: " + WalName::history_of(timeline).text() + " says that " +
                       timeline_words(ancestor->first) + " came from " +
                       (said.forks.empty() ? "nowhere" : history_text(said)) + ", but " +
                       WalName::history_of(ancestor->first).text() + " says " +
                       history_text(*ancestor->second),
                   kSplitBrain};
    }
    break;  // whoever wrote that one was compared with its ancestors then
  }
  return std::nullopt;
}

std::optional<TimelineWatch::Alarm> TimelineWatch::refused_history(std::uint32_t timeline,
                                                                   const Rival& present,
                                                                   const Rival& refused,
                                                                   TimePoint now) {
  Alarm alarm{Kind::kSplitBrain, timeline, 0,
              "split brain: there are two timelines " + std::to_string(timeline) +
                  ": the archive's " + rival_words(timeline, present) + ", the refused one " +
                  rival_words(timeline, refused),
              kSplitBrain};
  alarm.refused_at = now;
  alarm.was_in_quarantine = refused.is_undecided;
  return raise(std::move(alarm));
}

std::vector<std::uint32_t> TimelineWatch::known() const {
  std::vector<std::uint32_t> timelines;
  for (const auto& [timeline, history] : histories_) {
    timelines.push_back(timeline);
  }
  return timelines;
}

bool TimelineWatch::stands(Alarm& alarm, const Look& look, TimePoint now) const {
  if (alarm.last) {
    const std::optional<Alarm> again = judge(*alarm.last);
    return again && again->kind == alarm.kind && !look.missing.contains(alarm.last->name.text());
  }
  if (!alarm.refused_at) {
    const std::optional<Alarm> again = judge_history(alarm.timeline);
    return again && again->text == alarm.text;
  }
  if (look.undecided.contains(alarm.timeline)) {
    alarm.was_in_quarantine = true;
    return true;
  }
  return !alarm.was_in_quarantine && now - *alarm.refused_at < kRefusedLasts;
}

std::vector<TimelineWatch::Alarm> TimelineWatch::review(const Look& look, TimePoint now) {
  for (const auto& [timeline, text] : look.histories) {
    histories_.erase(timeline);
    if (text) {
      learn(timeline, *text);
    }
  }
  std::vector<Alarm> over;
  std::erase_if(alarms_, [&](Alarm& alarm) {
    const bool is_over = !stands(alarm, look, now);
    if (is_over) {
      over.push_back(alarm);
    }
    return is_over;
  });
  return over;
}

std::optional<TimelineWatch::Alarm> TimelineWatch::raise(Alarm alarm) {
  // Split brains differ by their text; of segments the first one stands for all.
  const auto known = std::find_if(alarms_.begin(), alarms_.end(), [&alarm](const Alarm& old) {
    return old.kind == alarm.kind && old.timeline == alarm.timeline &&
           (alarm.kind != Kind::kSplitBrain || old.text == alarm.text);
  });
  if (known != alarms_.end()) {
    known->count += alarm.count;
    known->last = alarm.last;
    known->refused_at = alarm.refused_at;
    known->was_in_quarantine = alarm.was_in_quarantine;
    return std::nullopt;
  }
  if (alarms_.size() == kAlarmsMax) {
    alarms_.pop_front();
  }
  alarms_.push_back(alarm);
  return alarm;
}

}  // namespace pgwalship
