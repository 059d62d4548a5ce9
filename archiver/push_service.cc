#include "archiver/push_service.h"

#include "archiver/log_fields.h"

#include <algorithm>

namespace pgwalship {

namespace {

// Data of one push that may wait for the disk before its client is not read from any more.
constexpr std::size_t kQueuedBytesMax = 4U << 20U;
constexpr std::chrono::seconds kSpaceCheckInterval{5};
// Between a file's link and its event there are never so many others. What is forgotten too early
// costs one comparison.
constexpr std::size_t kOwnNamesMax = 1024;

Error queue_full(const char* what) {
  return Error{Errc::kRetry, std::string(what) + ": the disk is too slow, its queue is full",
               "see iostat for the file system of [archive] directory"};
}

// What a gzip file of so much may have, stored blocks and header included: not the whole disk.
std::uint64_t file_bytes_max(std::uint64_t raw_bytes) {
  constexpr std::uint64_t kHeaderBytes = 64U << 10U;
  return raw_bytes + raw_bytes / 64 + kHeaderBytes;
}

// Comparing tells the first half of a hash; this much stands in names of quarantined files, too.
std::string start_of(const Sha256& hash) {
  return hash.hex().substr(0, ArchiveLayout::kHashDigits);
}

}  // namespace

PushService::PushService(Options options, Machine machine)
    : options_(std::move(options)),
      machine_(machine),
      timelines_(machine.scans, machine.store, machine.log),
      shipper_(options_.shipper) {
  machine_.links.observe(*this);
}

PushService::~PushService() = default;

// Clients --------------------------------------------------------------------------------------

PushId PushService::begin(const Put& put, ReplyHandler on_reply) {
  const PushId push = next_push_++;
  auto upload = std::make_shared<Upload>(put, machine_.loop.now(), options_.push_timeout,
                                         std::move(on_reply));
  uploads_.emplace(push, upload);
  note_own(put.name);
  const bool posted = machine_.disk.post([this, push, upload] {
    auto staged = machine_.store.stage(upload->put.name);
    std::optional<Error> error;
    if (staged.ok()) {
      upload->staged = std::move(staged).value();
    } else {
      error = staged.error();
    }
    return [this, push, error] {
      if (error) {
        fail_upload(push, *error);
      }
    };
  });
  if (!posted) {
    fail_upload(push, queue_full("stage"));
  }
  return push;
}

void PushService::data(PushId push, Bytes bytes) {
  const auto found = uploads_.find(push);
  if (found == uploads_.end()) {
    return;  // it has failed and was answered already
  }
  const UploadRef upload = found->second;
  const std::size_t size = bytes.size();
  if (upload->received_bytes + size > file_bytes_max(upload->put.facts.raw_bytes)) {
    fail_upload(push, Error{Errc::kInvalid,
                            "store '" + upload->put.name.text() + "': more came than a file of " +
                                std::to_string(upload->put.facts.raw_bytes) + " bytes can take",
                            ""});
    return;
  }
  upload->queued_bytes += size;
  upload->received_bytes += size;
  auto piece = std::make_shared<Bytes>(std::move(bytes));
  const bool posted = machine_.disk.post([this, push, upload, piece, size] {
    std::optional<Error> error;
    if (upload->staged) {
      if (const Result<void> appended = upload->staged->append(*piece); !appended.ok()) {
        error = appended.error();
        upload->staged.reset();
      }
    }
    return [this, push, upload, size, error] {
      upload->queued_bytes -= size;
      if (error) {
        fail_upload(push, *error);
      }
    };
  });
  if (!posted) {
    fail_upload(push, queue_full("write"));
  }
}

void PushService::end(PushId push, std::uint32_t file_crc32) {
  const auto found = uploads_.find(push);
  if (found == uploads_.end()) {
    return;
  }
  found->second->file_crc32 = file_crc32;
  submit(push, found->second);
}

void PushService::ship(Staged staged, ReplyHandler on_reply) {
  const PushId push = next_push_++;
  const auto upload = std::make_shared<Upload>(std::move(staged.put), machine_.loop.now(),
                                               options_.push_timeout, std::move(on_reply));
  upload->from_client = false;
  upload->staged = std::move(staged.file);
  upload->received_bytes = upload->staged->size();
  upload->file_crc32 = upload->staged->file_crc32();
  uploads_.emplace(push, upload);
  note_own(upload->put.name);
  submit(push, upload);
}

void PushService::submit(PushId push, const UploadRef& upload) {
  const bool posted = machine_.disk.post([this, push, upload] {
    if (!upload->staged) {
      return Worker::Completion([] {});  // its failure is on the way
    }
    auto reader = upload->staged->reader();
    std::optional<Error> error;
    if (reader.ok()) {
      upload->reader = std::move(reader).value();
    } else {
      error = reader.error();
    }
    // A peer with a new archive would take another cluster's file, and then refuse its own.
    if (const auto ours =
            machine_.store.check_system_id(upload->put.name, upload->put.facts.system_id);
        !error && !ours.ok()) {
      error = ours.error();
    }
    // A copy whose header gives this very hash is identical, or corrupt and about to be replaced
    // by what is staged: either way the peers may have the bytes now.
    const auto present = machine_.store.open(upload->put.name);
    const bool taken = present.ok() && (!present.value().facts ||
                                        present.value().facts->sha256 != upload->put.facts.sha256);
    return Worker::Completion([this, push, upload, error, taken] {
      if (error) {
        fail_upload(push, *error);
      } else if (uploads_.contains(push)) {
        upload->submitted = true;
        feed(PushSubmitted{push, upload->put.name, upload->put.facts.sha256, upload->deadline,
                           taken ? LocalName::kTaken : LocalName::kFree});
      }
    });
  });
  if (!posted) {
    fail_upload(push, queue_full("submit"));
  }
}

void PushService::abandon(PushId push) {
  const auto found = uploads_.find(push);
  if (found == uploads_.end()) {
    return;
  }
  found->second->on_reply = nullptr;
  if (!found->second->submitted) {
    uploads_.erase(found);
  }
}

bool PushService::wants_data(PushId push) const {
  const auto found = uploads_.find(push);
  return found == uploads_.end() || found->second->queued_bytes < kQueuedBytesMax;
}

std::size_t PushService::awaited() const {
  return static_cast<std::size_t>(std::count_if(
      uploads_.begin(), uploads_.end(),
      [](const auto& entry) { return entry.second->from_client && entry.second->submitted; }));
}

void PushService::fail_upload(PushId push, Error error) {
  const auto found = uploads_.find(push);
  if (found == uploads_.end() || found->second->submitted) {
    return;
  }
  const UploadRef upload = found->second;
  uploads_.erase(found);
  settle_reply(*upload, std::move(error));
}

void PushService::settle_reply(Upload& upload, Result<std::string> verdict) {
  if (upload.from_client) {
    const FileFacts& facts = upload.put.facts;
    count({upload.put.name, facts.raw_bytes, facts.lsn, upload.began}, verdict);
  } else if (verdict.ok()) {
    totals_.note_shipped(upload.put.name);
  }
  if (upload.on_reply) {
    std::exchange(upload.on_reply, nullptr)(std::move(verdict));
  }
}

void PushService::forget_if_over(PushId push) {
  const auto found = uploads_.find(push);
  if (found != uploads_.end() && found->second->stored && found->second->replied) {
    uploads_.erase(found);
  }
}

void PushService::note_own(const WalName& name) {
  if (own_.insert(name.text()).second) {
    own_order_.push_back(name.text());
  }
  if (own_order_.size() > kOwnNamesMax) {
    own_.erase(own_order_.front());
    own_order_.pop_front();
  }
}

// Links ----------------------------------------------------------------------------------------

void PushService::on_up(NodeId peer, const Hello& theirs) {
  feed(PeerGreeted{peer, theirs.reconciled});
}

void PushService::on_down(NodeId peer, const Error& reason) {
  comparisons_.erase(peer);
  std::erase_if(pulls_, [peer](const auto& entry) {
    if (entry.second.peer == peer) {
      entry.second.pull->abandon();
    }
    return entry.second.peer == peer;
  });
  feed(PeerLost{peer, reason.message, reason.hint});
}

TimePoint PushService::tick(TimePoint now) {
  if (shipper_.next_wakeup() <= now) {
    feed(Tick{});
  }
  const TimePoint next = std::min(shipper_.next_wakeup(), timelines_.tick(now));
  if (options_.pg_wal.empty()) {
    return next;
  }
  if (next_space_check_ <= now) {
    next_space_check_ = now + kSpaceCheckInterval;
    std::ignore = machine_.scans.post([this]() -> Worker::Completion {  // the next check is soon
      const Result<std::uint64_t> space = machine_.file_system.free_bytes(options_.pg_wal);
      return [this, space] {
        if (space.ok()) {
          feed(PgWalSpace{space.value()});
        }
      };
    });
  }
  return std::min(next, next_space_check_);
}

// Actions --------------------------------------------------------------------------------------

// Actions may cause events at once; these wait until the actions before them are done.
void PushService::feed(ShipperEvent event) {
  events_.push_back(std::move(event));
  if (feeding_) {
    return;
  }
  feeding_ = true;
  while (!events_.empty()) {
    const ShipperEvent next = std::move(events_.front());
    events_.pop_front();
    ShipperActions actions = shipper_.step(next, machine_.loop.now());
    for (ShipperAction& action : actions) {
      std::visit([this](auto& a) { act(a); }, action);
    }
  }
  feeding_ = false;
}

void PushService::act(const StoreLocally& action) {
  const PushId push = action.push;
  const UploadRef upload = uploads_.at(push);
  const ArchiveStore::Expected expected{upload->received_bytes, upload->file_crc32};
  auto store = [this, push, upload, expected]() -> Worker::Completion {
    const Result<PutOutcome> result = machine_.store.commit(*upload->staged, expected);
    upload->staged.reset();
    return [this, push, upload, result] {
      upload->stored = true;
      if (result.ok() && result.value() == PutOutcome::kSameRecords) {
        upload->reader.reset();  // what goes on to the peers is the archive's
      }
      feed(LocalStored{push, result});
      tell_timelines(*upload, result);
      upload->reader.reset();
      forget_if_over(push);
    };
  };
  if (!machine_.disk.post(std::move(store))) {
    upload->stored = true;
    feed(LocalStored{push, queue_full("store")});
  }
}

void PushService::tell_timelines(const Upload& upload, const Result<PutOutcome>& result) {
  if (result.ok()) {
    timelines_.stored(upload.put);
  } else if (result.error().code == Errc::kConflict && upload.reader) {
    auto staged = upload.reader->duplicate();
    timelines_.refused(upload.put, staged.ok() ? std::move(staged).value() : nullptr);
  }
}

void PushService::act(const SendFile& action) {
  const auto upload = action.staged ? uploads_.find(*action.staged) : uploads_.end();
  if (upload == uploads_.end() || !upload->second->reader) {
    send_from_archive(action);
    return;
  }
  auto file = upload->second->reader->duplicate();
  if (!file.ok()) {
    answer_file(action, file.error());
    return;
  }
  Put put = upload->second->put;
  put.file_bytes = upload->second->received_bytes;
  send(action, OutgoingFile{put, std::move(file).value(), upload->second->file_crc32,
                            action.fresh ? Priority::kFresh : Priority::kCatchUp});
}

// What is served from the archive is verified first: a corrupt copy must not spread.
void PushService::send_from_archive(const SendFile& action) {
  const bool posted = machine_.scans.post([this, action]() -> Worker::Completion {
    auto opened = std::make_shared<Result<VerifiedFile>>(machine_.store.open_verified(action.name));
    return [this, action, opened] {
      if (!opened->ok()) {
        if (opened->error().code == Errc::kCorrupt && options_.on_bad_copy) {
          options_.on_bad_copy(action.name);
        }
        answer_file(action, opened->error());
        return;
      }
      VerifiedFile& file = opened->value();
      const Put put{0, action.name, file.file_bytes, file.facts};
      send(action, OutgoingFile{put, std::move(file.file), file.file_crc32,
                                action.fresh ? Priority::kFresh : Priority::kCatchUp});
    };
  });
  if (!posted) {
    answer_file(action, queue_full("read"));
  }
}

void PushService::answer_file(const SendFile& action, Result<PutOutcome> result) {
  feed(FileAnswered{action.peer, action.transfer, std::move(result)});
}

// Not when it has come meanwhile, or is known for a conflict already.
void PushService::act(const PullFile& action) {
  const bool posted = machine_.scans.post([this, action]() -> Worker::Completion {
    std::optional<Result<PutOutcome>> known;
    if (!action.conflict) {
      if (machine_.store.open(action.name).ok()) {
        known = PutOutcome::kIdentical;
      }
    } else if (const auto kept =
                   machine_.store.quarantined_as(action.name, action.conflict->theirs);
               kept == ArchiveLayout::Quarantined::Kind::kSameRecords) {
      known = PutOutcome::kSameRecords;
    } else if (kept) {
      known = Error{Errc::kConflict,
                    "'" + action.name.text() + "' has SHA-256 " + start_of(action.conflict->mine) +
                        "... here and " + start_of(action.conflict->theirs) +
                        "... there; a copy of that one is in quarantine here",
                    ""};
    }
    return [this, action, known] {
      if (known) {
        feed(FilePulled{action.transfer, *known});
      } else {
        pull(action);
      }
    };
  });
  if (!posted) {
    feed(FilePulled{action.transfer, queue_full("look"), PullFault::kHere});
  }
}

void PushService::pull(const PullFile& action) {
  if (!machine_.links.is_up(action.peer)) {
    return;  // the Shipper hears of it by PeerLost
  }
  note_own(action.name);
  const TransferId transfer = action.transfer;
  auto on_end = [this, transfer](const Result<PutOutcome>& result, FilePull::Fault fault) {
    pulls_.erase(transfer);
    feed(FilePulled{transfer, result,
                    fault == FilePull::Fault::kHere ? PullFault::kHere : PullFault::kPeer});
  };
  pulls_[transfer] =
      OpenPull{action.peer, FilePull::start({machine_.quiet, machine_.links, machine_.store},
                                            {action.peer, action.name}, std::move(on_end))};
}

void PushService::act(const TellReconciled& action) {
  const NodeId peer = action.peer;
  if (!machine_.links.is_up(peer)) {
    return;
  }
  machine_.links.request(
      peer,
      [action](std::uint64_t id) -> Message {
        return Reconciled{id, action.from, action.vanished};
      },
      [this, peer](const Message& answer) {
        if (const auto* done = std::get_if<Done>(&answer)) {
          feed(ReconciledAnswered{peer, done->error ? Result<void>(*done->error) : Result<void>()});
        }
      });
}

// The next comparison sees whether it was done.
void PushService::act(const MarkReconciled& action) {
  std::ignore = machine_.scans.post([this, action]() -> Worker::Completion {
    const Result<void> marked = machine_.store.mark_reconciled(action.from, action.vanished);
    return [this, marked] {
      if (marked.ok()) {
        cannot_mark_.ends();
      } else if (cannot_mark_.begins(marked.error().text())) {
        machine_.log.warning(marked.error().text());
      }
    };
  });
}

void PushService::act(Reply& action) {
  const UploadRef upload = uploads_.at(action.push);
  upload->replied = true;
  settle_reply(*upload, std::move(action.verdict));
  forget_if_over(action.push);
}

void PushService::act(const Report& action) {
  machine_.log.write(level_of(action.gravity), action.line, action.fields);
}

}  // namespace pgwalship
