// What the daemon does for retention: the real ExpireBatch, and peers that are asked as the daemon
// asks them.
#include "tests/sim/daemon.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace pgwalship::sim {
namespace {

// Who has not answered by then is silent.
constexpr seconds kAnswerTime{3};

}  // namespace

struct Daemon::Expiry {
  SegmentPosition floor = 0;
  ExpiryHandler on_decided;
  std::function<void()> on_over;
  std::unique_ptr<ExpireBatch> batch;
};

void Daemon::expire(SegmentPosition floor, ExpiryHandler on_decided,
                    std::function<void()> on_over) {
  const auto expiry =
      std::make_shared<Expiry>(Expiry{floor, std::move(on_decided), std::move(on_over), nullptr});
  scan_jobs_.post([this, expiry]() -> JobQueue::Completion {
    std::vector<ExpireBatch::Candidate> candidates;
    const auto names = store_.list();
    for (const WalName& name : names.ok() ? names.value() : std::vector<WalName>()) {
      if (name.kind() != WalKind::kHistory && name.is_below(expiry->floor)) {
        const Result<ArchiveFile> file = store_.open(name);
        const bool known = file.ok() && file.value().facts;
        candidates.push_back(
            {name, known ? std::optional(file.value().facts->sha256) : std::nullopt});
      }
    }
    std::ranges::sort(candidates, {}, [](const auto& one) { return one.name.position(); });
    return [this, expiry, candidates = std::move(candidates)]() mutable {
      expiry->batch =
          std::make_unique<ExpireBatch>(options_.nodes, options_.quorum, std::move(candidates));
      ask_about(expiry);
    };
  });
}

void Daemon::ask_about(const ExpiryRef& expiry) {
  const Look look = mutated(Mutation::kHeadersAreCopies) ? Look::kHeader : Look::kContent;
  for (const auto& [peer, link] : links_) {
    for (std::size_t index = 0; link->is_up() && index < expiry->batch->size(); ++index) {
      link->request(
          [&](std::uint64_t id) -> Message {
            return Stat{id, expiry->batch->name(index), look};
          },
          [expiry, peer = peer, index](const Message& answer) {
            if (!expiry->batch) {
              return;
            }
            if (const auto* stat = std::get_if<StatResult>(&answer)) {
              expiry->batch->answer(peer, index, *stat);
            } else if (const auto* done = std::get_if<Done>(&answer); done && done->error) {
              expiry->batch->answer(peer, index, *done->error);
            }
          });
    }
  }
  process_.after(kAnswerTime, [this, expiry] { let_go(expiry); });
}

void Daemon::let_go(const ExpiryRef& expiry) {
  const ExpireBatch::Verdict verdict = expiry->batch->judge();
  if (!verdict.why.empty()) {
    expiry->floor = expiry->batch->name(verdict.go.size()).position();
  }
  expiry->batch.reset();
  if (verdict.go.empty()) {
    expiry->on_over();
    return;
  }
  expiry->on_decided(expiry->floor, verdict.go);
  disk_jobs_.post([this, expiry, names = verdict.go]() -> JobQueue::Completion {
    if (store_.raise_floor(expiry->floor).ok()) {
      std::ignore = store_.remove_expired(names);
    }
    return [expiry] { expiry->on_over(); };
  });
}

}  // namespace pgwalship::sim
