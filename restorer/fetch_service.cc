#include "restorer/fetch_service.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace pgwalship {

namespace {

// A file that nobody waits for may wait until all peers have said whether they have it.
constexpr std::chrono::milliseconds kSettleTime{100};
// A client does not wait for a file on its way when nothing of it came for so long: another peer
// may be quicker.
constexpr std::chrono::seconds kStuckAfter{1};
// `journalctl MESSAGE_ID=...`; docs/monitoring/README.md has all of them.
constexpr std::string_view kBadCopyMessage = "3f6f0c1f6a2e4a7f9c1b7d5a8e2c4b05";
// Above that a disk is failing as a whole, and its owner knows.
constexpr std::size_t kReportedMax = 1024;

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
  const Result<ArchiveStore::Absence> absence = store.absence(name);
  if (!absence.ok()) {
    return FetchPlan::LocalCopy::kCorrupt;
  }
  switch (absence.value()) {
    case ArchiveStore::Absence::kExpired:
      return FetchPlan::LocalCopy::kExpired;
    case ArchiveStore::Absence::kVanished:
      return FetchPlan::LocalCopy::kVanished;
    case ArchiveStore::Absence::kNeverHere:
      break;
  }
  return FetchPlan::LocalCopy::kAbsent;
}

}  // namespace

FetchService::FetchService(Options options, Machine machine)
    : options_(std::move(options)),
      machine_(std::move(machine)),
      open_pulls_(options_.nodes.size()),
      prefetch_(options_.prefetch),
      keeper_(*machine_.ahead.front(), machine_.spool, prefetch_) {
  machine_.links.observe(*this);
}

FetchService::~FetchService() = default;

void FetchService::fetch(const WalName& name, Duration wait, AnswerHandler on_answer) {
  for (auto& [id, fetching] : fetches_) {
    if (fetching.purpose == Purpose::kAhead && fetching.name == name &&
        !is_stuck(fetching, machine_.loop.now())) {
      fetching.waiters.push_back({wait, std::move(on_answer)});
      return;
    }
  }
  begin(name, Purpose::kWanted, wait, std::move(on_answer));
}

void FetchService::repair(const WalName& name, AnswerHandler on_answer) {
  begin(name, Purpose::kRepair, Duration::zero(), std::move(on_answer));
}

void FetchService::heal(const WalName& name) {
  const bool under_way = std::any_of(fetches_.begin(), fetches_.end(), [&](const auto& entry) {
    return entry.second.purpose == Purpose::kRepair && entry.second.name == name;
  });
  if (!under_way) {
    repair(name, [](const FetchEnded&) {});
  }
}

void FetchService::count(const Fetching& fetching, const FetchEnded& ended) {
  if (fetching.purpose == Purpose::kWanted) {
    const bool found = ended.verdict == FetchVerdict::kFound;
    const bool absent = ended.verdict == FetchVerdict::kAbsent;
    totals_.found += found ? 1 : 0;
    totals_.absent += absent ? 1 : 0;
    totals_.unanswered += !found && !absent ? 1 : 0;
  }
  if (!fetching.bad_copy.empty()) {
    ++totals_.bad_copies;
    totals_.repaired += ended.verdict == FetchVerdict::kFound ? 1 : 0;
  }
}

// One line for each bad copy, whoever met it: a client, the scrub, a peer that lacks the file.
void FetchService::report_bad_copy(const Fetching& fetching, const FetchEnded& ended) {
  const std::string& name = fetching.name.text();
  const std::string what = "the copy of '" + name + "' here is bad (" + fetching.bad_copy + ")";
  const LogFields fields{{"MESSAGE_ID", std::string(kBadCopyMessage)}, {"PGWALSHIP_SEGMENT", name}};
  if (ended.verdict == FetchVerdict::kFound) {
    reported_bad_.erase(name);
    machine_.log.write(LogLevel::kWarning,
                       what + "; replaced " + ended.message + ", the bad one is in quarantine",
                       fields);
  } else if (reported_bad_.size() < kReportedMax && reported_bad_.insert(name).second) {
    machine_.log.write(LogLevel::kError,
                       what + " and could not be replaced, it goes to quarantine: " +
                           ended.message + (ended.hint.empty() ? "" : " (" + ended.hint + ")"),
                       fields);
  }
}

// Archives are compared by what headers say, so a bad copy that stays under its name looks as good
// as any to a peer. One that has a good copy sends it once the name is missing here.
void FetchService::put_away(const WalName& name) {
  std::ignore = machine_.quiet.post([this, name]() -> Worker::Completion {
    std::ignore = machine_.store.quarantine_corrupt(name);  // whoever meets it next tries again
    return [] {};
  });
}

void FetchService::relay(const WalName& name, std::size_t skip, RelayHandler on_message) {
  const FetchId id = next_fetch_++;
  auto on_answer = [on_message](const FetchEnded& ended) {
    if (ended.verdict != FetchVerdict::kFound) {
      on_message(Done{0, {}, Error{Errc::kRetry, ended.message, ended.hint}, {}});
    }
  };
  fetches_.emplace(id, Fetching{.id = id,
                                .name = name,
                                .purpose = Purpose::kRelay,
                                .on_answer = std::move(on_answer),
                                .on_message = std::move(on_message),
                                .skip = skip,
                                .moved_at = machine_.loop.now()});
  start(id, Duration::zero(), FetchPlan::LocalCopy::kAbsent, false);
}

void FetchService::restored(const WalName& name, std::uint32_t segment_bytes) {
  begin_ahead(prefetch_.restored(name, segment_bytes, machine_.loop.now()));
  keeper_.clean(machine_.loop.now());
}

void FetchService::begin_ahead(const std::vector<WalName>& names) {
  for (const WalName& name : names) {
    begin(name, Purpose::kAhead, Duration::zero(), [this, name](const FetchEnded& ended) {
      const bool found = ended.verdict == FetchVerdict::kFound;
      files_ahead_ += found && !ended.message.empty() ? 1 : 0;
      const auto outcome = found                                    ? Prefetch::Outcome::kHere
                           : ended.verdict == FetchVerdict::kAbsent ? Prefetch::Outcome::kAbsent
                                                                    : Prefetch::Outcome::kFailed;
      begin_ahead(prefetch_.ended(name, outcome, machine_.loop.now()));
    });
  }
}

void FetchService::begin(const WalName& name, Purpose purpose, Duration wait,
                         AnswerHandler on_answer) {
  const FetchId id = next_fetch_++;
  fetches_.emplace(id, Fetching{.id = id,
                                .name = name,
                                .purpose = purpose,
                                .on_answer = std::move(on_answer),
                                .moved_at = machine_.loop.now()});
  const bool alone = options_.nodes.size() < 2;
  Spool* const spool = spool_for(name, purpose);
  const std::uint64_t vanishings = machine_.index.vanishings();
  auto job = [this, id, name, purpose, wait, alone, spool, vanishings]() -> Worker::Completion {
    // In this order: an archive that became complete after the look did not give that look weight.
    const bool self_evidence = alone || machine_.store.reconciled();
    const Look found = look(name, purpose, spool);
    const FetchPlan::LocalCopy local = local_copy(machine_.store, name, found.facts);
    return [this, id, name, found, local, wait, self_evidence, vanishings] {
      const Result<FileFacts>& facts = found.facts;
      if (facts.ok()) {
        know_spooled(fetches_.at(id), found.spooled);
        if (!found.is_verified) {
          release_waiters(id);
        }
        act(id, FetchEnded{FetchVerdict::kFound, "", ""});
        return;
      }
      if (facts.error().code == Errc::kCorrupt) {
        fetches_.at(id).bad_copy = facts.error().message;
      }
      // What is in doubt may not have been recorded when the job looked.
      const bool doubt = machine_.index.in_doubt(name) || machine_.index.vanishings() != vanishings;
      start(
          id, wait,
          local == FetchPlan::LocalCopy::kAbsent && doubt ? FetchPlan::LocalCopy::kVanished : local,
          self_evidence);
    };
  };
  if (!reader(fetches_.at(id)).post(std::move(job))) {
    act(id, FetchEnded{FetchVerdict::kUnknown, queue_full().message, queue_full().hint});
  }
}

FetchService::Look FetchService::look(const WalName& name, Purpose purpose, Spool* spool) const {
  return purpose == Purpose::kAhead ? look_ahead(name, spool) : Look{machine_.store.verify(name)};
}

// What is here needs no reading ahead where it cannot be unpacked: whoever asks for it verifies it.
FetchService::Look FetchService::look_ahead(const WalName& name, Spool* spool) const {
  const Result<ArchiveFile> present = machine_.store.open(name);
  if (!present.ok()) {
    return {present.error()};
  }
  const std::optional<FileFacts>& claimed = present.value().facts;
  const auto raw =
      spool != nullptr && claimed ? spool->create(name, *claimed) : Error{Errc::kNotFound, "", ""};
  if (!raw.ok()) {
    return {.facts = claimed.value_or(FileFacts{}), .is_verified = false};
  }
  Look found{machine_.store.read_raw(name, spool_sink(raw.value().get()))};
  if (found.facts.ok() && found.facts.value().sha256 == claimed->sha256) {
    found.spooled = spool->publish(*raw.value());
  }
  return found;
}

Spool* FetchService::spool_for(const WalName& name, Purpose purpose) const {
  const bool may_be = purpose == Purpose::kWanted || purpose == Purpose::kAhead;
  return may_be ? keeper_.spool_for(name, whom(purpose), machine_.loop.now()) : nullptr;
}

SpoolKeeper::For FetchService::whom(Purpose purpose) {
  return purpose == Purpose::kWanted ? SpoolKeeper::For::kClient : SpoolKeeper::For::kRecovery;
}

void FetchService::know_spooled(const Fetching& fetching, const std::string& path) {
  keeper_.add(fetching.name, whom(fetching.purpose), path, machine_.loop.now());
}

Worker& FetchService::reader(const Fetching& fetching) const {
  return fetching.purpose == Purpose::kWanted ? machine_.scans : ahead_or_quiet(fetching);
}

Worker& FetchService::storer(const Fetching& fetching) const {
  return fetching.purpose == Purpose::kWanted ? machine_.disk : ahead_or_quiet(fetching);
}

Worker& FetchService::ahead_or_quiet(const Fetching& fetching) const {
  return fetching.purpose == Purpose::kAhead ? *machine_.ahead[fetching.id % machine_.ahead.size()]
                                             : machine_.quiet;
}

bool FetchService::is_stuck(const Fetching& fetching, TimePoint now) const {
  return now - fetching.moved_at >= kStuckAfter;
}

// Clients that wait for what does not come ahead after all are served as if it had never been
// tried.
void FetchService::release_waiters(FetchId id) {
  const WalName name = fetches_.at(id).name;
  for (Waiter& waiter : std::exchange(fetches_.at(id).waiters, {})) {
    begin(name, Purpose::kWanted, waiter.wait, std::move(waiter.on_answer));
  }
}

void FetchService::start(FetchId id, Duration wait, FetchPlan::LocalCopy local,
                         bool self_evidence) {
  Fetching& fetching = fetches_.at(id);
  FetchPlan::Options plan{&options_.nodes, &options_.quorum, options_.on_quorum_loss,
                          local,           self_evidence,    wait};
  plan.settle = fetching.purpose == Purpose::kWanted ? Duration::zero() : Duration(kSettleTime);
  plan.open_pulls = &open_pulls_;
  plan.skip = fetching.skip;
  plan.turn = fetching.name.kind() == WalKind::kHistory ? 0 : fetching.name.seg();
  fetching.plan = std::make_unique<FetchPlan>(plan, machine_.loop.now());
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
    if (fetching.source && fetching.source->peer == peer) {
      drop_source(fetching);
    }
    if (fetching.plan) {
      ids.push_back(id);
    }
  }
  for (const FetchId id : ids) {
    feed(id, PeerVanished{peer});
  }
}

TimePoint FetchService::tick(TimePoint now) {
  std::vector<FetchId> stuck;
  for (const auto& [id, fetching] : fetches_) {
    if (!fetching.waiters.empty() && is_stuck(fetching, now)) {
      stuck.push_back(id);
    }
  }
  for (const FetchId id : stuck) {
    release_waiters(id);
  }
  std::vector<FetchId> due;
  for (const auto& [id, fetching] : fetches_) {
    if (fetching.plan && fetching.plan->next_wakeup() <= now) {
      due.push_back(id);
    }
  }
  for (const FetchId id : due) {
    feed(id, FetchTick{});
  }
  TimePoint next = keeper_.tick(now);
  for (const auto& [id, fetching] : fetches_) {
    if (fetching.plan) {
      next = std::min(next, fetching.plan->next_wakeup());
    }
    if (!fetching.waiters.empty()) {
      next = std::min<TimePoint>(next, fetching.moved_at + kStuckAfter);
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
  const NodeId peer = action.peer;
  const bool is_wanted = fetching.purpose == Purpose::kWanted;
  ++open_pulls_[peer];
  if (fetching.purpose == Purpose::kRelay) {
    const std::uint64_t request = machine_.links.request(
        peer,
        [&](std::uint64_t get) -> Message {
          return Get{get, fetching.name};
        },
        [this, id](const Message& message) { pass_on(id, message); });
    fetching.source = Source{.peer = peer, .request = request};
    return;
  }
  FilePull::Wish wish{peer,
                      fetching.name,
                      is_wanted ? ArchiveStore::Reserve::kUse : ArchiveStore::Reserve::kKeep,
                      is_wanted ? Urgency::kWanted : Urgency::kAhead,
                      [this, id] { fetches_.at(id).moved_at = machine_.loop.now(); },
                      spool_for(fetching.name, fetching.purpose)};
  // Without room or with a broken disk here, every peer's file would fail alike.
  auto on_end = [this, id, peer](const Result<PutOutcome>& result, FilePull::Fault fault) {
    if (fault == FilePull::Fault::kHere) {
      end_source(id, StoreFailed{peer, result.error()});
    } else {
      if (result.ok()) {
        const Fetching& stored = fetches_.at(id);
        totals_.pulled_bytes += stored.source->pull->received_bytes();
        know_spooled(stored, stored.source->pull->spooled());
      }
      end_source(id, PullAnswered{peer, result.ok() ? Result<void>() : result.error()});
    }
  };
  fetching.source =
      Source{.peer = peer,
             .pull = FilePull::start({storer(fetching), machine_.links, machine_.store},
                                     std::move(wish), std::move(on_end))};
}

void FetchService::pass_on(FetchId id, const Message& message) {
  Fetching& fetching = fetches_.at(id);
  const NodeId peer = fetching.source->peer;
  if (const auto* done = std::get_if<Done>(&message)) {
    end_source(id, PullAnswered{peer, done->error ? *done->error
                                                  : Error{Errc::kProtocol, "no file came", ""}});
    return;
  }
  fetching.on_message(message);
  if (std::holds_alternative<GetEnd>(message)) {
    end_source(id, PullAnswered{peer, {}});
  }
}

void FetchService::end_source(FetchId id, const FetchEvent& event) {
  drop_source(fetches_.at(id));
  feed(id, event);
}

// Nothing comes of it any more.
void FetchService::drop_source(Fetching& fetching) {
  const Source source = *std::exchange(fetching.source, std::nullopt);
  --open_pulls_[source.peer];
  if (source.pull) {
    source.pull->abandon();
  } else if (machine_.links.is_up(source.peer)) {
    machine_.links.forget(source.peer, source.request);
  }
}

void FetchService::act(FetchId id, const FetchEnded& action) {
  const auto found = fetches_.find(id);
  CHECK(found != fetches_.end());
  count(found->second, action);
  if (!found->second.bad_copy.empty()) {
    report_bad_copy(found->second, action);
    if (action.verdict != FetchVerdict::kFound) {
      put_away(found->second.name);
    }
  }
  if (found->second.source) {
    drop_source(found->second);
  }
  if (action.verdict != FetchVerdict::kFound) {
    release_waiters(id);
  }
  const bool repaired = !found->second.bad_copy.empty() && action.verdict == FetchVerdict::kFound;
  const std::vector<Waiter> waiters = std::move(found->second.waiters);
  const AnswerHandler on_answer = std::move(found->second.on_answer);
  fetches_.erase(found);
  for (const Waiter& waiter : waiters) {
    waiter.on_answer(action);
  }
  on_answer(action);
  if (repaired && options_.on_repaired) {
    options_.on_repaired();
  }
}

}  // namespace pgwalship
