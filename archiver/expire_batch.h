// Nothing leaves that is not on the quorum: some files that the rules let go, and what the peers
// say about them just now. Pure.
//
// A file may go when the peers that hold it satisfy the quorum. A peer holds it that answers that
// it has it, with the same content where both know theirs; so does one where it has expired,
// because it left there under this same rule. A peer that is silent, or whose archive was never
// made complete from there on, does not count (ARCHITECTURE.md I3). Files go in order of position:
// the first that must stay keeps all after it, so that the archive has one floor.
#pragma once

#include "topology/quorum.h"
#include "transport/messages.h"
#include "wal/archive_store.h"

#include <optional>
#include <string>
#include <vector>

namespace pgwalship {

class ExpireBatch {
 public:
  struct Candidate {
    WalName name;
    std::optional<Sha256> sha256;  // nothing: a legacy file, or one that cannot be read
  };

  // `candidates` by position. The others are borrowed.
  ExpireBatch(const NodeList& nodes, const Quorum& quorum, std::vector<Candidate> candidates,
              std::uint32_t segment_bytes = 0);

  std::size_t size() const { return candidates_.size(); }
  const WalName& name(std::size_t index) const { return candidates_.at(index).name; }
  // What the peer says about a candidate. An Error, or no call at all, is silence.
  void answer(NodeId peer, std::size_t index, const Result<StatResult>& answer);

  struct Verdict {
    std::vector<WalName> go;  // the leading candidates that may
    std::string why;          // the next one must stay; empty when all may go
  };
  Verdict judge() const;

 private:
  std::string why_not(std::size_t index) const;

  const NodeList& nodes_;
  const Quorum& quorum_;
  const std::vector<Candidate> candidates_;
  const std::uint32_t segment_bytes_;           // 0: not known
  std::vector<NodeSet> holders_;                // by candidate
  std::vector<std::vector<std::string>> said_;  // by candidate and peer: why it does not count
  std::vector<SegmentPosition> needs_;          // by peer: what its server needs, 0: it did not say
};

}  // namespace pgwalship
