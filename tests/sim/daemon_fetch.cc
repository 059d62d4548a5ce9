// What the daemon does for its FetchPlans.
#include "tests/sim/daemon.h"

#include <tuple>
#include <utility>

namespace pgwalship::sim {

void Daemon::fetch(const WalName& name, Duration wait, FetchHandler on_ended) {
  const std::uint64_t id = next_id_++;
  fetches_.emplace(id, Fetching{name, nullptr, std::move(on_ended), {}, false});
  const std::uint64_t vanishings = index_.vanishings();
  scan_jobs_.post([this, id, name, wait, vanishings]() -> JobQueue::Completion {
    const bool self_evidence = options_.nodes.size() < 2 || store_.reconciled();
    const auto facts = store_.verify(name);
    const auto absence = store_.absence(name);
    const bool readable = absence.ok() && !facts.ok() && facts.error().code == Errc::kNotFound;
    return [this, id, name, wait, facts, self_evidence, readable, absence, vanishings] {
      if (facts.ok()) {
        act(id, FetchEnded{FetchVerdict::kFound, "", ""});
      } else if (mutated(Mutation::kLocalOnlyFetch)) {
        act(id, FetchEnded{FetchVerdict::kAbsent, "", ""});
      } else {
        fetches_.at(id).bad_here = facts.error().code == Errc::kCorrupt;
        using Absence = ArchiveStore::Absence;
        const bool vanished =
            readable && (absence.value() == Absence::kVanished || index_.in_doubt(name) ||
                         index_.vanishings() != vanishings);
        const bool expired = readable && absence.value() == Absence::kExpired;
        start_plan(
            id, wait,
            !readable                                             ? FetchPlan::LocalCopy::kCorrupt
            : expired && !mutated(Mutation::kExpiredIsEvidence)   ? FetchPlan::LocalCopy::kExpired
            : vanished && !mutated(Mutation::kVanishedIsEvidence) ? FetchPlan::LocalCopy::kVanished
                                                                  : FetchPlan::LocalCopy::kAbsent,
            self_evidence || mutated(Mutation::kNewNodesAreEvidence));
      }
    };
  });
}

void Daemon::start_plan(std::uint64_t id, Duration wait, FetchPlan::LocalCopy local,
                        bool self_evidence) {
  Fetching& fetching = fetches_.at(id);
  fetching.plan = std::make_unique<FetchPlan>(
      FetchPlan::Options{&options_.nodes, &options_.quorum, options_.on_quorum_loss, local,
                         self_evidence, wait},
      process_.schedule().now());
  for (const auto& [peer, link] : links_) {
    if (link->is_up()) {
      arrive(id, peer, link->theirs());
    } else if (mutated(Mutation::kSilenceIsEvidence)) {
      feed_fetch(id, PeerArrived{peer, true});
      feed_fetch(id, StatAnswered{peer, Presence::kAbsent});
    }
  }
  feed_fetch(id, FetchTick{});
  arm();
}

void Daemon::arrive(std::uint64_t id, NodeId peer, const Hello& theirs) {
  const auto found = fetches_.find(id);
  if (found != fetches_.end() && found->second.plan) {
    feed_fetch(id, PeerArrived{peer, theirs.reconciled || mutated(Mutation::kNewNodesAreEvidence)});
  }
}

void Daemon::feed_fetches(const std::function<FetchEvent()>& make) {
  std::vector<std::uint64_t> ids;
  for (const auto& [id, fetching] : fetches_) {
    if (fetching.plan) {
      ids.push_back(id);
    }
  }
  for (const std::uint64_t id : ids) {
    feed_fetch(id, make());
  }
}

void Daemon::feed_fetch(std::uint64_t id, const FetchEvent& event) {
  const auto found = fetches_.find(id);
  if (found == fetches_.end() || !found->second.plan) {
    return;
  }
  const auto actions = found->second.plan->step(event, process_.schedule().now());
  for (const FetchAction& action : actions) {
    std::visit([this, id](const auto& a) { act(id, a); }, action);
  }
  arm();
}

void Daemon::act(std::uint64_t id, const AskPeer& action) {
  const NodeId peer = action.peer;
  const WalName name = fetches_.at(id).name;
  Link& link = *links_.at(peer);
  if (!link.is_up()) {
    return;
  }
  link.request(
      [&](std::uint64_t request) -> Message {
        return Stat{request, name};
      },
      [this, id, peer](const Message& answer) {
        if (const auto* result = std::get_if<StatResult>(&answer)) {
          const bool taken_for_evidence =
              (result->presence == Presence::kExpired && mutated(Mutation::kExpiredIsEvidence)) ||
              (result->presence == Presence::kVanished && mutated(Mutation::kVanishedIsEvidence));
          feed_fetch(id,
                     StatAnswered{peer, taken_for_evidence ? Presence::kAbsent : result->presence,
                                  result->reconciled || mutated(Mutation::kNewNodesAreEvidence)});
        } else if (const auto* done = std::get_if<Done>(&answer); done != nullptr && done->error) {
          feed_fetch(id, StatAnswered{peer, *done->error});
        }
      });
}

void Daemon::act(std::uint64_t id, const PullFrom& action) {
  const NodeId peer = action.peer;
  const WalName name = fetches_.at(id).name;
  auto on_end = [this, id, peer](const Result<PutOutcome>& result, PullFault) {
    if (const auto found = fetches_.find(id); found != fetches_.end()) {
      found->second.pulls.erase(peer);
      feed_fetch(id, PullAnswered{peer, result.ok() ? Result<void>() : result.error()});
    }
  };
  fetches_.at(id).pulls[peer] =
      start_pull(peer, name, ArchiveStore::Content::kVerify, std::move(on_end));
}

void Daemon::act(std::uint64_t id, const FetchEnded& action) {
  const auto found = fetches_.find(id);
  CHECK(found != fetches_.end());
  if (found->second.bad_here && action.verdict != FetchVerdict::kFound &&
      !mutated(Mutation::kBadCopiesStay)) {
    scan_jobs_.post([this, name = found->second.name]() -> JobQueue::Completion {
      std::ignore = store_.quarantine_corrupt(name);
      return [] {};
    });
  }
  const bool repaired = found->second.bad_here && action.verdict == FetchVerdict::kFound;
  const FetchHandler on_ended = std::move(found->second.on_ended);
  fetches_.erase(found);
  on_ended(action);
  if (repaired && shipper_) {
    process_.after(Duration::zero(), [this] { feed(ArchiveGrew{}); });
  }
}

}  // namespace pgwalship::sim
