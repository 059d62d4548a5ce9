// The files that one peer is sent: which comes next, which are on their way. Fresh files, that a
// client waits for, go before the catch-up; history files before both kinds' segments. Pure.
#pragma once

#include "archiver/shipper_events.h"

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <vector>

namespace pgwalship {

// Files sent to one peer and not answered: enough to fill a long link, few enough to lose.
inline constexpr std::size_t kFreshInFlightMax = 16;
// Catch-up keeps the peer's disk busy without standing in the way of a fresh file.
inline constexpr std::size_t kCatchUpInFlightMax = 4;
inline constexpr std::size_t kFreshQueueMax = 1024;

class PeerQueue {
 public:
  struct Item {
    WalName name;
    std::optional<PushId> push;    // whose staged file may serve as the source
    std::optional<Sha256> sha256;  // of the push; unknown for catch-up
    bool fresh = false;
    bool owed = false;  // found missing by comparing: the peer is not current without it
  };

  // The same content under that name is sent once; the later push takes the earlier one's place
  // while it is not on its way. kOverflow: there were kFreshQueueMax already, which are forgotten.
  enum class Added { kQueued, kOnTheWay, kOverflow };
  Added add_fresh(const WalName& name, const Sha256& sha256, PushId push);
  // What a comparison has found missing; replaces what the last one found.
  void set_missing(std::vector<WalName> names);

  // The next file to go, which is on its way as `transfer` from now on; nothing while the places
  // are taken. A peer whose disk is full may be free again: one file at a time tries that, and when
  // it has been tried (kFreshAlone) only those do that a client waits for.
  enum class Pace { kFull, kOneByOne, kFreshAlone };
  std::optional<Item> start_next(TransferId transfer, Pace pace = Pace::kFull);
  // Answered; nothing when it is not on its way (of a session that is gone).
  std::optional<Item> finish(TransferId transfer);

  void drop(PushId push);                    // unless it is on its way
  void hand_over(PushId push, PushId heir);  // the same content
  void clear();

  bool owes() const;
  std::size_t in_flight() const { return in_flight_.size(); }
  std::size_t missing() const { return missing_.size(); }  // by comparing, and not on its way
  std::size_t size() const { return in_flight_.size() + fresh_.size() + missing_.size(); }
  // Of all fresh files and all that are on their way.
  std::size_t count_if(const std::function<bool(const Item&)>& predicate) const;

 private:
  std::deque<Item> fresh_;
  std::deque<WalName> missing_;
  std::map<TransferId, Item> in_flight_;
  std::size_t fresh_in_flight_ = 0;
};

}  // namespace pgwalship
