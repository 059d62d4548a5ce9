#include "tests/sim/checker.h"

#include "tests/sim/receiver_process.h"
#include "tests/topology/naive_quorum.h"
#include "wal/archive_layout.h"

#include <algorithm>

namespace pgwalship::sim {

namespace {

std::string path_of(const std::string& name) {
  return std::string(kArchiveDirectory) + "/" + name + ".gz";
}

std::string short_hex(const Sha256& hash) {
  return hash.hex().substr(0, 8);
}

}  // namespace

Checker::Checker(Options options, std::vector<NodeDisk*> disks)
    : options_(std::move(options)),
      disks_(std::move(disks)),
      visible_(disks_.size()),
      floors_(disks_.size()),
      lost_floors_(disks_.size()) {}

void Checker::fail(const std::string& what) {
  if (!violation_) {
    violation_ = what;
  }
}

// What clients see -------------------------------------------------------------------------------

void Checker::offered(const Content& content) {
  offered_[content.name.text()].insert(content.facts.sha256);
}

void Checker::acknowledged(NodeId pusher, const Content& content) {
  const std::string& name = content.name.text();
  const Sha256& hash = content.facts.sha256;
  std::set<NodeId> holders;
  std::set<NodeId> counted;
  for (NodeId node = 0; node < disks_.size(); ++node) {
    if (durable(node, name, hash)) {
      if (!content.name.is_below(floors_[node])) {
        holders.insert(node);
      }
      counted.insert(node);
    } else if (on_lost_disks_[name].contains({node, hash}) ||
               content.name.is_below(std::max(floors_[node], lost_floors_[node]))) {
      counted.insert(node);
    }
  }
  if (!counted.contains(pusher)) {
    fail("G1: " + name + " was acknowledged on " + node_name(pusher) + " and is not durable there");
  }
  if (!quorum_holds(pusher, counted)) {
    std::string where;
    for (const NodeId node : counted) {
      where += " " + node_name(node);
    }
    fail("G1: " + name + " was acknowledged on " + node_name(pusher) + " and is durable only on" +
         where + "; quorum " + options_.quorum);
  }
  const auto [entry, is_first] = acknowledged_.try_emplace(name, Acknowledgement{hash, {}});
  // What has expired is forgotten, and its name may be used again (seed 2883). So is what has
  // rotted where both quorums meet: whoever comes first then has the name there (seed 12427).
  const bool rotted = std::any_of(holders.begin(), holders.end(), [&](NodeId node) {
    return rotten_.contains({node, name});
  });
  if (!is_first && entry->second.hash != hash && quorums_intersect() && !rotted &&
      !expired_somewhere(content.name)) {
    fail("G2: " + name + " was acknowledged with two contents, " + short_hex(hash) + " and " +
         short_hex(entry->second.hash));
  }
  if (is_first || entry->second.hash == hash) {
    entry->second.holders.insert(holders.begin(), holders.end());
  }
}

void Checker::refused_as_conflict(NodeId pusher, const Content& content) {
  if (!is_contested(content.name)) {
    fail("H3: " + content.name.text() + " of " + node_name(pusher) +
         " was called a conflict, and everybody pushed the same");
  }
}

bool Checker::is_contested(const WalName& name) const {
  const auto found = offered_.find(name.text());
  return found != offered_.end() && found->second.size() > 1;
}

bool Checker::other_has_the_name(const Content& content) const {
  const std::string& name = content.name.text();
  const auto found = acknowledged_.find(name);
  if (found != acknowledged_.end() && found->second.hash != content.facts.sha256) {
    return true;
  }
  for (NodeId node = 0; node < disks_.size(); ++node) {
    const std::optional<Sha256> hash = seen(node, name);
    if (hash && *hash != Sha256{} && *hash != content.facts.sha256) {
      return true;
    }
  }
  return false;
}

void Checker::fetched(NodeId node, const WalName& name, ByteView raw) {
  const Sha256 hash = sha256(raw);
  const auto found = offered_.find(name.text());
  if (found == offered_.end() || !found->second.contains(hash)) {
    fail("G4: a fetch on " + node_name(node) + " of " + name.text() + " gave what nobody pushed");
  }
}

Checker::Known Checker::known(const WalName& name) const {
  Known known{is_acknowledged(name), {}, 0};
  if (const auto found = vanishings_.find(name.text()); found != vanishings_.end()) {
    known.vanishings = found->second;
  }
  for (NodeId node = 0; node < disks_.size(); ++node) {
    if (visible_[node].contains(name.text())) {
      known.holders.insert(node);
    }
  }
  return known;
}

// What has expired everywhere is absent, and so may be called what came to a node or left one in
// the meantime. What a node holds all the while, silent or not, is not.
void Checker::told_absent(NodeId node, const WalName& name, const Known& before) {
  if (!before.acknowledged || known(name).vanishings != before.vanishings) {
    return;
  }
  const bool held = std::any_of(before.holders.begin(), before.holders.end(), [&](NodeId holder) {
    return visible_[holder].contains(name.text());
  });
  if (held || !expired_somewhere(name)) {
    fail("G5: " + node_name(node) + " called " + name.text() +
         " absent; it was acknowledged before");
  }
}

void Checker::recycled(NodeId node, const Content& content) {
  const std::string& name = content.name.text();
  if (seen(node, name) != content.facts.sha256 && !rotten_.contains({node, name}) &&
      !taken_away_.contains({node, name}) && !content.name.is_below(floors_[node])) {
    fail("H41: " + name + " was streamed to " + node_name(node) +
         " and recycled, and its archive has not got it");
  }
}

// What may go ------------------------------------------------------------------------------------

void Checker::floor_raised(NodeId node, SegmentPosition floor) {
  floors_[node] = std::max(floors_[node], floor);
  highest_floor_ = std::max(highest_floor_, floor);
  for (auto& [name, acknowledgement] : acknowledged_) {
    if (WalName::parse(name).value().is_below(floor)) {
      acknowledgement.holders.erase(node);
    }
  }
}

// Who follows another's floor may count it as a holder: there the rule was kept.
void Checker::expires(NodeId node, const std::vector<WalName>& names) {
  for (const WalName& name : names) {
    const auto known = acknowledged_.find(name.text());
    if (known == acknowledged_.end() || is_contested(name) || expired_somewhere(name)) {
      continue;
    }
    std::set<NodeId> holders{node};
    for (NodeId other = 0; other < disks_.size(); ++other) {
      if (durable(other, name.text(), known->second.hash)) {
        holders.insert(other);
      }
    }
    if (!quorum_holds(node, holders)) {
      fail("H38: " + node_name(node) + " lets " + name.text() + " go, which is not on the quorum");
    }
  }
}

bool Checker::expired_somewhere(const WalName& name) const {
  return name.is_below(highest_floor_);
}

// What disks show --------------------------------------------------------------------------------

std::optional<Sha256> Checker::seen(NodeId node, const std::string& name) const {
  const MemoryFileSystem& memory = *disks_[node]->memory;
  if (!memory.stat(path_of(name)).ok()) {
    return std::nullopt;
  }
  const auto hash = verified_hash(WalName::parse(name).value(), memory.content(path_of(name)));
  return hash ? *hash : Sha256{};
}

bool Checker::durable(NodeId node, const std::string& name, const Sha256& hash) const {
  return disks_[node]->memory->is_durable(path_of(name)) && seen(node, name) == hash;
}

void Checker::audit(NodeId node, const std::string& name) {
  std::optional<Sha256> now = seen(node, name);
  if (now && *now == Sha256{} && is_rotten(node, name)) {
    now.reset();  // as the disk has made it; until it is replaced nobody may serve it (G4)
  }
  auto& visible = visible_[node];
  const auto before = visible.find(name);
  if (now && *now == Sha256{}) {
    fail("G3: " + name + " on " + node_name(node) + " is visible and does not verify");
  } else if (now && before != visible.end() && before->second != *now) {
    fail("G2: " + name + " on " + node_name(node) + " changed its content from " +
         short_hex(before->second) + " to " + short_hex(*now));
  } else if (now && (!offered_.contains(name) || !offered_.at(name).contains(*now))) {
    fail("G4: " + name + " on " + node_name(node) + " is what nobody pushed");
  }
  if (now) {
    visible[name] = *now;
  } else {
    visible.erase(name);
  }
  const auto acknowledged = acknowledged_.find(name);
  if (acknowledged != acknowledged_.end() && acknowledged->second.holders.contains(node) &&
      now != acknowledged->second.hash) {
    fail("G1: " + name + " was acknowledged with a copy on " + node_name(node) + ", which is gone");
  }
}

void Checker::name_changed(NodeId node, const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (path.substr(0, slash) != kArchiveDirectory) {
    return;
  }
  const auto name = ArchiveLayout::name_of_file(path.substr(slash + 1));
  if (!name) {
    fail("G3: " + path + " on " + node_name(node) + " is no archive file");
    return;
  }
  const bool was_there = visible_[node].contains(name->text());
  audit(node, name->text());
  if (was_there && !visible_[node].contains(name->text()) && !name->is_below(floors_[node])) {
    fail("G2: " + name->text() + " was removed from " + node_name(node));
  }
}

void Checker::machine_crashed(NodeId node) {
  std::set<std::string> names;
  for (const auto& [name, hash] : visible_[node]) {
    names.insert(name);
  }
  for (const auto& [name, acknowledgement] : acknowledged_) {
    names.insert(name);
  }
  const auto files = disks_[node]->memory->list(kArchiveDirectory);
  if (files.ok()) {
    for (const std::string& file : files.value()) {
      if (const auto name = ArchiveLayout::name_of_file(file)) {
        names.insert(name->text());
      }
    }
  }
  for (const std::string& name : names) {
    audit(node, name);
  }
}

std::size_t Checker::copies_besides(NodeId node) const {
  std::size_t fewest = disks_.size() - 1;
  for (const auto& [name, acknowledgement] : acknowledged_) {
    if (expired_somewhere(WalName::parse(name).value())) {
      continue;
    }
    std::size_t copies = 0;
    for (NodeId other = 0; other < disks_.size(); ++other) {
      copies += other != node && durable(other, name, acknowledgement.hash) ? 1 : 0;
    }
    fewest = std::min(fewest, copies);
  }
  return fewest;
}

void Checker::disk_lost(NodeId node) {
  for (const auto& [name, hash] : visible_[node]) {
    if (durable(node, name, hash)) {
      on_lost_disks_[name].emplace(node, hash);
    }
  }
  visible_[node].clear();
  std::erase_if(rotten_, [node](const auto& entry) { return entry.first.first == node; });
  lost_floors_[node] = std::max(lost_floors_[node], floors_[node]);
  floors_[node] = 0;
  for (auto& [name, acknowledgement] : acknowledged_) {
    acknowledgement.holders.erase(node);
  }
}

bool Checker::may_rot(NodeId node, const std::string& name) const {
  const auto here = visible_[node].find(name);
  if (here == visible_[node].end() || expired_somewhere(WalName::parse(name).value())) {
    return false;
  }
  for (NodeId other = 0; other < disks_.size(); ++other) {
    if (other != node && durable(other, name, here->second)) {
      return true;
    }
  }
  return false;
}

bool Checker::anything_rotten() const {
  return std::any_of(rotten_.begin(), rotten_.end(), [this](const auto& entry) {
    return is_rotten(entry.first.first, entry.first.second);
  });
}

// Exactly what rot has made: it may come back after a power failure that undoes its removal.
bool Checker::is_rotten(NodeId node, const std::string& name) const {
  const auto found = rotten_.find({node, name});
  return found != rotten_.end() && disks_[node]->memory->stat(path_of(name)).ok() &&
         found->second.contains(sha256(disks_[node]->memory->content(path_of(name))));
}

// What was promised with this copy is not broken by us, and must be kept by the others.
void Checker::rotted(NodeId node, const std::string& name) {
  const auto here = visible_[node].find(name);
  if (here == visible_[node].end() || seen(node, name) == here->second) {
    return;  // a bit that means nothing
  }
  on_lost_disks_[name].emplace(node, here->second);
  visible_[node].erase(here);
  rotten_[{node, name}].insert(sha256(disks_[node]->memory->content(path_of(name))));
  if (const auto known = acknowledged_.find(name); known != acknowledged_.end()) {
    known->second.holders.erase(node);
  }
}

void Checker::taken_away(NodeId node, const std::string& name) {
  on_lost_disks_[name].emplace(node, visible_[node].at(name));
  visible_[node].erase(name);
  taken_away_.emplace(node, name);
  vanishing(name);
  if (const auto known = acknowledged_.find(name); known != acknowledged_.end()) {
    known->second.holders.erase(node);
  }
}

std::optional<std::string> Checker::unequal() const {
  std::set<std::string> names;
  for (const auto& archive : visible_) {
    for (const auto& [name, hash] : archive) {
      names.insert(name);
    }
  }
  for (const std::string& name : names) {
    const std::set<Sha256>& contents = offered_.at(name);
    for (NodeId node = 0; node < disks_.size(); ++node) {
      if (!is_wanted(node, WalName::parse(name).value())) {
        continue;
      }
      if (contents.size() == 1 && !durable(node, name, *contents.begin())) {
        return name + " is not durable on " + node_name(node);
      }
      if (contents.size() > 1 && !visible_[node].contains(name)) {
        return name + " (contested) is not on " + node_name(node);
      }
    }
  }
  return std::nullopt;
}

// Above the floors of this node and of one that holds it.
bool Checker::is_wanted(NodeId node, const WalName& name) const {
  for (NodeId holder = 0; holder < disks_.size(); ++holder) {
    if (visible_[holder].contains(name.text()) &&
        !name.is_below(std::max(floors_[node], floors_[holder]))) {
      return true;
    }
  }
  return false;
}

std::set<std::string> Checker::acknowledged_names() const {
  std::set<std::string> names;
  for (const auto& [name, acknowledgement] : acknowledged_) {
    names.insert(name);
  }
  return names;
}

// Quorums, by the second implementation -----------------------------------------------------------

bool Checker::quorum_holds(NodeId pusher, const std::set<NodeId>& holders) const {
  std::vector<naive::Host> hosts;
  naive::Names names;
  for (NodeId node = 0; node < disks_.size(); ++node) {
    hosts.push_back({node_name(node), options_.sites.empty() ? "" : options_.sites[node]});
    if (holders.contains(node)) {
      names.insert(node_name(node));
    }
  }
  return naive::satisfied(options_.quorum, hosts, node_name(pusher), names);
}

// Whether no two pushes can be acknowledged by sets of nodes that have none in common. The pusher's
// own copy belongs to its set.
bool Checker::quorums_intersect() const {
  const std::size_t nodes = disks_.size();
  const auto acknowledges = [&](std::size_t mask) {
    std::set<NodeId> holders;
    for (NodeId node = 0; node < nodes; ++node) {
      if ((mask >> node & 1) != 0) {
        holders.insert(node);
      }
    }
    return std::any_of(holders.begin(), holders.end(),
                       [&](NodeId pusher) { return quorum_holds(pusher, holders); });
  };
  const std::size_t everybody = (std::size_t{1} << nodes) - 1;
  for (std::size_t mask = 1; mask < everybody; ++mask) {
    if (acknowledges(mask) && acknowledges(everybody & ~mask)) {
      return false;
    }
  }
  return true;
}

}  // namespace pgwalship::sim
