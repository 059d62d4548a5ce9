#include "archiver/conflict_watch.h"

#include "base/words.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <set>

namespace pgwalship {

namespace {

// A look lists one directory; a person who reads status does not wait for it.
constexpr std::chrono::seconds kLookInterval{5};
// Two primaries for hours make thousands, and the first ones tell the story.
constexpr std::size_t kComparedMax = 100;

}  // namespace

TimePoint ConflictWatch::tick(TimePoint now) {
  if (next_look_ <= now) {
    next_look_ = now + kLookInterval;
    look();
  }
  return next_look_;
}

// A failed look is no news: the archive's own state says so, and the next one is soon.
void ConflictWatch::look() {
  if (looking_) {
    return;
  }
  looking_ = machine_.worker.post([this]() -> Worker::Completion {
    const auto found = machine_.store.conflicts();
    return [this, found] {
      looking_ = false;
      if (found.ok()) {
        take(found.value());
      }
    };
  });
}

void ConflictWatch::take(const std::vector<ArchiveStore::Quarantined>& found) {
  std::set<std::string> files;
  for (const auto& each : found) {
    files.insert(each.file);
  }
  std::erase_if(verdicts_, [&](const auto& known) { return !files.contains(known.first); });
  to_compare_.clear();
  std::size_t beyond = 0;
  for (const auto& each : found) {
    if (verdicts_.contains(each.file)) {
      continue;
    }
    if (verdicts_.size() + to_compare_.size() < kComparedMax) {
      to_compare_.push_back(each);
    } else {
      ++beyond;
    }
  }
  if (beyond > uncompared_) {
    machine_.log.error(counted(beyond, "further conflict") +
                       "; `pgwalship conflicts` lists them all");
  }
  uncompared_ = beyond;
  compare_next();
}

void ConflictWatch::compare_next() {
  if (looking_ || to_compare_.empty()) {
    return;
  }
  const auto conflict =
      std::make_shared<const ArchiveStore::Quarantined>(std::move(to_compare_.front()));
  to_compare_.pop_front();
  looking_ = machine_.worker.post([this, conflict]() -> Worker::Completion {
    const Result<ConflictFacts> facts = machine_.store.compare(*conflict);
    return [this, conflict, facts] {
      looking_ = false;
      const std::string& name = conflict->name.text();
      if (facts.ok()) {
        const DifferenceWords words = describe(conflict->name, facts.value().difference,
                                               facts.value().kept, facts.value().refused);
        verdicts_[conflict->file] = words.verdict;
        machine_.log.error("conflict: " + name + ": " + words.verdict +
                           (words.cause.empty() ? "" : "; probably " + words.cause) +
                           "; `pgwalship conflicts show " + name + "` says what to do");
      } else {
        verdicts_[conflict->file] = "cannot be compared: " + facts.error().message;
        machine_.log.error("conflict: " + name + ": " + verdicts_[conflict->file]);
      }
      compare_next();
    };
  });
}

}  // namespace pgwalship
