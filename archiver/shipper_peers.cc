// What each peer is sent next, and which state that leaves it in.
#include "archiver/log_fields.h"
#include "archiver/shipper.h"

#include <algorithm>

namespace pgwalship {

void Shipper::become(NodeId id, PeerState state, TimePoint now) {
  Peer& peer = peers_[id];
  if (peer.view.state == state) {
    return;
  }
  // Tries of a peer in trouble do not begin its time anew: who watches that waits for minutes.
  if (!peer.in_trouble || state == PeerState::kCurrent || state == PeerState::kDown) {
    peer.view.since = now;
  }
  peer.view.state = state;
}

void Shipper::start_compare(NodeId id, TimePoint now) {
  Peer& peer = peers_[id];
  // A peer that lacks nothing stays so while the periodic comparison runs.
  if (peer.view.state != PeerState::kCurrent && peer.view.state != PeerState::kPulling) {
    become(id, PeerState::kComparing, now);
  }
  peer.view.comparing = true;
  peer.failed = false;
  peer.pull_failed = false;
  peer.progressed = false;
  peer.grew = false;
  peer.asked_for = false;
  peer.compare_at = kNever;
  coverage_.begin_comparison(id);
  actions_.emplace_back(Compare{id});
}

void Shipper::fall_behind(NodeId id, TimePoint now) {
  Peer& peer = peers_[id];
  become(id, PeerState::kBehind, now);
  peer.compare_at = now + peer.retry_delay;
  if (!std::exchange(peer.in_trouble, true)) {
    report(Gravity::kWarning,
           "peer " + name_of(id) + ": behind: " + peer.view.last_error + "; next try in " +
               std::to_string(std::chrono::ceil<std::chrono::seconds>(peer.retry_delay).count()) +
               " s",
           {{kPeerField, name_of(id)}});
  }
  peer.retry_delay = std::min<Duration>(peer.retry_delay * 2, kRetryMax);
}

void Shipper::enqueue_fresh(NodeId id, PushId push_id, TimePoint now) {
  const Push& push = pushes_.at(push_id);
  Peer& peer = peers_[id];
  if (!is_peer(id) || peer.view.state == PeerState::kDown || push.held_back ||
      (push.local.has_value() && !push.local->ok())) {
    return;
  }
  switch (peer.queue.add_fresh(push.name, push.sha256, push_id)) {
    case PeerQueue::Added::kOnTheWay:
      return;
    case PeerQueue::Added::kOverflow:
      peer.view.last_error = "more than " + std::to_string(kFreshQueueMax) + " files behind";
      if (peer.view.state != PeerState::kBehind) {
        fall_behind(id, now);
      }
      break;
    case PeerQueue::Added::kQueued:
      break;
  }
  fill(id);
}

void Shipper::fill(NodeId id) {
  Peer& peer = peers_[id];
  const auto pace = !peer.full    ? PeerQueue::Pace::kFull
                    : peer.failed ? PeerQueue::Pace::kFreshAlone
                                  : PeerQueue::Pace::kOneByOne;
  while (const std::optional<PeerQueue::Item> item = peer.queue.start_next(next_transfer_, pace)) {
    send(id, next_transfer_++, *item);
  }
  peer.view.in_flight = peer.queue.in_flight();
  peer.view.backlog = peer.queue.size() + peer.failed_files;
}

void Shipper::send(NodeId id, TransferId transfer, const PeerQueue::Item& item) {
  std::optional<PushId> staged;
  if (item.push.has_value()) {
    const auto push = pushes_.find(*item.push);
    // Once it is stored, the archive is the source: the staged file may go.
    if (push != pushes_.end() && !push->second.local.has_value()) {
      staged = item.push;
    }
  }
  actions_.emplace_back(SendFile{id, transfer, item.name, staged, item.fresh});
}

// Without what is not stored here yet: that is added when it is.
std::size_t Shipper::known_backlog(const Peer& peer) const {
  return peer.failed_files + peer.queue.missing() +
         peer.queue.count_if([&](const PeerQueue::Item& item) {
           const auto push = item.push.has_value() ? pushes_.find(*item.push) : pushes_.end();
           return push == pushes_.end() || push->second.local.has_value();
         });
}

// When the catch-up has run dry. Fresh files that came since the comparison do not matter: under
// load there always are some.
void Shipper::settle(NodeId id, TimePoint now) {
  Peer& peer = peers_[id];
  const bool waits_for_space = peer.full && peer.failed && peer.queue.in_flight() == 0;
  if (peer.view.comparing || (peer.queue.owes() && !waits_for_space) ||
      peer.view.state == PeerState::kDown || peer.view.state == PeerState::kBehind) {
    return;
  }
  if (peer.failed) {
    fall_behind(id, now);
    return;
  }
  // It lacks nothing now, which is all that it takes to count.
  if (peer.compare_at == kNever) {
    plan_next_comparison(id, now);
    // Nobody may be able to connect to this node. What a peer may be told, it may tell itself.
    if (!is_whole(options_.nodes.self) && covers_enough_for(options_.nodes.self)) {
      actions_.emplace_back(MarkReconciled{floor_of_completeness(), self_vanished_});
    }
  }
  if (pulls_.wants_from(id)) {
    become(id, PeerState::kPulling, now);
    return;
  }
  if (peer.pull_failed) {
    fall_behind(id, now);
    return;
  }
  if (peer.more && peer.progressed) {
    peer.compare_at = now;  // what the last one had no room for
    return;
  }
  if (peer.view.state != PeerState::kCurrent) {
    become(id, PeerState::kCurrent, now);
    peer.view.last_error.clear();
    peer.view.refuses = false;
    peer.retry_delay = kRetryMin;
    peer.in_trouble = false;
    report(Gravity::kInfo, "peer " + name_of(id) + ": current", {{kPeerField, name_of(id)}});
  }
}

void Shipper::settle_all(TimePoint now) {
  for (NodeId id = 0; id < peers_.size(); ++id) {
    if (is_peer(id)) {
      settle(id, now);
    }
  }
}

void Shipper::plan_next_comparison(NodeId id, TimePoint now) {
  Peer& peer = peers_[id];
  const bool in_haste = !is_whole(id) || (!coverage_.covers(id) && newcomer_connected());
  const auto interval = peer.asked_for ? std::chrono::seconds::zero()
                        : in_haste     ? kCompareIntervalNew
                        : peer.grew    ? kGrewCompareDelay
                                       : kCompareInterval;
  peer.compare_at = now + interval;
  if (!is_whole(id) && may_tell_reconciled(id)) {
    actions_.emplace_back(TellReconciled{id, floor_of_completeness(), peer.view.vanished});
  }
}

// Newcomers ------------------------------------------------------------------------------------

// What others hold must be known anew: the newcomer's lost archive may have been one of the few
// that had an acknowledged file.
void Shipper::meet_newcomer(NodeId newcomer, TimePoint now) {
  coverage_.meet_newcomer();
  ++newcomers_met_;
  for (NodeId id = 0; id < peers_.size(); ++id) {
    Peer& peer = peers_[id];
    new_cluster_ = new_cluster_ && !peer.view.reconciled;
    if (id != newcomer && peer.compare_at != kNever) {
      peer.compare_at = std::min(peer.compare_at, now);
    }
  }
}

void Shipper::note_self(const Compared& event, TimePoint now) {
  const bool was_known = std::exchange(self_known_, true);
  if (std::exchange(self_reconciled_, event.self_reconciled) == event.self_reconciled) {
    return;
  }
  if (!event.self_reconciled) {
    report(Gravity::kWarning,
           "the archive here was replaced, and does not count until it is complete again");
    meet_newcomer(options_.nodes.self, now);
  } else if (was_known) {
    report(Gravity::kInfo, "the archive here is complete, counts from now on");
  }
}

// An archive from which files have vanished is like a new one, but that what it stores counts.
void Shipper::note_vanished(const Compared& event, TimePoint now) {
  if (!event.differences.ok()) {
    return;  // perhaps nobody has looked
  }
  Peer& peer = peers_.at(event.peer);
  if (std::exchange(self_vanished_, event.self_vanished) != event.self_vanished &&
      self_vanished_ != 0) {
    meet_newcomer(options_.nodes.self, now);
  }
  if (std::exchange(peer.view.vanished, event.peer_vanished) != event.peer_vanished &&
      peer.view.vanished != 0) {
    meet_newcomer(event.peer, now);
  }
}

bool Shipper::is_whole(NodeId id) const {
  return is_peer(id) ? peers_[id].view.reconciled && peers_[id].view.vanished == 0
                     : self_reconciled_ && self_vanished_ == 0;
}

bool Shipper::newcomer_connected() const {
  for (NodeId id = 0; id < peers_.size(); ++id) {
    if (is_peer(id) ? peers_[id].view.state != PeerState::kDown && !is_whole(id)
                    : self_vanished_ != 0) {
      return true;
    }
  }
  return false;
}

// Whether a node that holds all that this one holds may be believed again. This archive and those
// that it covers show every acknowledged file, unless the rest could have acknowledged one together
// with what the newcomer has lost. When it covers everybody there is nothing more to know.
bool Shipper::covers_enough_for(NodeId newcomer) const {
  NodeSet seen(peers_.size(), false);
  bool everybody = true;
  for (NodeId id = 0; id < peers_.size(); ++id) {
    const bool known = !is_peer(id) || coverage_.covers(id);
    seen[id] = id != newcomer && known && (!is_peer(id) || is_whole(id));
    everybody = everybody && (known || id == newcomer);
  }
  return everybody ||
         absence_proven(options_.nodes, options_.quorum, options_.on_quorum_loss, seen);
}

// Files below the floor of an archive that was looked at were not, and those below its own floor it
// may have had; one that was made complete itself may have lost some: nobody who is called complete
// may be believed about them.
SegmentPosition Shipper::floor_of_completeness() const {
  SegmentPosition floor = 0;
  for (NodeId id = 0; id < peers_.size(); ++id) {
    if (is_peer(id)) {
      floor = std::max(floor, coverage_.floor(id));
    }
  }
  return floor;
}

// A node may call another complete when it is complete itself and knows enough. In a new cluster
// nobody is, and everybody may, once all were seen together.
bool Shipper::may_tell_reconciled(NodeId newcomer) {
  const auto is_new = [&](NodeId id) {
    return !is_peer(id) ||
           (peers_[id].view.state != PeerState::kDown && !peers_[id].view.reconciled);
  };
  bool all_new = !self_reconciled_;
  for (NodeId id = 0; id < peers_.size(); ++id) {
    all_new = all_new && is_new(id);
  }
  new_cluster_ = new_cluster_ || all_new;
  return self_reconciled_ ? self_vanished_ == 0 && covers_enough_for(newcomer) : new_cluster_;
}

}  // namespace pgwalship
