#include "archiver/pull_queue.h"

#include "base/check.h"

#include <algorithm>

namespace pgwalship {

void PullQueue::set_found(NodeId peer, const Differences& differences) {
  forget_holder(peer);
  for (const WalName& name : differences.missing_here) {
    const auto under_way = std::find_if(in_flight_.begin(), in_flight_.end(), [&](const auto& it) {
      return it.second.pull.name == name;
    });
    if (under_way == in_flight_.end()) {
      missing_[name].insert(peer);
    } else if (under_way->second.pull.peer != peer) {
      under_way->second.others.insert(peer);
    }
  }
  for (const Differences::Conflict& conflict : differences.conflicting) {
    if (!is_in_flight(conflict.name)) {
      conflicting_.insert_or_assign({peer, conflict.name}, conflict);
    }
  }
}

void PullQueue::lose(NodeId peer) {
  forget_holder(peer);
  std::vector<TransferId> lost;
  for (const auto& [transfer, flight] : in_flight_) {
    if (flight.pull.peer == peer) {
      lost.push_back(transfer);
    }
  }
  for (const TransferId transfer : lost) {
    finish(transfer, Ended::kNotFromThere);
  }
}

void PullQueue::forget_holder(NodeId peer) {
  for (auto it = missing_.begin(); it != missing_.end();) {
    it->second.erase(peer);
    it = it->second.empty() ? missing_.erase(it) : std::next(it);
  }
  std::erase_if(conflicting_, [&](const auto& entry) { return entry.first.first == peer; });
  for (auto& [transfer, flight] : in_flight_) {
    flight.others.erase(peer);
  }
}

void PullQueue::arrived(const WalName& name) {
  missing_.erase(name);
}

bool PullQueue::is_in_flight(const WalName& name) const {
  return std::any_of(in_flight_.begin(), in_flight_.end(),
                     [&](const auto& entry) { return entry.second.pull.name == name; });
}

std::optional<PullQueue::InFlight> PullQueue::take_missing() {
  if (missing_.empty()) {
    return std::nullopt;
  }
  const bool history_first = missing_.begin()->first.kind() == WalKind::kHistory;
  auto node = missing_.extract(history_first ? missing_.begin() : std::prev(missing_.end()));
  std::set<NodeId> holders = std::move(node.mapped());
  const NodeId peer = *std::min_element(holders.begin(), holders.end(), [&](NodeId a, NodeId b) {
    return in_flight_from_[a] < in_flight_from_[b];
  });
  holders.erase(peer);
  ++missing_in_flight_;
  return InFlight{Pull{peer, std::move(node.key()), {}}, std::move(holders)};
}

std::optional<PullQueue::InFlight> PullQueue::take_conflicting() {
  const auto next = std::find_if(conflicting_.begin(), conflicting_.end(), [&](const auto& entry) {
    return !is_in_flight(entry.first.second);
  });
  if (next == conflicting_.end()) {
    return std::nullopt;
  }
  InFlight flight{Pull{next->first.first, next->first.second, next->second}, {}};
  conflicting_.erase(next);
  return flight;
}

std::optional<PullQueue::Pull> PullQueue::start_next(TransferId transfer) {
  std::optional<InFlight> flight = take_missing();
  if (!flight) {
    flight = take_conflicting();
  }
  if (!flight) {
    return std::nullopt;
  }
  ++in_flight_from_[flight->pull.peer];
  return in_flight_.emplace(transfer, std::move(*flight)).first->second.pull;
}

std::optional<PullQueue::Pull> PullQueue::find(TransferId transfer) const {
  const auto found = in_flight_.find(transfer);
  return found == in_flight_.end() ? std::nullopt : std::optional(found->second.pull);
}

void PullQueue::finish(TransferId transfer, Ended ended) {
  const auto found = in_flight_.find(transfer);
  CHECK(found != in_flight_.end());
  InFlight flight = std::move(found->second);
  in_flight_.erase(found);
  --in_flight_from_[flight.pull.peer];
  if (flight.pull.conflict) {
    return;  // the next comparison finds it again
  }
  --missing_in_flight_;
  if (ended == Ended::kAgain) {
    flight.others.insert(flight.pull.peer);
  }
  if (ended != Ended::kSettled && !flight.others.empty()) {
    missing_.emplace(std::move(flight.pull.name), std::move(flight.others));
  }
}

bool PullQueue::wants_from(NodeId peer) const {
  const auto from_peer = [&](const auto& entry) { return entry.second.contains(peer); };
  const auto under_way = [&](const auto& entry) { return entry.second.pull.peer == peer; };
  const auto conflict = [&](const auto& entry) { return entry.first.first == peer; };
  return std::any_of(missing_.begin(), missing_.end(), from_peer) ||
         std::any_of(in_flight_.begin(), in_flight_.end(), under_way) ||
         std::any_of(conflicting_.begin(), conflicting_.end(), conflict);
}

}  // namespace pgwalship
