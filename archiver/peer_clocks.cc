#include "archiver/peer_clocks.h"

#include <algorithm>
#include <utility>

namespace pgwalship {
namespace {

using std::chrono::microseconds;

constexpr std::chrono::seconds kInterval{60};
// A busy link tells little; it is asked again soon.
constexpr std::chrono::seconds kErrorMax{1};
constexpr std::chrono::seconds kRetryInterval{5};

}  // namespace

ClockOffset clock_offset(WallTime asked, Duration round_trip, std::uint64_t peer_clock_us) {
  const auto half = std::chrono::duration_cast<microseconds>(round_trip) / 2;
  const auto here = std::chrono::duration_cast<microseconds>(asked.time_since_epoch()) + half;
  return {.ahead = microseconds(static_cast<std::int64_t>(peer_clock_us)) - here, .error = half};
}

PeerClocks::PeerClocks(NodeList nodes, const Clock& clock, LinkSet& links)
    : nodes_(std::move(nodes)), clock_(clock), links_(links), peers_(nodes_.size()) {
  links_.observe(*this);
}

void PeerClocks::on_up(NodeId peer, const Hello&) {
  peers_.at(peer) = {.ask_at = clock_.now(), .offset = {}};
}

void PeerClocks::on_down(NodeId peer, const Error&) {
  peers_.at(peer) = {};
}

TimePoint PeerClocks::tick(TimePoint now) {
  TimePoint next = kNever;
  for (NodeId id = 0; id < peers_.size(); ++id) {
    Peer& peer = peers_[id];
    if (peer.ask_at <= now) {
      peer.ask_at = now + kInterval;
      ask(id);
    }
    next = std::min(next, peer.ask_at);
  }
  return next;
}

void PeerClocks::ask(NodeId peer) {
  if (!links_.is_up(peer)) {
    return;
  }
  links_.request(
      peer, [](std::uint64_t id) -> Message { return MachineQuery{id}; },
      [this, peer, asked = clock_.now(), wall = clock_.wall()](const Message& answer) {
        const auto* facts = std::get_if<MachineFacts>(&answer);
        if (facts == nullptr) {
          return;
        }
        const ClockOffset offset = clock_offset(wall, clock_.now() - asked, facts->clock_us);
        if (offset.error <= kErrorMax) {
          peers_[peer].offset = offset;
        } else {
          peers_[peer].ask_at = std::min(peers_[peer].ask_at, clock_.now() + kRetryInterval);
        }
      });
}

}  // namespace pgwalship
