// Which archives this one covers: it was seen to hold all that they hold. Whoever calls a new or
// replaced node complete must know that (H42): what the node has lost may be on others alone. Known
// anew since the last newcomer was met; a lost archive is lost before that. Pure.
#pragma once

#include "topology/node_list.h"
#include "wal/differences.h"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace pgwalship {

class Coverage {
 public:
  explicit Coverage(std::size_t nodes) : peers_(nodes) {}

  // A node whose archive is not complete: all must be looked at again.
  void meet_newcomer() { ++newcomers_; }
  void begin_comparison(NodeId peer) { peers_.at(peer).begun = newcomers_; }
  // `evidence_from`: what is missing below it in one of the two archives may have been there.
  void end_comparison(NodeId peer, const Differences& differences, SegmentPosition evidence_from) {
    Peer& known = peers_.at(peer);
    known.covered = differences.covers_theirs() ? known.begun : 0;
    known.floor = std::max(differences.floor, evidence_from);
  }

  bool covers(NodeId peer) const { return peers_.at(peer).covered == newcomers_; }
  // Down to which position; what is below was not looked at, or proves nothing.
  SegmentPosition floor(NodeId peer) const { return peers_.at(peer).floor; }

 private:
  struct Peer {
    std::uint64_t begun = 0;    // newcomers_ when the last comparison began
    std::uint64_t covered = 0;  // the same, when it found nothing missing here
    SegmentPosition floor = 0;
  };

  std::vector<Peer> peers_;      // by NodeId
  std::uint64_t newcomers_ = 1;  // met so far
};

}  // namespace pgwalship
