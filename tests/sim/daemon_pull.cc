// How a file comes from a peer, for a fetch or because it is missing here.
#include "tests/sim/daemon.h"
#include "tests/sim/receiver_process.h"
#include "wal/archive_layout.h"

#include <utility>

namespace pgwalship::sim {

// The handler is called once, unless the peer is lost before.
Daemon::PullRef Daemon::start_pull(NodeId peer, const WalName& name, ArchiveStore::Content content,
                                   PullHandler on_end) {
  const auto pull = std::make_shared<Pull>();
  pull->peer = peer;
  pull->content = content;
  pull->on_end = std::move(on_end);
  disk_jobs_.post([this, pull, name]() -> JobQueue::Completion {
    auto staged = store_.stage(name);
    if (!staged.ok()) {
      return [pull, error = staged.error()] { end_pull(pull, error, PullFault::kHere); };
    }
    pull->staged = std::move(staged).value();
    if (pull->content == ArchiveStore::Content::kVerify) {
      pull->staged->verify_as_it_comes([](ByteView) { return Result<void>(); });
    }
    return [] {};
  });
  Link& link = *links_.at(peer);
  if (!link.is_up()) {
    process_.after(Duration::zero(), [pull] {
      end_pull(pull, Error{Errc::kRetry, "not connected", ""}, PullFault::kPeer);
    });
    return pull;
  }
  link.request(
      [&](std::uint64_t request) -> Message {
        return Get{request, name};
      },
      [this, pull](const Message& message) { on_piece(pull, message); });
  return pull;
}

void Daemon::on_piece(const PullRef& pull, const Message& message) {
  if (pull->over) {
    return;
  }
  if (const auto* done = std::get_if<Done>(&message)) {
    end_pull(pull, done->error ? *done->error : Error{Errc::kProtocol, "no file came", ""},
             PullFault::kPeer);
  } else if (const auto* end = std::get_if<GetEnd>(&message)) {
    finish_pull(pull, end->file_crc32);
  } else if (const auto* data = std::get_if<Data>(&message)) {
    pull->received_bytes += data->bytes.size();
    disk_jobs_.post([pull, bytes = data->bytes]() -> JobQueue::Completion {
      if (pull->staged) {
        if (const auto appended = pull->staged->append(bytes); !appended.ok()) {
          pull->staged.reset();
          return [pull, appended] { end_pull(pull, appended.error(), PullFault::kHere); };
        }
      }
      return [] {};
    });
  }
}

void Daemon::finish_pull(const PullRef& pull, std::uint32_t file_crc32) {
  const ArchiveStore::Expected expected{pull->received_bytes, file_crc32, pull->content};
  disk_jobs_.post([this, pull, expected]() -> JobQueue::Completion {
    if (!pull->staged) {
      return [] {};
    }
    const Result<PutOutcome> outcome = store_.commit(*pull->staged, expected);
    pull->staged.reset();
    const bool here = !outcome.ok() && outcome.error().code != Errc::kCorrupt;
    return [pull, outcome, here] {
      end_pull(pull, outcome, here ? PullFault::kHere : PullFault::kPeer);
    };
  });
}

void Daemon::end_pull(const PullRef& pull, const Result<PutOutcome>& result, PullFault fault) {
  if (!std::exchange(pull->over, true)) {
    const PullHandler on_end = std::exchange(pull->on_end, nullptr);
    on_end(result, fault);
  }
}

void Daemon::act(const PullFile& action) {
  scan_jobs_.post([this, action]() -> JobQueue::Completion {
    std::optional<Result<PutOutcome>> known;
    if (!action.conflict) {
      if (store_.open(action.name).ok()) {
        known = PutOutcome::kIdentical;
      }
    } else if (store_.quarantined_as(action.name, action.conflict->theirs)) {
      known = Error{Errc::kConflict, "known already", ""};
    }
    return [this, action, known] {
      if (known) {
        feed(FilePulled{action.transfer, *known});
      } else {
        pull(action);
      }
    };
  });
}

void Daemon::pull(const PullFile& action) {
  if (!links_.at(action.peer)->is_up()) {
    return;  // the Shipper has heard of it
  }
  const TransferId transfer = action.transfer;
  const auto conflict = action.conflict;
  auto on_end = [this, transfer, conflict](const Result<PutOutcome>& result, PullFault fault) {
    pulls_.erase(transfer);
    if (conflict && mutated(Mutation::kConflictsSpread)) {
      spread_conflict(*conflict);
    }
    feed(FilePulled{transfer, result, fault});
  };
  pulls_[transfer] =
      start_pull(action.peer, action.name,
                 mutated(Mutation::kPullsUnverified) ? ArchiveStore::Content::kTrusted
                                                     : ArchiveStore::Content::kVerify,
                 std::move(on_end));
}

// "The peer's must be the newer one."
void Daemon::spread_conflict(const Differences::Conflict& conflict) {
  disk_jobs_.post([this, conflict]() -> JobQueue::Completion {
    const ArchiveLayout layout(kArchiveDirectory);
    const std::string label = "conflict-" + conflict.theirs.hex().substr(0, 12);
    std::ignore =
        disk_.rename(layout.quarantine_file(conflict.name, label), layout.file(conflict.name));
    return [] {};
  });
}

}  // namespace pgwalship::sim
