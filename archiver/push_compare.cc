// How PushService compares the archive here with a peer's: rounds of CompareRanges.
#include "archiver/push_service.h"

#include <algorithm>

namespace pgwalship {

void PushService::act(const Compare& action) {
  const NodeId peer = action.peer;
  comparisons_[peer] = nullptr;
  const bool posted = machine_.scans.post([this, peer]() -> Worker::Completion {
    // Before the archive is looked at: what it held before it was complete must not complete
    // another.
    const bool reconciled = machine_.store.reconciled();
    const Result<SegmentPosition> floor = machine_.store.floor();
    const Result<SegmentPosition> evidence_from = machine_.store.evidence_from();
    const Result<ArchiveStore::Vanished> vanished = machine_.store.vanished();
    return [this, peer, reconciled, floor, evidence_from, vanished] {
      const auto current = comparisons_.find(peer);
      if (current == comparisons_.end()) {
        return;
      }
      const auto comparison = std::make_shared<Comparison>(floor.ok() ? floor.value() : 0);
      comparison->self_reconciled = reconciled;
      current->second = comparison;
      if (!floor.ok() || !evidence_from.ok() || !vanished.ok()) {
        finish(peer, comparison,
               !floor.ok()           ? floor.error()
               : !evidence_from.ok() ? evidence_from.error()
                                     : vanished.error());
        return;
      }
      comparison->self_vanished = vanished.value().mark;
      comparison->evidence_from = evidence_from.value();
      machine_.index.refresh([this, peer, comparison](const Result<void>& outcome) {
        if (outcome.ok()) {
          ask(peer, comparison);
        } else {
          finish(peer, comparison, outcome.error());
        }
      });
    };
  });
  if (!posted) {
    finish(peer, nullptr,
           Error{Errc::kRetry, "compare: the disk is too slow, its queue is full", {}});
  }
}

void PushService::ask(NodeId peer, const ComparisonRef& comparison) {
  const auto current = comparisons_.find(peer);
  if (current == comparisons_.end() || current->second != comparison ||
      !machine_.links.is_up(peer)) {
    return;  // the Shipper has heard of it by PeerLost
  }
  std::optional<CompareQuery> query = comparison->archives.next(machine_.index.index());
  if (!query) {
    finish(peer, comparison, std::move(comparison->archives).result());
    return;
  }
  machine_.links.request(
      peer,
      [&](std::uint64_t id) -> Message {
        return CompareRanges{id, std::move(*query)};
      },
      [this, peer, comparison](const Message& answer) { take(peer, comparison, answer); });
}

void PushService::take(NodeId peer, const ComparisonRef& comparison, const Message& answer) {
  if (const auto* done = std::get_if<Done>(&answer); done != nullptr && done->error) {
    finish(peer, comparison, *done->error);
    return;
  }
  const auto* result = std::get_if<CompareResult>(&answer);
  if (result == nullptr) {
    return;
  }
  comparison->peer_reconciled = result->reconciled;
  comparison->peer_vanished = comparison->peer_vanished.value_or(result->vanished_mark);
  comparison->evidence_from = std::max(comparison->evidence_from, result->evidence_from);
  const Result<void> taken = comparison->archives.take(machine_.index.index(), result->answer);
  if (taken.ok()) {
    ask(peer, comparison);
  } else {
    finish(peer, comparison, taken.error());
  }
}

void PushService::finish(NodeId peer, const ComparisonRef& comparison,
                         Result<Differences> differences) {
  const auto current = comparisons_.find(peer);
  if (current == comparisons_.end() || current->second != comparison) {
    return;
  }
  comparisons_.erase(current);
  feed(Compared{peer, comparison && comparison->self_reconciled, std::move(differences),
                comparison ? comparison->peer_reconciled : std::nullopt,
                comparison ? comparison->evidence_from : 0,
                comparison ? comparison->self_vanished : 0,
                comparison ? comparison->peer_vanished.value_or(0) : 0});
}

}  // namespace pgwalship
