// What the daemon does for its Shipper.
#include "tests/sim/daemon.h"

#include <utility>

namespace pgwalship::sim {

namespace {

Result<PutOutcome> outcome_of(const Done& done) {
  return done.error ? Result<PutOutcome>(*done.error) : Result<PutOutcome>(done.outcome);
}

}  // namespace

void Daemon::take_push(ContentRef content, ReplyHandler on_reply) {
  const PushId push = next_id_++;
  const auto upload = std::make_shared<Upload>();
  upload->content = std::move(content);
  upload->deadline = process_.schedule().now() + options_.push_timeout;
  upload->on_reply = std::move(on_reply);
  uploads_.emplace(push, upload);
  disk_jobs_.post([this, push, upload]() -> JobQueue::Completion {
    const std::optional<Error> error = stage(*upload);
    const LocalName local = local_name(upload->content->name);
    return [this, push, upload, error, local] {
      if (error) {
        uploads_.erase(push);
        upload->on_reply(*error);
        return;
      }
      submit(push, upload, local);
    };
  });
}

LocalName Daemon::local_name(const WalName& name) const {
  const auto present = store_.open(name);
  return !present.ok() && present.error().code == Errc::kNotFound ? LocalName::kFree
                                                                  : LocalName::kTaken;
}

void Daemon::submit(PushId push, const UploadRef& upload, LocalName local) {
  upload->submitted = true;
  feed(PushSubmitted{push, upload->content->name, upload->content->facts.sha256, upload->deadline,
                     local});
}

std::optional<Error> Daemon::stage(Upload& upload) {
  auto staged = store_.stage(upload.content->name);
  if (!staged.ok()) {
    return staged.error();
  }
  upload.staged = std::move(staged).value();
  if (const auto appended = upload.staged->append(upload.content->file); !appended.ok()) {
    return appended.error();
  }
  auto reader = upload.staged->reader();
  if (!reader.ok()) {
    return reader.error();
  }
  upload.reader = std::move(reader).value();
  return std::nullopt;
}

void Daemon::feed(ShipperEvent event) {
  events_.push_back(std::move(event));
  if (feeding_) {
    return;  // its actions come after those before it
  }
  feeding_ = true;
  while (!events_.empty()) {
    const ShipperEvent next = std::move(events_.front());
    events_.pop_front();
    ShipperActions actions = shipper_->step(next, process_.schedule().now());
    for (ShipperAction& action : actions) {
      std::visit([this](auto& a) { act(a); }, action);
    }
  }
  feeding_ = false;
  arm();
}

void Daemon::act(const StoreLocally& action) {
  const UploadRef upload = uploads_.at(action.push);
  if (mutated(Mutation::kLocalStoredEarly)) {
    feed(LocalStored{action.push, PutOutcome::kStored});
  }
  store(action.push, upload);
}

void Daemon::store(PushId push, const UploadRef& upload) {
  disk_jobs_.post([this, push, upload]() -> JobQueue::Completion {
    const Bytes& file = upload->content->file;
    const Result<PutOutcome> result = store_.commit(*upload->staged, {file.size(), crc32(0, file)});
    upload->staged.reset();
    return [this, push, upload, result] {
      upload->stored = true;
      if (!mutated(Mutation::kLocalStoredEarly)) {
        feed(LocalStored{push, result});
      }
      upload->reader.reset();
      forget_if_over(push);
    };
  });
}

void Daemon::forget_if_over(PushId push) {
  const auto found = uploads_.find(push);
  if (found != uploads_.end() && found->second->stored && found->second->replied) {
    uploads_.erase(found);
  }
}

void Daemon::act(const SendFile& action) {
  const auto upload = action.staged ? uploads_.find(*action.staged) : uploads_.end();
  if (upload == uploads_.end() || !upload->second->reader) {
    send_from_archive(action);
    return;
  }
  auto file = upload->second->reader->duplicate();
  if (!file.ok()) {
    feed(FileAnswered{action.peer, action.transfer, file.error()});
    return;
  }
  const Content& content = *upload->second->content;
  send(action, OutgoingFile{Put{0, content.name, content.file.size(), content.facts},
                            std::move(file).value(), crc32(0, content.file),
                            action.fresh ? Priority::kFresh : Priority::kCatchUp});
}

void Daemon::send_from_archive(const SendFile& action) {
  scan_jobs_.post([this, action]() -> JobQueue::Completion {
    auto opened = std::make_shared<Result<VerifiedFile>>(store_.open_verified(action.name));
    return [this, action, opened] {
      if (!opened->ok()) {
        feed(FileAnswered{action.peer, action.transfer, opened->error()});
        return;
      }
      VerifiedFile& file = opened->value();
      const Put put{0, action.name, file.file_bytes, file.facts};
      send(action, OutgoingFile{put, std::move(file.file), file.file_crc32,
                                action.fresh ? Priority::kFresh : Priority::kCatchUp});
    };
  });
}

void Daemon::send(const SendFile& action, OutgoingFile file) {
  Link& link = *links_.at(action.peer);
  if (!link.is_up()) {
    return;  // the Shipper has heard of it
  }
  if (action.fresh && action.name.kind() == WalKind::kSegment &&
      (link.theirs().capabilities & kTakesOffers) != 0) {
    offer(action, std::move(file));
  } else {
    send_bytes(action, std::move(file));
  }
}

void Daemon::offer(const SendFile& action, OutgoingFile file) {
  const auto held = std::make_shared<OutgoingFile>(std::move(file));
  links_.at(action.peer)
      ->request(
          [&](std::uint64_t id) -> Message {
            return Offer{id, action.name, held->put.facts};
          },
          [this, action, held](const Message& answer) {
            if (const auto* done = std::get_if<Done>(&answer); done != nullptr && !done->error) {
              feed(FileAnswered{action.peer, action.transfer, outcome_of(*done)});
            } else {
              send_bytes(action, std::move(*held));
            }
          });
}

void Daemon::send_bytes(const SendFile& action, OutgoingFile file) {
  Link& link = *links_.at(action.peer);
  link.send_file(std::move(file), [this, action](const Message& answer) {
    if (const auto* done = std::get_if<Done>(&answer);
        done != nullptr && !mutated(Mutation::kFileAnsweredEarly)) {
      feed(FileAnswered{action.peer, action.transfer, outcome_of(*done)});
    }
  });
  if (mutated(Mutation::kFileAnsweredEarly)) {
    feed(FileAnswered{action.peer, action.transfer, PutOutcome::kStored});
  }
}

void Daemon::act(const Compare& action) {
  const NodeId peer = action.peer;
  comparisons_[peer] = nullptr;
  scan_jobs_.post([this, peer]() -> JobQueue::Completion {
    const bool reconciled = store_.reconciled();
    const Result<SegmentPosition> floor = store_.floor();
    const Result<SegmentPosition> evidence_from = store_.evidence_from();
    const Result<ArchiveStore::Vanished> vanished = store_.vanished();
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
      index_.refresh([this, peer, comparison](const Result<void>& outcome) {
        if (outcome.ok()) {
          ask(peer, comparison);
        } else {
          finish(peer, comparison, outcome.error());
        }
      });
    };
  });
}

void Daemon::ask(NodeId peer, const ComparisonRef& comparison) {
  const auto current = comparisons_.find(peer);
  if (current == comparisons_.end() || current->second != comparison || !links_.at(peer)->is_up()) {
    return;
  }
  std::optional<CompareQuery> query = comparison->archives.next(index_.index());
  if (!query) {
    finish(peer, comparison, std::move(comparison->archives).result());
    return;
  }
  links_.at(peer)->request(
      [&](std::uint64_t id) -> Message {
        return CompareRanges{id, std::move(*query)};
      },
      [this, peer, comparison](const Message& answer) { take(peer, comparison, answer); });
}

void Daemon::take(NodeId peer, const ComparisonRef& comparison, const Message& answer) {
  if (const auto* done = std::get_if<Done>(&answer); done != nullptr && done->error) {
    finish(peer, comparison, *done->error);
    return;
  }
  const auto* result = std::get_if<CompareResult>(&answer);
  if (result == nullptr) {
    return;
  }
  comparison->peer_reconciled = result->reconciled || mutated(Mutation::kNewNodesCount);
  comparison->evidence_from = std::max(comparison->evidence_from, result->evidence_from);
  comparison->peer_vanished = comparison->peer_vanished.value_or(result->vanished_mark);
  const Result<void> taken = comparison->archives.take(index_.index(), result->answer);
  CHECK(taken.ok());
  ask(peer, comparison);
}

void Daemon::finish(NodeId peer, const ComparisonRef& comparison, Result<Differences> differences) {
  const auto current = comparisons_.find(peer);
  if (current == comparisons_.end() || current->second != comparison) {
    return;
  }
  comparisons_.erase(current);
  if (differences.ok() && mutated(Mutation::kNoCatchUp)) {
    differences = Differences{};
  }
  feed(Compared{peer, comparison->self_reconciled, std::move(differences),
                comparison->peer_reconciled, comparison->evidence_from, comparison->self_vanished,
                comparison->peer_vanished.value_or(0)});
}

void Daemon::act(const TellReconciled& action) {
  const NodeId peer = action.peer;
  Link& link = *links_.at(peer);
  if (!link.is_up()) {
    return;
  }
  link.request(
      [&](std::uint64_t id) -> Message {
        return Reconciled{id, action.from, action.vanished};
      },
      [this, peer](const Message& answer) {
        if (const auto* done = std::get_if<Done>(&answer)) {
          const auto outcome = outcome_of(*done);
          feed(ReconciledAnswered{peer,
                                  outcome.ok() ? Result<void>() : Result<void>(outcome.error())});
        }
      });
}

void Daemon::act(const MarkReconciled& action) {
  disk_jobs_.post([this, action]() -> JobQueue::Completion {
    std::ignore = store_.mark_reconciled(action.from, action.vanished);
    return [] {};
  });
}

void Daemon::act(Reply& action) {
  const UploadRef upload = uploads_.at(action.push);
  CHECK(!upload->replied);
  upload->replied = true;
  if (!mutated(Mutation::kRepliesGetLost) || !process_.schedule().random().one_in(10)) {
    upload->on_reply(std::move(action.verdict));
  }
  forget_if_over(action.push);
}

void Daemon::act(const Report& action) {
  options_.say(action.line);
}

}  // namespace pgwalship::sim
