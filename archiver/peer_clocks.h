// How far each peer's clock is off: asked over the link when it comes up, and every minute. PITR by
// time, and days of [retention], mean little when clocks differ. Loop thread only.
#pragma once

#include "base/event_loop.h"
#include "topology/node_list.h"
#include "transport/link_set.h"

#include <chrono>
#include <optional>
#include <vector>

namespace pgwalship {

// The peer's clock shows `ahead` more than this node's, give or take `error`.
struct ClockOffset {
  std::chrono::microseconds ahead{};
  std::chrono::microseconds error{};
};

// From one question: when it was asked and answered by the clocks here, and the clock there. The
// answer was given half-way, give or take half the way.
ClockOffset clock_offset(WallTime asked, Duration round_trip, std::uint64_t peer_clock_us);

class PeerClocks final : public LinkSet::Observer {
 public:
  // All borrowed but the list.
  PeerClocks(NodeList nodes, const Clock& clock, LinkSet& links);
  PeerClocks(const PeerClocks&) = delete;
  PeerClocks& operator=(const PeerClocks&) = delete;

  // Nothing while the peer is away, or has not told yet.
  std::optional<ClockOffset> offset(NodeId peer) const { return peers_.at(peer).offset; }

  void on_up(NodeId peer, const Hello& theirs) override;
  void on_down(NodeId peer, const Error& reason) override;
  // For EventLoop::on_turn.
  TimePoint tick(TimePoint now);

 private:
  struct Peer {
    TimePoint ask_at = kNever;
    std::optional<ClockOffset> offset;
  };

  void ask(NodeId peer);

  const NodeList nodes_;
  const Clock& clock_;
  LinkSet& links_;
  std::vector<Peer> peers_;  // by NodeId
};

}  // namespace pgwalship
