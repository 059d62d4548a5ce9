#include "restorer/fetch_service.h"

namespace pgwalship {

namespace {

Error queue_full() {
  return Error{Errc::kRetry, "the disk is too slow, its queue is full",
               "see iostat for the file system of [archive] directory"};
}

// An archive that cannot be read proves nothing either.
FetchPlan::LocalCopy local_copy(const ArchiveStore& store, const WalName& name,
                                const Result<FileFacts>& facts) {
  if (facts.ok() || facts.error().code != Errc::kNotFound) {
    return FetchPlan::LocalCopy::kCorrupt;
  }
  const Result<SegmentPosition> from = store.evidence_from();
  if (!from.ok()) {
    return FetchPlan::LocalCopy::kCorrupt;
  }
  return name.is_below(from.value()) ? FetchPlan::LocalCopy::kExpired
                                     : FetchPlan::LocalCopy::kAbsent;
}

}  // namespace

FetchService::FetchService(Options options, Machine machine)
    : options_(std::move(options)), machine_(machine) {
  machine_.links.observe(*this);
}

FetchService::~FetchService() = default;

void FetchService::fetch(const WalName& name, Duration wait, AnswerHandler on_answer) {
  const FetchId id = next_fetch_++;
  fetches_.emplace(id, Fetching{name, nullptr, std::move(on_answer), {}});
  const bool alone = options_.nodes.size() < 2;
  const bool posted = machine_.scans.post([this, id, name, wait, alone]() -> Worker::Completion {
    // In this order: an archive that became complete after the look did not give that look weight.
    const bool self_evidence = alone || machine_.store.reconciled();
    const Result<FileFacts> facts = machine_.store.verify(name);
    const FetchPlan::LocalCopy local = local_copy(machine_.store, name, facts);
    return [this, id, facts, local, wait, self_evidence] {
      if (facts.ok()) {
        act(id, FetchEnded{FetchVerdict::kFound, "", ""});
        return;
      }
      start(id, wait, local, self_evidence);
    };
  });
  if (!posted) {
    act(id, FetchEnded{FetchVerdict::kUnknown, queue_full().message, queue_full().hint});
  }
}

void FetchService::start(FetchId id, Duration wait, FetchPlan::LocalCopy local,
                         bool self_evidence) {
  Fetching& fetching = fetches_.at(id);
  fetching.plan = std::make_unique<FetchPlan>(
      FetchPlan::Options{&options_.nodes, &options_.quorum, options_.on_quorum_loss, local,
                         self_evidence, wait},
      machine_.loop.now());
  for (NodeId peer = 0; peer < options_.nodes.size(); ++peer) {
    if (machine_.links.is_up(peer) && fetches_.contains(id)) {
      feed(id, PeerArrived{peer, machine_.links.hello(peer)->reconciled});
    }
  }
  if (fetches_.contains(id)) {
    feed(id, FetchTick{});
  }
}

void FetchService::on_up(NodeId peer, const Hello& theirs) {
  std::vector<FetchId> ids;
  for (const auto& [id, fetching] : fetches_) {
    if (fetching.plan) {
      ids.push_back(id);
    }
  }
  for (const FetchId id : ids) {
    feed(id, PeerArrived{peer, theirs.reconciled});
  }
}

void FetchService::on_down(NodeId peer, const Error&) {
  std::vector<FetchId> ids;
  for (auto& [id, fetching] : fetches_) {
    fetching.pulls.erase(peer);
    if (fetching.plan) {
      ids.push_back(id);
    }
  }
  for (const FetchId id : ids) {
    feed(id, PeerVanished{peer});
  }
}

TimePoint FetchService::tick(TimePoint now) {
  std::vector<FetchId> due;
  for (const auto& [id, fetching] : fetches_) {
    if (fetching.plan && fetching.plan->next_wakeup() <= now) {
      due.push_back(id);
    }
  }
  for (const FetchId id : due) {
    feed(id, FetchTick{});
  }
  TimePoint next = kNever;
  for (const auto& [id, fetching] : fetches_) {
    if (fetching.plan) {
      next = std::min(next, fetching.plan->next_wakeup());
    }
  }
  return next;
}

void FetchService::feed(FetchId id, const FetchEvent& event) {
  const auto found = fetches_.find(id);
  if (found == fetches_.end()) {
    return;
  }
  const std::vector<FetchAction> actions = found->second.plan->step(event, machine_.loop.now());
  for (const FetchAction& action : actions) {
    std::visit([this, id](const auto& a) { act(id, a); }, action);
  }
}

void FetchService::act(FetchId id, const AskPeer& action) {
  const NodeId peer = action.peer;
  const WalName name = fetches_.at(id).name;
  machine_.links.request(
      peer,
      [&](std::uint64_t request) -> Message {
        return Stat{request, name};
      },
      [this, id, peer](const Message& answer) {
        if (const auto* result = std::get_if<StatResult>(&answer)) {
          feed(id, StatAnswered{peer, result->presence, result->reconciled});
        } else if (const auto* done = std::get_if<Done>(&answer); done != nullptr && done->error) {
          feed(id, StatAnswered{peer, *done->error});
        }
      });
}

void FetchService::act(FetchId id, const PullFrom& action) {
  Fetching& fetching = fetches_.at(id);
  const WalName name = fetching.name;
  auto pull = std::make_shared<Pull>();
  pull->peer = action.peer;
  fetching.pulls[action.peer] = pull;
  const bool posted = machine_.disk.post([this, id, pull, name]() -> Worker::Completion {
    auto staged = machine_.store.stage(name, ArchiveStore::Reserve::kUse);
    if (!staged.ok()) {
      return [this, id, pull, error = staged.error()] { end_pull(id, pull, error); };
    }
    pull->staged = std::move(staged).value();
    return [] {};
  });
  if (!posted) {
    end_pull(id, pull, queue_full());
    return;
  }
  machine_.links.request(
      action.peer,
      [&](std::uint64_t request) -> Message {
        return Get{request, name};
      },
      [this, id, pull](const Message& message) { on_piece(id, pull, message); });
}

void FetchService::on_piece(FetchId id, const PullRef& pull, const Message& message) {
  if (pull->failed) {
    return;
  }
  if (const auto* done = std::get_if<Done>(&message)) {
    end_pull(id, pull, done->error ? *done->error : Error{Errc::kProtocol, "no file came", ""});
  } else if (const auto* end = std::get_if<GetEnd>(&message)) {
    finish_pull(id, pull, end->file_crc32);
  } else if (const auto* data = std::get_if<Data>(&message)) {
    pull->received_bytes += data->bytes.size();
    auto piece = std::make_shared<Bytes>(data->bytes);
    const bool posted = machine_.disk.post([this, id, pull, piece]() -> Worker::Completion {
      if (pull->staged) {
        if (const Result<void> appended = pull->staged->append(*piece); !appended.ok()) {
          pull->staged.reset();
          return [this, id, pull, appended] { end_pull(id, pull, appended); };
        }
      }
      return [] {};
    });
    if (!posted) {
      end_pull(id, pull, queue_full());
    }
  }
}

void FetchService::finish_pull(FetchId id, const PullRef& pull, std::uint32_t file_crc32) {
  // The checksum only says that it came over as it lies there.
  const ArchiveStore::Expected expected{pull->received_bytes, file_crc32,
                                        ArchiveStore::Content::kVerify};
  const bool posted = machine_.disk.post([this, id, pull, expected]() -> Worker::Completion {
    if (!pull->staged) {
      return [] {};  // its failure is on the way
    }
    const Result<PutOutcome> outcome = machine_.store.commit(*pull->staged, expected);
    const Result<void> result = outcome.ok() ? Result<void>() : Result<void>(outcome.error());
    pull->staged.reset();
    return [this, id, pull, result] { end_pull(id, pull, result); };
  });
  if (!posted) {
    end_pull(id, pull, queue_full());
  }
}

void FetchService::end_pull(FetchId id, const PullRef& pull, const Result<void>& result) {
  pull->failed = true;  // whatever still comes for it is ignored
  const auto found = fetches_.find(id);
  if (found == fetches_.end()) {
    return;
  }
  const auto current = found->second.pulls.find(pull->peer);
  if (current != found->second.pulls.end() && current->second == pull) {
    found->second.pulls.erase(current);
    feed(id, PullAnswered{pull->peer, result});
  }
}

void FetchService::act(FetchId id, const FetchEnded& action) {
  const auto found = fetches_.find(id);
  CHECK(found != fetches_.end());
  const AnswerHandler on_answer = std::move(found->second.on_answer);
  fetches_.erase(found);
  on_answer(action);
}

}  // namespace pgwalship
