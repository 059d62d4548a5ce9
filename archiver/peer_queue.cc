#include "archiver/peer_queue.h"

#include <algorithm>
#include <string>

namespace pgwalship {

PeerQueue::Added PeerQueue::add_fresh(const WalName& name, const Sha256& sha256, PushId push) {
  const auto same = [&](const Item& item) { return item.sha256 == sha256 && item.name == name; };
  if (std::any_of(in_flight_.begin(), in_flight_.end(),
                  [&](const auto& entry) { return same(entry.second); })) {
    return Added::kOnTheWay;
  }
  const auto queued = std::find_if(fresh_.begin(), fresh_.end(), same);
  if (queued != fresh_.end()) {
    queued->push = push;
    return Added::kQueued;
  }
  Added added = Added::kQueued;
  if (fresh_.size() >= kFreshQueueMax) {
    fresh_.clear();
    added = Added::kOverflow;
  }
  const auto at = name.kind() != WalKind::kHistory
                      ? fresh_.end()
                      : std::find_if(fresh_.begin(), fresh_.end(), [](const Item& item) {
                          return item.name.kind() != WalKind::kHistory;
                        });
  fresh_.insert(at, Item{name, push, sha256, true, false});
  return added;
}

void PeerQueue::set_missing(std::vector<WalName> names) {
  missing_.clear();
  std::map<std::string, Item*> on_the_way;
  for (Item& item : fresh_) {
    on_the_way.emplace(item.name.text(), &item);
  }
  for (auto& [transfer, item] : in_flight_) {
    on_the_way.emplace(item.name.text(), &item);
  }
  for (WalName& name : names) {
    if (const auto item = on_the_way.find(name.text()); item != on_the_way.end()) {
      item->second->owed = true;
    } else {
      missing_.push_back(std::move(name));
    }
  }
}

std::optional<PeerQueue::Item> PeerQueue::start_next(TransferId transfer, Pace pace) {
  std::optional<Item> next;
  if (pace != Pace::kFull && !in_flight_.empty()) {
    return std::nullopt;
  }
  if (!fresh_.empty()) {
    if (fresh_in_flight_ >= kFreshInFlightMax) {
      return std::nullopt;
    }
    next = std::move(fresh_.front());
    fresh_.pop_front();
    ++fresh_in_flight_;
  } else if (pace != Pace::kFreshAlone && !missing_.empty() &&
             in_flight_.size() - fresh_in_flight_ < kCatchUpInFlightMax) {
    next = Item{std::move(missing_.front()), {}, {}, false, true};
    missing_.pop_front();
  } else {
    return std::nullopt;
  }
  in_flight_.emplace(transfer, *next);
  return next;
}

std::optional<PeerQueue::Item> PeerQueue::finish(TransferId transfer) {
  const auto found = in_flight_.find(transfer);
  if (found == in_flight_.end()) {
    return std::nullopt;
  }
  Item item = std::move(found->second);
  in_flight_.erase(found);
  fresh_in_flight_ -= item.fresh ? 1 : 0;
  return item;
}

void PeerQueue::drop(PushId push) {
  std::erase_if(fresh_, [&](const Item& item) { return item.push == push; });
}

void PeerQueue::hand_over(PushId push, PushId heir) {
  for (Item& item : fresh_) {
    item.push = item.push == push ? heir : item.push;
  }
}

void PeerQueue::clear() {
  fresh_.clear();
  missing_.clear();
  in_flight_.clear();
  fresh_in_flight_ = 0;
}

bool PeerQueue::owes() const {
  return !missing_.empty() || count_if([](const Item& item) { return item.owed; }) > 0;
}

std::size_t PeerQueue::count_if(const std::function<bool(const Item&)>& predicate) const {
  const auto fresh = std::count_if(fresh_.begin(), fresh_.end(), predicate);
  const auto in_flight = std::count_if(in_flight_.begin(), in_flight_.end(),
                                       [&](const auto& entry) { return predicate(entry.second); });
  return static_cast<std::size_t>(fresh + in_flight);
}

}  // namespace pgwalship
