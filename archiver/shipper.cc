#include "archiver/shipper.h"

#include "archiver/log_fields.h"
#include "base/words.h"

#include <algorithm>

namespace pgwalship {

namespace {

// When the quorum has been out of reach for kOutageKnown, a push waits no longer than
// kOutagePatience for its return. PostgreSQL tries again anyway, and when it is stopped in the
// middle of its three tries it makes three more: those must end before a resource agent loses
// patience (H15).
constexpr std::chrono::seconds kOutageKnown{10};
constexpr std::chrono::seconds kOutagePatience{5};

constexpr std::string_view kSameRecordsText =
    "the archive had the same records with another unused tail, and keeps what it had";

}  // namespace

std::string_view to_word(PeerState state) {
  switch (state) {
    case PeerState::kDown:
      return "down";
    case PeerState::kComparing:
      return "comparing";
    case PeerState::kCatchingUp:
      return "catching_up";
    case PeerState::kPulling:
      return "pulling";
    case PeerState::kCurrent:
      return "current";
    case PeerState::kBehind:
      return "behind";
  }
  return "unknown";
}

Shipper::Shipper(Options options)
    : options_(std::move(options)),
      peers_(options_.nodes.size()),
      coverage_(options_.nodes.size()),
      pulls_(options_.nodes.size()) {
  CHECK(options_.nodes.self < options_.nodes.size());
}

ShipperActions Shipper::step(const ShipperEvent& event, TimePoint now) {
  actions_.clear();
  std::visit([&](const auto& e) { on(e, now); }, event);
  evaluate(now);
  fill_pulls(now);
  note_quorum(now);
  note_lags(now);
  return std::exchange(actions_, {});
}

TimePoint Shipper::next_wakeup() const {
  TimePoint next = std::min(pulls_wake_at_, quorum_alarm_at_);
  for (const Peer& peer : peers_) {
    if (peer.view.state != PeerState::kDown && !peer.view.comparing) {
      next = std::min(next, peer.compare_at);
    }
  }
  for (const auto& [id, push] : pushes_) {
    if (!push.replied) {
      next = std::min(next, push.deadline);
    }
  }
  return next;
}

// Events ---------------------------------------------------------------------------------------

void Shipper::on(const PushSubmitted& event, TimePoint now) {
  CHECK(!pushes_.contains(event.push));
  const bool rival = std::any_of(pushes_.begin(), pushes_.end(), [&](const auto& entry) {
    return entry.second.name == event.name && entry.second.sha256 != event.sha256;
  });
  const bool outage = quorum_held_ == false && now - quorum_changed_ >= kOutageKnown;
  pushes_.emplace(
      event.push,
      Push{.name = event.name,
           .sha256 = event.sha256,
           .deadline = outage ? std::min(event.deadline, now + kOutagePatience) : event.deadline,
           .peers = std::vector<Holding>(peers_.size()),
           .held_back = rival || event.local_name == LocalName::kTaken,
           .replied = false,
           .local = {},
           .conflict = {}});
  actions_.emplace_back(StoreLocally{event.push});
  for (NodeId id = 0; id < peers_.size(); ++id) {
    enqueue_fresh(id, event.push, now);
  }
}

void Shipper::on(const LocalStored& event, TimePoint now) {
  const auto found = pushes_.find(event.push);
  CHECK(found != pushes_.end());
  Push& push = found->second;
  push.local = event.result;
  if (event.result.ok()) {
    if (std::exchange(push.held_back, false)) {
      for (NodeId id = 0; id < peers_.size(); ++id) {
        enqueue_fresh(id, event.push, now);
      }
    }
    pulls_.arrived(push.name);
    settle_all(now);
    if (event.result.value() == PutOutcome::kSameRecords) {
      report(Gravity::kWarning, push.name.text() + ": " + std::string(kSameRecordsText),
             {{kSegmentField, push.name.text()}});
    }
    for (Peer& peer : peers_) {
      const bool is_new = event.result.value() == PutOutcome::kStored;
      peer.view.backlog += peer.view.state == PeerState::kDown && is_new ? 1 : 0;
    }
    return;
  }
  drop_queued(event.push);
  if (event.result.error().code == Errc::kConflict) {
    note_conflict(push.name, name_of(options_.nodes.self), event.result.error());
  }
}

void Shipper::on(const PeerGreeted& event, TimePoint now) {
  Peer& peer = peers_.at(event.peer);
  CHECK(is_peer(event.peer) && peer.view.state == PeerState::kDown);
  if (!event.reconciled) {
    meet_newcomer(event.peer, now);
  }
  peer.view.reconciled = event.reconciled;
  peer.view.last_error.clear();
  peer.view.refuses = false;
  peer.retry_delay = kRetryMin;
  peer.in_trouble = false;
  report(
      Gravity::kInfo, "peer " + name_of(event.peer) + ": connected",
      {{kMessageIdField, std::string(kPeerConnectedMessage)}, {kPeerField, name_of(event.peer)}});
  start_compare(event.peer, now);
  for (const auto& [id, push] : pushes_) {
    enqueue_fresh(event.peer, id, now);
  }
}

void Shipper::on(const PeerLost& event, TimePoint now) {
  Peer& peer = peers_.at(event.peer);
  const bool was_up = peer.view.state != PeerState::kDown;
  peer.view.last_error = event.reason;
  peer.view.hint = event.hint;
  if (was_up) {
    peer.view.backlog = known_backlog(peer);
  }
  peer.view.in_flight = 0;
  peer.queue.clear();
  peer.full = false;
  peer.failed_files = 0;
  pulls_.lose(event.peer);
  peer.view.comparing = false;
  peer.compare_at = kNever;
  if (was_up) {
    become(event.peer, PeerState::kDown, now);
  }
  report(Gravity::kWarning,
         "peer " + name_of(event.peer) + (was_up ? ": connection lost: " : ": cannot connect: ") +
             event.reason + (event.hint.empty() ? "" : " (" + event.hint + ")"),
         {{kMessageIdField, std::string(kPeerLostMessage)}, {kPeerField, name_of(event.peer)}});
}

void Shipper::on(const FileAnswered& event, TimePoint now) {
  Peer& peer = peers_.at(event.peer);
  const std::optional<PeerQueue::Item> found = peer.queue.finish(event.transfer);
  if (!found) {
    return;  // of a session that is gone
  }
  const PeerQueue::Item& item = *found;
  if (event.result.ok()) {
    ++peer.view.files_sent;
    peer.full = false;
    peer.progressed = true;
    peer.view.refuses = false;
    if (peer.view.state == PeerState::kCurrent) {
      peer.view.lags_since.reset();  // what is in flight under load is no lag
    }
    mark(event.peer, item, Holding::kDurable, nullptr);
  } else if (event.result.error().code == Errc::kConflict) {
    mark(event.peer, item, Holding::kConflict, &event.result.error());
    note_conflict(item.name, name_of(event.peer), event.result.error());
  } else {
    const bool full = event.result.error().code == Errc::kNoSpace;
    mark(event.peer, item, full ? Holding::kNoSpace : Holding::kUnknown, nullptr);
    peer.failed = true;
    peer.full = full;
    ++peer.failed_files;
    peer.view.last_error = item.name.text() + ": " + event.result.error().message;
    peer.view.refuses = peer.view.refuses || (item.fresh && is_refusal(event.result.error().code));
    if (peer.view.state == PeerState::kCurrent) {
      fall_behind(event.peer, now);
    }
  }
  fill(event.peer);
  settle(event.peer, now);
}

void Shipper::on(const Compared& event, TimePoint now) {
  Peer& peer = peers_.at(event.peer);
  note_self(event, now);
  note_vanished(event, now);
  if (!peer.view.comparing) {
    return;  // the session it was asked in is gone
  }
  peer.view.comparing = false;
  ++peer.view.compared;
  if (event.peer_reconciled.has_value()) {
    if (peer.view.reconciled && !*event.peer_reconciled) {
      report(Gravity::kWarning, "peer " + name_of(event.peer) +
                                    ": its archive was replaced, and does not count until it is "
                                    "complete again");
      meet_newcomer(event.peer, now);
    }
    peer.view.reconciled = *event.peer_reconciled;
  }
  if (!event.differences.ok()) {
    peer.failed = true;
    peer.view.last_error = event.differences.error().message;
    fall_behind(event.peer, now);
    return;
  }
  const Differences& differences = event.differences.value();
  forget_conflicts(event.peer, differences);
  coverage_.end_comparison(event.peer, differences, event.evidence_from);
  peer.more = differences.more;
  peer.failed_files = 0;
  peer.differing = differences.conflicting;
  peer.view.conflicting = peer.differing.size();
  if (pulls_.idle()) {
    pulls_ripe_at_ = std::max<TimePoint>(pulls_ripe_at_, now + kPullPatience);
  }
  pulls_.set_found(event.peer, differences);
  // What a client waits for does not wait behind the catch-up.
  peer.queue.set_missing({});
  for (const auto& [id, push] : pushes_) {
    const Holding holding = push.peers[event.peer];
    if (!push.replied && (holding == Holding::kUnknown || holding == Holding::kNoSpace)) {
      enqueue_fresh(event.peer, id, now);
    }
  }
  peer.queue.set_missing(differences.missing_there);
  const std::size_t missing = peer.queue.missing();
  if (missing > 0 || (peer.view.state != PeerState::kCurrent && peer.queue.owes())) {
    become(event.peer, PeerState::kCatchingUp, now);
  }
  if (missing > 0 && !peer.in_trouble) {
    report(Gravity::kInfo,
           "peer " + name_of(event.peer) + ": catching up, " + counted(missing, "file"),
           {{kPeerField, name_of(event.peer)}});
  }
  fill(event.peer);
  settle(event.peer, now);
}

void Shipper::on(const ReconciledAnswered& event, TimePoint now) {
  Peer& peer = peers_.at(event.peer);
  if (peer.view.state == PeerState::kDown) {
    return;
  }
  if (event.result.ok()) {
    const bool is_new = !peer.view.reconciled;
    peer.view.reconciled = true;
    peer.view.vanished = 0;  // the next comparison says whether more has
    if (peer.view.state == PeerState::kCurrent) {
      peer.view.last_error.clear();
    }
    if (peer.compare_at != kNever && peer.view.state != PeerState::kBehind) {
      plan_next_comparison(event.peer, now);
    }
    report(Gravity::kInfo,
           "peer " + name_of(event.peer) +
               (is_new ? ": complete, counts from now on"
                       : ": complete again after files had vanished"),
           {{kPeerField, name_of(event.peer)}});
  } else {
    peer.view.last_error = event.result.error().message;
  }
}

void Shipper::on(const PgWalSpace& event, TimePoint) {
  pg_wal_free_ = event.free_bytes;
}

void Shipper::on(const ArchiveGrew&, TimePoint now) {
  for (Peer& peer : peers_) {
    peer.grew = peer.compare_at == kNever;
    // A peer in trouble keeps its own pace.
    if (!peer.grew && peer.view.state != PeerState::kBehind) {
      peer.compare_at = std::min(peer.compare_at, now + kGrewCompareDelay);
    }
  }
}

// After the one that is on, which may have looked already, and after the catch-up.
void Shipper::on(const CompareNow& event, TimePoint now) {
  Peer& peer = peers_.at(event.peer);
  if (!is_peer(event.peer) || peer.view.state == PeerState::kDown) {
    return;
  }
  pulls_ripe_at_ = std::min(pulls_ripe_at_, now);  // what was asked for is tried at once
  if (peer.view.comparing || peer.compare_at == kNever) {
    peer.asked_for = true;
    return;
  }
  start_compare(event.peer, now);
}

void Shipper::on(const Tick&, TimePoint now) {
  for (NodeId id = 0; id < peers_.size(); ++id) {
    const Peer& peer = peers_[id];
    if (peer.view.state != PeerState::kDown && !peer.view.comparing && peer.compare_at <= now) {
      start_compare(id, now);
    }
  }
}

// Pushes ---------------------------------------------------------------------------------------

void Shipper::mark(NodeId peer, const PeerQueue::Item& item, Holding holding,
                   const Error* conflict) {
  for (auto& [id, push] : pushes_) {
    if (!(push.name == item.name)) {
      continue;
    }
    // A catch-up file came from the archive: it is this push's content once that was stored there.
    const bool same_content = item.sha256.has_value() ? item.sha256 == push.sha256
                                                      : push.local.has_value() && push.local->ok();
    // A later failure takes back nothing that the peer has once answered for good.
    const bool failed = holding == Holding::kUnknown || holding == Holding::kNoSpace;
    const bool known =
        push.peers[peer] == Holding::kDurable || push.peers[peer] == Holding::kConflict;
    if (same_content && !(failed && known)) {
      push.peers[peer] = holding;
      if (conflict != nullptr && !push.conflict.has_value()) {
        push.conflict = conflict->within(name_of(peer));
      }
    }
  }
}

// Unless another open push of the same content still wants it sent.
void Shipper::drop_queued(PushId id) {
  const Push& dropped = pushes_.at(id);
  const auto twin = std::find_if(pushes_.begin(), pushes_.end(), [&](const auto& entry) {
    const Push& push = entry.second;
    return entry.first != id && push.name == dropped.name && push.sha256 == dropped.sha256 &&
           !(push.local.has_value() && !push.local->ok());
  });
  for (NodeId peer = 0; peer < peers_.size(); ++peer) {
    if (twin == pushes_.end()) {
      peers_[peer].queue.drop(id);
    } else {
      peers_[peer].queue.hand_over(id, twin->first);
    }
    if (peers_[peer].view.state != PeerState::kDown) {
      fill(peer);
    }
  }
}

NodeSet Shipper::holders(const Push& push) const {
  NodeSet set(peers_.size());
  for (NodeId id = 0; id < peers_.size(); ++id) {
    set[id] = is_peer(id) && peers_[id].view.reconciled && push.peers[id] == Holding::kDurable;
  }
  return set;
}

std::optional<Result<std::string>> Shipper::verdict(const Push& push, TimePoint now) {
  if (push.local.has_value() && !push.local->ok()) {
    return push.local->error();
  }
  const NodeId self = options_.nodes.self;
  if (push.local.has_value() && options_.quorum.satisfied(options_.nodes, self, holders(push))) {
    return Result<std::string>(std::string(
        push.local->value() == PutOutcome::kSameRecords ? kSameRecordsText : std::string_view()));
  }
  if (push.conflict.has_value()) {
    NodeSet possible(peers_.size(), true);
    for (NodeId id = 0; id < peers_.size(); ++id) {
      possible[id] = push.peers[id] != Holding::kConflict;
    }
    if (!options_.quorum.satisfied(options_.nodes, self, possible)) {
      return *push.conflict;
    }
  }
  if (now < push.deadline) {
    return std::nullopt;
  }
  const std::string waiting = waiting_text(push, now);
  if (push.local.has_value() && options_.on_quorum_loss == OnQuorumLoss::kLocal &&
      pg_wal_free_.has_value() && *pg_wal_free_ < options_.pg_wal_minimum_free) {
    const std::string text = "acknowledged with the local copy alone (on-quorum-loss = local, " +
                             std::to_string(*pg_wal_free_ >> 20U) +
                             " MB free for pg_wal): " + waiting;
    report(Gravity::kError, push.name.text() + ": " + text, {{kSegmentField, push.name.text()}});
    return Result<std::string>(text);
  }
  // Space alone is missing when the peers that refused for lack of it would complete the quorum. It
  // is not said before the deadline: space may be freed there, another peer may come, and
  // PostgreSQL would only ask again at once.
  NodeSet with_space = holders(push);
  std::string full;
  for (NodeId id = 0; id < peers_.size(); ++id) {
    if (push.peers[id] == Holding::kNoSpace && peers_[id].view.reconciled) {
      with_space[id] = true;
      full += (full.empty() ? "" : ", ") + name_of(id);
    }
  }
  if (push.local.has_value() && options_.quorum.satisfied(options_.nodes, self, with_space)) {
    return Error{Errc::kNoSpace, waiting, "free space in the archive of " + full};
  }
  return Error{Errc::kTimeout, waiting, "pgwalship status shows the peers and their last errors"};
}

void Shipper::evaluate(TimePoint now) {
  for (auto it = pushes_.begin(); it != pushes_.end();) {
    Push& push = it->second;
    if (!push.replied) {
      if (auto result = verdict(push, now); result.has_value()) {
        push.replied = true;
        actions_.emplace_back(Reply{it->first, std::move(*result)});
      }
    }
    it = push.replied && push.local.has_value() ? pushes_.erase(it) : std::next(it);
  }
}

}  // namespace pgwalship
