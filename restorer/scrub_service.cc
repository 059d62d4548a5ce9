#include "restorer/scrub_service.h"

#include "base/words.h"

#include <algorithm>
#include <tuple>

namespace pgwalship {
namespace {

// Names of one listing that are remembered: a million would be 100 MB, and a listing is not free.
constexpr std::size_t kAheadMax = 4096;
// A position that is lost costs so much reading twice.
constexpr std::chrono::seconds kSaveInterval{60};

}  // namespace

ScrubService::ScrubService(Duration pass, Machine machine)
    : machine_(std::move(machine)),
      pace_(pass, machine_.clock.now()),
      book_(machine_.file_system, machine_.store.directory()),
      mark_(book_.read()) {}

TimePoint ScrubService::tick(TimePoint now) {
  if (now >= pace_.next()) {
    const auto load = machine_.busy() ? ScrubPace::Load::kBusy : ScrubPace::Load::kIdle;
    if (pace_.may_start(load, now)) {
      start();
    }
  }
  return pace_.next();
}

void ScrubService::start() {
  auto job = [this, position = mark_.position, ahead = std::move(ahead_),
              files = files_]() -> Worker::Completion {
    auto step = std::make_shared<Step>(read_next(position, ahead, files));
    return [this, step] { finish(std::move(*step)); };
  };
  ahead_.clear();
  if (!machine_.quiet.post(std::move(job))) {
    pace_.done(0, Duration::zero(), machine_.loop.now());
  }
}

ScrubService::Step ScrubService::read_next(std::optional<WalName> position,
                                           std::deque<WalName> ahead, std::uint64_t files) const {
  const TimePoint began = machine_.clock.now();
  Step step;
  step.ahead = std::move(ahead);
  step.files = files;
  if (step.ahead.empty()) {
    const Result<std::vector<WalName>> names = machine_.store.list();
    if (!names.ok()) {
      step.files = 0;
      step.verified = names.error();
      return step;
    }
    step.files = names.value().size();
    auto next = position ? std::upper_bound(names.value().begin(), names.value().end(), *position)
                         : names.value().begin();
    for (; next != names.value().end() && step.ahead.size() < kAheadMax; ++next) {
      step.ahead.push_back(*next);
    }
  }
  if (!step.ahead.empty()) {
    step.name = step.ahead.front();
    step.ahead.pop_front();
    const Result<FileFacts> facts = machine_.store.verify(*step.name);
    step.verified = facts.ok() ? Result<void>() : Result<void>(facts.error());
  }
  step.took = machine_.clock.now() - began;
  return step;
}

void ScrubService::finish(Step step) {
  ahead_ = std::move(step.ahead);
  files_ = step.files;
  if (step.name && !step.verified.ok() && step.verified.error().code == Errc::kCorrupt) {
    replace(*step.name, step.took);
    return;
  }
  const TimePoint now = machine_.loop.now();
  pace_.done(files_, step.took, now);
  if (!step.name) {
    if (step.verified.ok()) {
      end_pass();
    }
    return;
  }
  mark_.position = *step.name;
  if (step.verified.ok()) {
    ++mark_.read;
    unreadable_.ends();
  } else if (step.verified.error().code != Errc::kNotFound) {  // expired since it was listed
    // One line for a disk that fails, not one for each file on it.
    if (unreadable_.begins("unreadable")) {
      machine_.log.write(
          LogLevel::kWarning,
          "scrub: '" + step.name->text() + "' cannot be read: " + step.verified.error().message,
          {{"PGWALSHIP_SEGMENT", step.name->text()}});
    }
  }
  if (now >= save_at_) {
    save(now);
  }
}

// The log line is the fetch service's, which knows what became of the copy.
void ScrubService::replace(const WalName& name, Duration took) {
  machine_.fetches.repair(name, [this, name, took](const FetchEnded& ended) {
    mark_.position = name;
    ++mark_.read;
    ++mark_.bad;
    mark_.repaired += ended.verdict == FetchVerdict::kFound ? 1 : 0;
    pace_.done(files_, took, machine_.loop.now());
    save(machine_.loop.now());
  });
}

void ScrubService::end_pass() {
  if (mark_.read == 0) {
    mark_.position.reset();
    return;
  }
  machine_.log.info("scrub: read the whole archive, " + counted(mark_.read, "file") + "; bad: " +
                    std::to_string(mark_.bad) + ", replaced: " + std::to_string(mark_.repaired));
  ScrubMark fresh;
  fresh.last_pass = std::chrono::floor<std::chrono::seconds>(machine_.clock.wall());
  fresh.last_bad = mark_.bad;
  fresh.last_repaired = mark_.repaired;
  mark_ = fresh;
  save(machine_.loop.now());
}

void ScrubService::save(TimePoint now) {
  save_at_ = now + kSaveInterval;
  // It is only a bookmark.
  std::ignore = machine_.quiet.post([this, mark = mark_]() -> Worker::Completion {
    std::ignore = book_.write(mark);
    return [] {};
  });
}

}  // namespace pgwalship
