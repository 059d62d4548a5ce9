#include "archiver/timeline_service.h"

#include "wal/archive_survey.h"

#include <set>
#include <tuple>
#include <utility>

namespace pgwalship {
namespace {

// Segments that wait for an answer while the disk is slow: past that the newest go unasked, and
// `pgwalship timeline` still shows them.
constexpr std::size_t kQuestionsMax = 256;
// History files read at a time. Numbers above are met by the next push.
constexpr std::size_t kHistoriesReadMax = 64;
constexpr std::chrono::seconds kReviewInterval{5};

struct Rivals {
  TimelineWatch::Rival present;
  TimelineWatch::Rival refused;
};

// Of a history file that is staged or stored; what cannot be read stays empty.
TimelineWatch::Rival read_rival(const File& file, const WalName& name) {
  TimelineWatch::Rival rival;
  const auto facts = read_archive_file(file, name, [&rival](ByteView raw) -> Result<void> {
    if (rival.text.size() + raw.size() > kTimelineHistoryBytesMax) {
      return Error{Errc::kCorrupt, "too long", ""};
    }
    rival.text += as_text(raw);
    return {};
  });
  rival.origin = facts.ok() ? facts.value().origin : "";
  return rival;
}

// Timelines of whose history quarantine holds another content that nobody decided about.
Result<std::set<std::uint32_t>> undecided_histories(const ArchiveStore& store) {
  TRY_ASSIGN(const auto conflicts, store.conflicts());
  std::set<std::uint32_t> timelines;
  for (const auto& each : conflicts) {
    if (each.name.kind() == WalKind::kHistory) {
      timelines.insert(each.name.timeline());
    }
  }
  return timelines;
}

}  // namespace

void TimelineService::stored(const Put& put) {
  if (put.name.kind() == WalKind::kBackup || questions_.size() >= kQuestionsMax ||
      (put.name.is_wal() && !is_segment_size(put.facts.segment_bytes))) {
    return;
  }
  questions_.push_back({put.name, put.facts.timeline, put.facts.segment_bytes});
  if (asked_.empty()) {
    ask();
  }
}

// One job at a time, for all that was stored since the last one. It reads the histories of these
// timelines, of the ancestors that a new history names, and of the numbers above until one is
// missing: as a rule, one file that is not there.
void TimelineService::ask() {
  auto wanted = std::make_shared<std::set<std::uint32_t>>();
  auto upward = std::make_shared<std::set<std::uint32_t>>();
  asked_ = std::exchange(questions_, {});
  for (const Question& question : asked_) {
    const std::uint32_t timeline = question.name.timeline();
    if (timeline > 1 && !watch_.knows(timeline)) {
      wanted->insert(timeline);
    }
    upward->insert(watch_.first_unknown_above(timeline));
  }
  const bool posted = scans_.post([this, wanted, upward]() -> Worker::Completion {
    auto read = std::make_shared<Histories>();
    const auto take = [this, &read](std::uint32_t timeline) {
      if (read->size() >= kHistoriesReadMax || read->contains(timeline)) {
        return false;
      }
      auto text = read_small_file(store_, WalName::history_of(timeline), kTimelineHistoryBytesMax);
      if (!text.ok()) {
        return false;
      }
      read->emplace(timeline, std::move(text).value());
      return true;
    };
    for (const std::uint32_t timeline : *wanted) {
      if (!take(timeline)) {
        continue;
      }
      const auto history = parse_timeline_history(timeline, read->at(timeline));
      const auto& forks = history.ok() ? history.value().forks : std::vector<TimelineFork>();
      for (auto fork = forks.rbegin(); fork != forks.rend() && fork->parent > 1; ++fork) {
        take(fork->parent);
      }
    }
    for (std::uint32_t timeline : *upward) {
      while (take(timeline)) {
        ++timeline;
      }
    }
    return [this, read] { judge(*read); };
  });
  if (!posted) {
    asked_.clear();  // the disk is too slow for this
  }
}

void TimelineService::judge(const Histories& read) {
  for (const auto& [timeline, text] : read) {
    watch_.learn(timeline, text);
  }
  for (const Question& question : std::exchange(asked_, {})) {
    const std::uint32_t timeline = question.name.timeline();
    if (question.name.is_wal()) {
      report(watch_.stored(question.name, question.header_timeline, question.segment_bytes));
    } else if (watch_.knows(timeline)) {
      report(watch_.stored_history(timeline));
    }
  }
  if (!questions_.empty()) {
    ask();
  }
}

void TimelineService::refused(const Put& put, std::unique_ptr<File> staged) {
  if (put.name.kind() != WalKind::kHistory || !staged) {
    return;
  }
  auto refused = std::make_shared<std::unique_ptr<File>>(std::move(staged));
  std::ignore = scans_.post([this, refused, name = put.name]() -> Worker::Completion {
    auto rivals = std::make_shared<Rivals>();
    rivals->refused = read_rival(**refused, name);
    const auto undecided = undecided_histories(store_);
    rivals->refused.is_undecided = undecided.ok() && undecided.value().contains(name.timeline());
    if (const auto present = store_.open(name); present.ok()) {
      rivals->present = read_rival(*present.value().file, name);
    }
    return [this, rivals, timeline = name.timeline()] {
      report(watch_.refused_history(timeline, rivals->present, rivals->refused, now_));
    };
  });  // when the disk is too slow, the conflict itself is in the log
}

TimePoint TimelineService::tick(TimePoint now) {
  now_ = now;
  if (watch_.alarms().empty()) {
    return kNever;
  }
  if (next_review_ <= now) {
    next_review_ = now + kReviewInterval;
    review();
  }
  return next_review_;
}

// In one job with the quarantine: what was refused after it was looked at comes after it here, too.
void TimelineService::review() {
  if (reviewing_) {
    return;
  }
  std::vector<std::uint32_t> known = watch_.known();
  if (known.size() > kHistoriesReadMax) {
    known.erase(known.begin(), known.end() - kHistoriesReadMax);
  }
  std::vector<WalName> segments;
  for (const TimelineWatch::Alarm& alarm : watch_.alarms()) {
    if (alarm.last) {
      segments.push_back(alarm.last->name);
    }
  }
  reviewing_ = scans_.post([this, known, segments]() -> Worker::Completion {
    const auto undecided = undecided_histories(store_);
    auto look = std::make_shared<TimelineWatch::Look>();
    for (const std::uint32_t timeline : known) {
      auto text = read_small_file(store_, WalName::history_of(timeline), kTimelineHistoryBytesMax);
      if (text.ok()) {
        look->histories[timeline] = std::move(text).value();
      } else if (text.error().code == Errc::kNotFound) {
        look->histories[timeline] = std::nullopt;
      }
    }
    for (const WalName& name : segments) {
      const auto present = store_.open(name);
      if (!present.ok() && present.error().code == Errc::kNotFound) {
        look->missing.insert(name.text());
      }
    }
    if (undecided.ok()) {
      look->undecided = undecided.value();
    }
    return [this, look, is_known = undecided.ok()] {
      reviewing_ = false;
      if (!is_known) {
        return;  // the next look is soon
      }
      for (const TimelineWatch::Alarm& alarm : watch_.review(*look, now_)) {
        log_.info("no longer so: " + alarm.text);
      }
    };
  });
}

void TimelineService::report(const std::optional<TimelineWatch::Alarm>& alarm) {
  if (!alarm) {
    return;
  }
  const std::string line = alarm->text + "\nHINT: " + alarm->hint;
  if (alarm->kind == TimelineWatch::Kind::kBeyondFork) {
    log_.warning(line);
  } else {
    log_.error(line);
  }
}

}  // namespace pgwalship
