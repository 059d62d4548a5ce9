#include "archiver/expire_batch.h"

#include "archiver/retention.h"

#include <algorithm>

namespace pgwalship {

ExpireBatch::ExpireBatch(const NodeList& nodes, const Quorum& quorum,
                         std::vector<Candidate> candidates, std::uint32_t segment_bytes)
    : nodes_(nodes),
      quorum_(quorum),
      candidates_(std::move(candidates)),
      segment_bytes_(segment_bytes),
      holders_(candidates_.size(), NodeSet(nodes.size(), false)),
      said_(candidates_.size(), std::vector<std::string>(nodes.size(), "is silent")),
      needs_(nodes.size(), 0) {}

void ExpireBatch::answer(NodeId peer, std::size_t index, const Result<StatResult>& answer) {
  std::string& said = said_.at(index).at(peer);
  holders_.at(index).at(peer) = false;
  if (!answer.ok()) {
    said = "cannot say: " + answer.error().message;
    return;
  }
  const StatResult& stat = answer.value();
  needs_.at(peer) = std::max(needs_.at(peer), stat.needs);
  const std::optional<Sha256>& mine = candidates_.at(index).sha256;
  const bool knows_content = mine && stat.facts.sha256 != Sha256{};
  if (stat.presence == Presence::kAbsent || stat.presence == Presence::kVanished) {
    said = "does not have it";
  } else if (stat.presence == Presence::kCorrupt) {
    said = "has a corrupt copy";
  } else if (stat.presence == Presence::kPresent && knows_content && stat.facts.sha256 != *mine) {
    said = "has other content under the name";
  } else if (!stat.reconciled) {
    said = "was never made complete";
    said += stat.presence == Presence::kExpired ? " from there on" : "";
  } else {
    holders_.at(index).at(peer) = true;
    said.clear();
  }
}

ExpireBatch::Verdict ExpireBatch::judge() const {
  Verdict verdict;
  for (std::size_t index = 0; index < candidates_.size(); ++index) {
    verdict.why = why_not(index);
    if (!verdict.why.empty()) {
      break;
    }
    verdict.go.push_back(name(index));
  }
  // A position stays or goes as a whole.
  if (!verdict.why.empty()) {
    const SegmentPosition kept = name(verdict.go.size()).position();
    std::erase_if(verdict.go, [&](const WalName& gone) { return gone.position() >= kept; });
  }
  return verdict;
}

std::string ExpireBatch::why_not(std::size_t index) const {
  const WalName& candidate = name(index);
  for (NodeId peer = 0; peer < nodes_.size(); ++peer) {
    if (needs_.at(peer) != 0 && !candidate.is_below(needs_.at(peer))) {
      return "'" + candidate.text() + "' stays: the server of " + nodes_.at(peer).name +
             " needs from " + start_text(needs_.at(peer), segment_bytes_) + " on";
    }
  }
  if (quorum_.satisfied(nodes_, nodes_.self, holders_.at(index))) {
    return "";
  }
  std::string peers;
  for (NodeId peer = 0; peer < nodes_.size(); ++peer) {
    if (peer != nodes_.self && !said_.at(index).at(peer).empty()) {
      peers += (peers.empty() ? "" : ", ") + nodes_.at(peer).name + " " + said_.at(index).at(peer);
    }
  }
  return "'" + candidate.text() + "' stays: it is not on the quorum " + quorum_.text() + ": " +
         peers;
}

}  // namespace pgwalship
