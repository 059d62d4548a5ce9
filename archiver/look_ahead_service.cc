#include "archiver/look_ahead_service.h"

#include "archiver/log_fields.h"

#include <algorithm>

namespace pgwalship {

LookAheadService::LookAheadService(Options options, Machine machine)
    : options_(std::move(options)),
      machine_(machine),
      files_{machine_.clock, machine_.file_system,
             machine_.store, DataDirectory(machine_.file_system, options_.data_directory),
             options_.node,  options_.compression_level},
      look_ahead_({options_.in_flight_max}),
      readers_(options_.threads) {
  for (Reader& reader : readers_) {
    reader.worker = std::make_unique<Worker>(options_.in_flight_max + 1);
  }
}

LookAheadService::~LookAheadService() {
  for (const Reader& reader : readers_) {
    machine_.loop.unwatch(reader.worker->event_fd());
  }
}

Result<void> LookAheadService::start() {
  for (Reader& reader : readers_) {
    Worker* worker = reader.worker.get();
    TRY(machine_.loop.watch(worker->event_fd(), Interest::kRead,
                            [worker](EventLoop::Ready) { worker->drain(); }));
  }
  return {};
}

TimePoint LookAheadService::tick(TimePoint now) {
  note_newcomers();
  if (look_ahead_.next_wakeup() <= now) {
    feed(AheadTick{});
  }
  return look_ahead_.next_wakeup();
}

void LookAheadService::on_marks(const PgWalMarks& marks) {
  ReadyListed listed;
  listed.completeness = marks.in_recovery ? Completeness::kAsked : Completeness::kTold;
  for (const ArchiveMark& mark : marks.marks) {
    if (mark.kind == ArchiveMark::Kind::kReady) {
      listed.names.push_back(mark.name);
    }
  }
  feed(std::move(listed));
}

ClaimId LookAheadService::claim(const WalName& name, const FileStat& stamp, ClaimHandler handler) {
  note_newcomers();
  const ClaimId claim = next_claim_++;
  const bool has_lsn = name.kind() == WalKind::kSegment && is_segment_size(stamp.size);
  const std::uint64_t lsn = has_lsn ? name.start_lsn(static_cast<std::uint32_t>(stamp.size)) : 0;
  claims_.emplace(claim,
                  OpenClaim{{name, stamp.size, lsn, machine_.loop.now()}, std::move(handler)});
  const auto entry = machine_.index.index().find(ArchivePlace::of(name));
  feed(Claimed{claim, name, stamp, entry ? std::optional(entry->key) : std::nullopt});
  return claim;
}

void LookAheadService::drop_claim(ClaimId claim) {
  if (claims_.erase(claim) > 0) {
    feed(ClaimDropped{claim});
  }
}

// Before anything is answered: what a node has lost does not count.
void LookAheadService::note_newcomers() {
  if (newcomers_met_ != machine_.pushes.shipper().newcomers_met()) {
    newcomers_met_ = machine_.pushes.shipper().newcomers_met();
    feed(HoldingsLost{});
  }
}

// Actions may cause events at once; these wait until the actions before them are done.
void LookAheadService::feed(LookAheadEvent event) {
  events_.push_back(std::move(event));
  if (feeding_) {
    return;
  }
  feeding_ = true;
  while (!events_.empty()) {
    const LookAheadEvent next = std::move(events_.front());
    events_.pop_front();
    for (const LookAheadAction& action : look_ahead_.step(next, machine_.loop.now())) {
      std::visit([this](const auto& a) { act(a); }, action);
    }
  }
  feeding_ = false;
}

void LookAheadService::act(const ReadAhead& action) {
  Reader& reader =
      *std::min_element(readers_.begin(), readers_.end(),
                        [](const Reader& a, const Reader& b) { return a.jobs < b.jobs; });
  ++reader.jobs;
  const bool posted = reader.worker->post([this, &reader, action]() -> Worker::Completion {
    auto staged = std::make_shared<AheadStaged>(read_ahead(files_, action));
    return [this, &reader, staged] {
      --reader.jobs;
      const AheadRead result = staged->result;
      if (result.outcome == AheadRead::Outcome::kRead) {
        staged_.emplace(result.name, std::move(*staged));
      }
      feed(result);
    };
  });
  CHECK(posted);  // in_flight_max, and a history file
}

void LookAheadService::act(const ShipAhead& action) {
  const auto found = staged_.find(action.name);
  AheadStaged staged = std::move(found->second);
  staged_.erase(found);
  PushService::Staged push{Put{0, action.name, staged.file->size(), std::move(staged.facts)},
                           std::move(staged.file)};
  machine_.pushes.ship(std::move(push), [this, name = action.name](Result<std::string> verdict) {
    feed(AheadShipped{name, std::move(verdict)});
  });
}

void LookAheadService::act(const DropAhead& action) {
  staged_.erase(action.name);
}

void LookAheadService::act(const AnswerClaim& action) {
  const auto found = claims_.find(action.claim);
  if (found == claims_.end()) {
    return;  // its client has gone meanwhile
  }
  OpenClaim claim = std::move(found->second);
  claims_.erase(found);
  if (action.verdict) {
    machine_.pushes.count(claim.push, *action.verdict);
  }
  claim.handler(action.verdict);
}

void LookAheadService::act(const Report& action) {
  machine_.log.write(level_of(action.gravity), action.line, action.fields);
}

}  // namespace pgwalship
