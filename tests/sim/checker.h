// The judge. Knows what was offered, what was acknowledged and what lies on the disks; knows
// nothing of shippers, links and plans. Looks at disks only as a power failure would leave them, or
// as any reader sees them now. The first broken promise ends the run.
#pragma once

#include "tests/sim/content.h"
#include "tests/sim/disk.h"
#include "topology/quorum.h"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace pgwalship::sim {

class Checker {
 public:
  struct Options {
    std::vector<std::string> sites;  // of each node; empty: none
    std::string quorum;
  };

  // `disks` are borrowed, by NodeId.
  Checker(Options options, std::vector<NodeDisk*> disks);

  // The first violation, with the guarantee's number; nothing as long as all is well.
  const std::optional<std::string>& violation() const { return violation_; }
  void fail(const std::string& what);

  // What clients see ---------------------------------------------------------------------------
  void offered(const Content& content);
  void acknowledged(NodeId pusher, const Content& content);  // G1, G2
  void refused_as_conflict(NodeId pusher, const Content& content);
  bool is_acknowledged(const WalName& name) const { return acknowledged_.contains(name.text()); }
  bool is_contested(const WalName& name) const;
  // The name went to another content: a push of this one need not end.
  bool other_has_the_name(const Content& content) const;
  void fetched(NodeId node, const WalName& name, ByteView raw);  // G4
  // What was known when a fetch began.
  struct Known {
    bool acknowledged = false;
    std::set<NodeId> holders;
    std::uint64_t vanishings = 0;
  };
  Known known(const WalName& name) const;
  void told_absent(NodeId node, const WalName& name, const Known& before);  // G5

  // What may go --------------------------------------------------------------------------------
  // Before the first file goes.
  void floor_raised(NodeId node, SegmentPosition floor);
  // A daemon has decided to let these go, and nothing has rotted or was lost since it asked: H38.
  void expires(NodeId node, const std::vector<WalName>& names);
  bool expired_somewhere(const WalName& name) const;

  // A server has overwritten what was streamed to it; the daemon there had the time to archive it.
  void recycled(NodeId node, const Content& content);  // H41

  // What disks show ----------------------------------------------------------------------------
  void name_changed(NodeId node, const std::string& path);  // G2, G3
  void machine_crashed(NodeId node);                        // after the power was lost
  // On how many other nodes everything that was acknowledged is durable at least.
  std::size_t copies_besides(NodeId node) const;
  void disk_lost(NodeId node);  // before it is taken away
  // Whether the bytes under this name may rot: a good copy is durable elsewhere.
  bool may_rot(NodeId node, const std::string& name) const;
  bool anything_rotten() const;
  void rotted(NodeId node, const std::string& name);      // after its bytes have changed
  void taken_away(NodeId node, const std::string& name);  // by other hands, before it is
  // That is being found out: an answer that was given meanwhile may not know it.
  void vanishing(const std::string& name) { ++vanishings_[name]; }

  // L1, G7: what is missing for the archives to be equal; nothing when they are.
  std::optional<std::string> unequal() const;
  std::set<std::string> acknowledged_names() const;

 private:
  struct Acknowledgement {
    Sha256 hash;
    std::set<NodeId> holders;  // durable there at that time; may never lose it again
  };

  std::optional<Sha256> seen(NodeId node, const std::string& name) const;
  bool durable(NodeId node, const std::string& name, const Sha256& hash) const;
  bool is_rotten(NodeId node, const std::string& name) const;
  void audit(NodeId node, const std::string& name);
  bool is_wanted(NodeId node, const WalName& name) const;
  bool quorums_intersect() const;
  bool quorum_holds(NodeId pusher, const std::set<NodeId>& holders) const;

  const Options options_;
  const std::vector<NodeDisk*> disks_;
  std::optional<std::string> violation_;
  std::map<std::string, std::set<Sha256>> offered_;
  std::map<std::string, Acknowledgement> acknowledged_;
  std::vector<std::map<std::string, Sha256>> visible_;  // by node: what has been seen there
  // Contents of files that rotted.
  std::map<std::pair<NodeId, std::string>, std::set<Sha256>> rotten_;
  std::map<std::string, std::uint64_t> vanishings_;
  std::set<std::pair<NodeId, std::string>> taken_away_;  // at some time
  // Durable on a disk when it was taken away: an acknowledgement may still be under way.
  std::map<std::string, std::set<std::pair<NodeId, Sha256>>> on_lost_disks_;
  std::vector<SegmentPosition> floors_;       // by node
  std::vector<SegmentPosition> lost_floors_;  // of archives that this node has lost (seed 8916)
  SegmentPosition highest_floor_ = 0;         // that any archive had, if it is lost by now
};

}  // namespace pgwalship::sim
