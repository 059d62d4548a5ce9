// What the daemon does of itself: it fetches ahead of a recovery, and reads its archive again.
#include "tests/sim/daemon.h"

#include <algorithm>

namespace pgwalship::sim {

void Daemon::restored(const WalName& name, std::uint32_t segment_bytes) {
  fetch_ahead(prefetch_.restored(name, segment_bytes, process_.schedule().now()));
}

void Daemon::fetch_ahead(const std::vector<WalName>& names) {
  for (const WalName& name : names) {
    fetch(name, Duration::zero(), [this, name](const FetchEnded& ended) {
      const auto outcome = ended.verdict == FetchVerdict::kFound    ? Prefetch::Outcome::kHere
                           : ended.verdict == FetchVerdict::kAbsent ? Prefetch::Outcome::kAbsent
                                                                    : Prefetch::Outcome::kFailed;
      fetch_ahead(prefetch_.ended(name, outcome, process_.schedule().now()));
    });
  }
}

void Daemon::scrub_later() {
  const TimePoint now = process_.schedule().now();
  if (scrub_pace_.next() == kNever) {
    return;
  }
  process_.after(std::max(scrub_pace_.next() - now, Duration::zero()), [this] {
    if (scrub_pace_.may_start(ScrubPace::Load::kIdle, process_.schedule().now())) {
      scrub();
    }
  });
}

void Daemon::scrub() {
  scan_jobs_.post([this]() -> JobQueue::Completion {
    const auto names = store_.list();
    std::optional<WalName> name;
    Result<FileFacts> facts = FileFacts{};
    if (names.ok()) {
      const auto& all = names.value();
      const auto next =
          scrubbed_ ? std::upper_bound(all.begin(), all.end(), *scrubbed_) : all.begin();
      if (next != all.end()) {
        name = *next;
        facts = store_.verify(*name);
      }
    }
    const std::size_t files = names.ok() ? names.value().size() : 0;
    return [this, name, facts, files] {
      scrubbed_ = name;
      const auto go_on = [this, files] {
        scrub_pace_.done(files, Duration::zero(), process_.schedule().now());
        scrub_later();
      };
      if (name && !facts.ok() && facts.error().code == Errc::kCorrupt) {
        options_.say("scrub: " + name->text() + " is bad");
        fetch(*name, Duration::zero(), [go_on](const FetchEnded&) { go_on(); });
      } else {
        go_on();
      }
    };
  });
}

}  // namespace pgwalship::sim
