// What each peer is sent next, and which state that leaves it in.
#include "archiver/shipper.h"

#include <algorithm>

namespace pgwalship {

void Shipper::become(NodeId id, PeerState state, TimePoint now) {
  Peer& peer = peers_[id];
  if (peer.view.state != state) {
    peer.view.state = state;
    peer.view.since = now;
  }
}

void Shipper::start_compare(NodeId id, TimePoint now) {
  Peer& peer = peers_[id];
  // A current peer stays current while the periodic comparison runs.
  if (peer.view.state != PeerState::kCurrent) {
    become(id, PeerState::kComparing, now);
  }
  peer.comparing = true;
  peer.failed = false;
  peer.compare_at = kNever;
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
               " s");
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
  const auto same = [&](const Item& item) {
    return item.sha256 == push.sha256 && item.name == push.name;
  };
  if (std::any_of(peer.in_flight.begin(), peer.in_flight.end(),
                  [&](const auto& entry) { return same(entry.second); })) {
    return;
  }
  const auto queued = std::find_if(peer.fresh.begin(), peer.fresh.end(), same);
  if (queued != peer.fresh.end()) {
    queued->push = push_id;
    return;
  }
  if (peer.fresh.size() >= kFreshQueueMax) {
    peer.fresh.clear();
    peer.view.last_error = "more than " + std::to_string(kFreshQueueMax) + " files behind";
    if (peer.view.state != PeerState::kBehind) {
      fall_behind(id, now);
    }
  }
  const auto at = push.name.kind() != WalKind::kHistory
                      ? peer.fresh.end()
                      : std::find_if(peer.fresh.begin(), peer.fresh.end(), [](const Item& item) {
                          return item.name.kind() != WalKind::kHistory;
                        });
  peer.fresh.insert(at, Item{push.name, push_id, push.sha256, true, false});
  fill(id);
}

void Shipper::fill(NodeId id) {
  Peer& peer = peers_[id];
  while (!peer.fresh.empty() && peer.fresh_in_flight < kFreshInFlightMax) {
    Item item = std::move(peer.fresh.front());
    peer.fresh.pop_front();
    send(id, std::move(item));
  }
  while (!peer.missing.empty() && peer.fresh.empty() &&
         peer.in_flight.size() - peer.fresh_in_flight < kCatchUpInFlightMax) {
    Item item{std::move(peer.missing.front()), {}, {}, false, true};
    peer.missing.pop_front();
    send(id, std::move(item));
  }
  peer.view.in_flight = peer.in_flight.size();
  peer.view.backlog = peer.in_flight.size() + peer.fresh.size() + peer.missing.size();
}

void Shipper::send(NodeId id, Item item) {
  Peer& peer = peers_[id];
  std::optional<PushId> staged;
  if (item.push.has_value()) {
    const auto push = pushes_.find(*item.push);
    // Once it is stored, the archive is the source: the staged file may go.
    if (push != pushes_.end() && !push->second.local.has_value()) {
      staged = item.push;
    }
  }
  const TransferId transfer = next_transfer_++;
  actions_.emplace_back(SendFile{id, transfer, item.name, staged, item.fresh});
  peer.fresh_in_flight += item.fresh ? 1 : 0;
  peer.in_flight.emplace(transfer, std::move(item));
}

bool Shipper::owes(const Peer& peer) {
  const auto owed = [](const Item& item) { return item.owed; };
  return !peer.missing.empty() || std::any_of(peer.fresh.begin(), peer.fresh.end(), owed) ||
         std::any_of(peer.in_flight.begin(), peer.in_flight.end(),
                     [&](const auto& entry) { return owed(entry.second); });
}

// Without what is not stored here yet: that is added when it is.
std::size_t Shipper::known_backlog(const Peer& peer) const {
  const auto known = [&](const Item& item) {
    const auto push = item.push.has_value() ? pushes_.find(*item.push) : pushes_.end();
    return push == pushes_.end() || push->second.local.has_value();
  };
  const auto fresh = std::count_if(peer.fresh.begin(), peer.fresh.end(), known);
  const auto in_flight = std::count_if(peer.in_flight.begin(), peer.in_flight.end(),
                                       [&](const auto& entry) { return known(entry.second); });
  return peer.missing.size() + static_cast<std::size_t>(fresh + in_flight);
}

// When the catch-up has run dry. Fresh files that came since the comparison do not matter: under
// load there always are some.
void Shipper::settle(NodeId id, TimePoint now) {
  Peer& peer = peers_[id];
  if (peer.comparing || owes(peer) || peer.view.state == PeerState::kDown ||
      peer.view.state == PeerState::kBehind) {
    return;
  }
  if (peer.failed) {
    fall_behind(id, now);
    return;
  }
  if (peer.view.state != PeerState::kCurrent) {
    become(id, PeerState::kCurrent, now);
    peer.view.last_error.clear();
    peer.view.refuses = false;
    peer.retry_delay = kRetryMin;
    peer.in_trouble = false;
    report(Gravity::kInfo, "peer " + name_of(id) + ": current");
  }
  if (peer.compare_at == kNever) {
    peer.compare_at = now + (peer.view.reconciled ? kCompareInterval : kCompareIntervalNew);
    if (!peer.view.reconciled && may_tell_reconciled()) {
      actions_.emplace_back(TellReconciled{id});
    }
  }
}

// A node may call another complete when it is complete itself. In a new cluster nobody is, and
// everybody may, once all were seen together.
bool Shipper::may_tell_reconciled() {
  const auto is_new = [&](NodeId id) {
    return !is_peer(id) ||
           (peers_[id].view.state != PeerState::kDown && !peers_[id].view.reconciled);
  };
  bool all_new = !self_reconciled_;
  for (NodeId id = 0; id < peers_.size(); ++id) {
    all_new = all_new && is_new(id);
  }
  new_cluster_ = new_cluster_ || all_new;
  return self_reconciled_ || new_cluster_;
}

}  // namespace pgwalship
