// What the daemon does for its FetchPlans.
#include "tests/sim/daemon.h"

#include <utility>

namespace pgwalship::sim {

void Daemon::fetch(const WalName& name, Duration wait, FetchHandler on_ended) {
  const std::uint64_t id = next_id_++;
  fetches_.emplace(id, Fetching{name, nullptr, std::move(on_ended), {}});
  scan_jobs_.post([this, id, name, wait]() -> JobQueue::Completion {
    const bool self_evidence = options_.nodes.size() < 2 || store_.reconciled();
    const auto facts = store_.verify(name);
    return [this, id, wait, facts, self_evidence] {
      if (facts.ok()) {
        act(id, FetchEnded{FetchVerdict::kFound, "", ""});
      } else if (mutated(Mutation::kLocalOnlyFetch)) {
        act(id, FetchEnded{FetchVerdict::kAbsent, "", ""});
      } else {
        start_plan(id, wait,
                   facts.error().code == Errc::kNotFound ? FetchPlan::LocalCopy::kAbsent
                                                         : FetchPlan::LocalCopy::kCorrupt,
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
          feed_fetch(id,
                     StatAnswered{peer, result->presence,
                                  result->reconciled || mutated(Mutation::kNewNodesAreEvidence)});
        } else if (const auto* done = std::get_if<Done>(&answer); done != nullptr && done->error) {
          feed_fetch(id, StatAnswered{peer, *done->error});
        }
      });
}

void Daemon::act(std::uint64_t id, const PullFrom& action) {
  Fetching& fetching = fetches_.at(id);
  const WalName name = fetching.name;
  const auto pull = std::make_shared<Pull>();
  pull->peer = action.peer;
  fetching.pulls[action.peer] = pull;
  disk_jobs_.post([this, id, pull, name]() -> JobQueue::Completion {
    auto staged = store_.stage(name);
    if (!staged.ok()) {
      return [this, id, pull, error = staged.error()] { end_pull(id, pull, error); };
    }
    pull->staged = std::move(staged).value();
    return [] {};
  });
  Link& link = *links_.at(action.peer);
  if (!link.is_up()) {
    end_pull(id, pull, Error{Errc::kRetry, "not connected", ""});
    return;
  }
  link.request(
      [&](std::uint64_t request) -> Message {
        return Get{request, name};
      },
      [this, id, pull](const Message& message) { on_piece(id, pull, message); });
}

void Daemon::on_piece(std::uint64_t id, const PullRef& pull, const Message& message) {
  if (pull->over) {
    return;
  }
  if (const auto* done = std::get_if<Done>(&message)) {
    end_pull(id, pull, done->error ? *done->error : Error{Errc::kProtocol, "no file came", ""});
  } else if (const auto* end = std::get_if<GetEnd>(&message)) {
    finish_pull(id, pull, end->file_crc32);
  } else if (const auto* data = std::get_if<Data>(&message)) {
    pull->received_bytes += data->bytes.size();
    disk_jobs_.post([this, id, pull, bytes = data->bytes]() -> JobQueue::Completion {
      if (pull->staged) {
        if (const auto appended = pull->staged->append(bytes); !appended.ok()) {
          pull->staged.reset();
          return [this, id, pull, appended] { end_pull(id, pull, appended); };
        }
      }
      return [] {};
    });
  }
}

void Daemon::finish_pull(std::uint64_t id, const PullRef& pull, std::uint32_t file_crc32) {
  const ArchiveStore::Expected expected{pull->received_bytes, file_crc32};
  disk_jobs_.post([this, id, pull, expected]() -> JobQueue::Completion {
    if (!pull->staged) {
      return [] {};
    }
    const auto outcome = store_.commit(*pull->staged, expected);
    pull->staged.reset();
    const Result<void> result = outcome.ok() ? Result<void>() : Result<void>(outcome.error());
    return [this, id, pull, result] { end_pull(id, pull, result); };
  });
}

void Daemon::end_pull(std::uint64_t id, const PullRef& pull, const Result<void>& result) {
  pull->over = true;
  const auto found = fetches_.find(id);
  if (found == fetches_.end()) {
    return;
  }
  const auto current = found->second.pulls.find(pull->peer);
  if (current != found->second.pulls.end() && current->second == pull) {
    found->second.pulls.erase(current);
    feed_fetch(id, PullAnswered{pull->peer, result});
  }
}

void Daemon::act(std::uint64_t id, const FetchEnded& action) {
  const auto found = fetches_.find(id);
  CHECK(found != fetches_.end());
  const FetchHandler on_ended = std::move(found->second.on_ended);
  fetches_.erase(found);
  on_ended(action);
}

}  // namespace pgwalship::sim
