// What this archive lacks and its peers hold, by comparing: which file is pulled from whom next.
// One pull of a name at a time over all peers; history files first, then from the newest back,
// because a peer that sends what is missing here begins at the oldest: the two meet. Pure.
#pragma once

#include "archiver/shipper_events.h"

#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace pgwalship {

class PullQueue {
 public:
  explicit PullQueue(std::size_t nodes) : in_flight_from_(nodes) {}

  // Replaces what the last comparison with that peer found.
  void set_found(NodeId peer, const Differences& differences);
  // The peer is gone, and all that was to come from it.
  void lose(NodeId peer);
  // It came by other ways.
  void arrived(const WalName& name);

  // The next pull, which is under way as `transfer` from now on; nothing when nothing is wanted.
  struct Pull {
    NodeId peer;
    WalName name;
    std::optional<Differences::Conflict> conflict;  // the name is taken here
  };
  std::optional<Pull> start_next(TransferId transfer);

  // How a pull ended, for its name: it is here, or settled otherwise; this peer cannot give it, but
  // another may; or it is to be tried again.
  enum class Ended { kSettled, kNotFromThere, kAgain };
  // Nothing when it is not under way (of a session that is gone).
  std::optional<Pull> find(TransferId transfer) const;
  void finish(TransferId transfer, Ended ended);

  std::size_t missing() const { return missing_.size() + missing_in_flight_; }  // names
  std::size_t in_flight() const { return in_flight_.size(); }
  bool idle() const { return missing_.empty() && conflicting_.empty() && in_flight_.empty(); }
  bool waiting() const { return !missing_.empty() || !conflicting_.empty(); }
  bool wants_from(NodeId peer) const;

 private:
  struct InFlight {
    Pull pull;
    std::set<NodeId> others;  // hold it, too
  };
  bool is_in_flight(const WalName& name) const;
  void forget_holder(NodeId peer);
  std::optional<InFlight> take_missing();
  std::optional<InFlight> take_conflicting();

  std::map<WalName, std::set<NodeId>> missing_;  // who holds it; without what is in flight
  std::map<std::pair<NodeId, WalName>, Differences::Conflict> conflicting_;
  std::map<TransferId, InFlight> in_flight_;
  std::size_t missing_in_flight_ = 0;
  std::vector<std::size_t> in_flight_from_;  // by NodeId
};

}  // namespace pgwalship
