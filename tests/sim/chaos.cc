// What goes wrong in a World.
#include "tests/sim/world.h"

#include <utility>

namespace pgwalship::sim {

void World::later(Duration low, Duration high, std::function<void()> repair) {
  schedule_.after(schedule_.between(low, high), std::move(repair));
}

void World::repeat(Duration mean, std::function<void()> trouble) {
  if (mean == Duration::zero()) {
    return;
  }
  later({}, 2 * mean, [this, mean, trouble = std::move(trouble)] {
    if (in_trouble()) {
      trouble();
      repeat(mean, trouble);
    }
  });
}

void World::begin_troubles() {
  const Troubles& troubles = scenario_.troubles;
  repeat(troubles.machine_crash, [this] { crash_for_a_while(any_node()); });
  repeat(troubles.everything_crashes, [this] {
    for (NodeId node = 0; node < machines_.size(); ++node) {
      crash_for_a_while(node);
    }
  });
  repeat(troubles.daemon_killed, [this] { kill_daemon(any_node()); });
  repeat(troubles.receiver_killed, [this] { kill_receiver(any_node()); });
  repeat(troubles.session_breaks, [this] { network_.break_any(); });
  repeat(troubles.partition, [this] { partition(); });
  repeat(troubles.clog, [this] {
    const Duration extra = schedule_.between(milliseconds(5), seconds(2));
    network_.set_clog(any_node(), any_node(), extra);
    later(seconds(1), seconds(15), [this] { network_.unclog_all(); });
  });
  repeat(troubles.disk_errors, [this] { disk_trouble(any_node()); });
  repeat(troubles.disk_full, [this] { fill_disk(any_node()); });
  repeat(troubles.disk_slow, [this] { slow_disk(any_node()); });
  repeat(troubles.disk_replaced, [this] { replace_disk(any_node()); });
  repeat(troubles.bit_rot, [this] { rot_something(any_node()); });
  repeat(troubles.retention, [this] { raise_floor(any_node()); });
  repeat(troubles.expiry, [this] { expire(any_node()); });
  repeat(troubles.other_hands, [this] { remove_something(any_node()); });
  repeat(scenario_.between_fetches, [this] { fetch_something(); });
  repeat(scenario_.between_restores, [this] { restore_next(); });
}

void World::crash_for_a_while(NodeId node) {
  if (!machines_[node]->up || unnoted_ == node) {
    return;
  }
  crash(node);
  later(milliseconds(100), seconds(20), [this, node] {
    if (!machines_[node]->up) {
      start_machine(node);
    }
  });
}

void World::kill_daemon(NodeId node) {
  if (!machines_[node]->daemon || unnoted_ == node) {
    return;
  }
  say(node_name(node) + ": the daemon is killed");
  drop_daemon(node);
  later(milliseconds(50), seconds(5), [this, node] { start_daemon(node); });
}

void World::kill_receiver(NodeId node) {
  auto& receivers = machines_[node]->receivers;
  if (!receivers.empty()) {
    say(node_name(node) + ": a receiver is killed");
    receivers.erase(receivers.begin() +
                    static_cast<std::ptrdiff_t>(schedule_.random().below(receivers.size())));
  }
}

void World::partition() {
  std::vector<std::pair<NodeId, NodeId>> cuts;
  const NodeId one = any_node();
  const NodeId other = any_node();
  switch (schedule_.random().below(3)) {
    case 0:  // one direction
      cuts = {{one, other}};
      break;
    case 1:
      cuts = {{one, other}, {other, one}};
      break;
    default:  // from everybody
      for (NodeId node = 0; node < machines_.size(); ++node) {
        cuts.insert(cuts.end(), {{one, node}, {node, one}});
      }
  }
  for (const auto& [from, to] : cuts) {
    if (from != to) {
      say("cut " + node_name(from) + " -> " + node_name(to));
      network_.cut(from, to);
    }
  }
  later(milliseconds(200), seconds(30), [this, cuts] {
    for (const auto& [from, to] : cuts) {
      network_.mend(from, to);
    }
  });
}

void World::disk_trouble(NodeId node) {
  NodeDisk& disk = machines_[node]->disk;
  disk.failing_one_in = 2 + schedule_.random().below(60);
  say(node_name(node) + ": one disk operation in " + std::to_string(disk.failing_one_in) +
      " fails");
  machines_[node]->steady_since = kNever;
  later(milliseconds(100), seconds(10), [this, node, &disk] {
    disk.failing_one_in = 0;
    disk_is_well(node);
  });
}

void World::fill_disk(NodeId node) {
  say(node_name(node) + ": the disk is full");
  machines_[node]->disk.memory->set_free_bytes(schedule_.random().below(2000));
  machines_[node]->steady_since = kNever;
  later(milliseconds(100), seconds(20), [this, node] {
    machines_[node]->disk.memory->set_free_bytes(std::uint64_t{1} << 40);
    disk_is_well(node);
  });
}

void World::slow_disk(NodeId node) {
  NodeDisk& disk = machines_[node]->disk;
  disk.slowness = 5 + static_cast<int>(schedule_.random().below(60));
  say(node_name(node) + ": the disk is " + std::to_string(disk.slowness) + " times slower");
  machines_[node]->steady_since = kNever;
  later(seconds(1), seconds(10), [this, node, &disk] {
    disk.slowness = 1;
    disk_is_well(node);
  });
}

void World::replace_disk(NodeId node) {
  const std::size_t needed =
      scenario_.replace == Scenario::Replace::kWhenACopyIsLeft ? 1 : machines_.size() - 1;
  if (!machines_[node]->up || expiring_ || unnoted_ == node ||
      checker_->copies_besides(node) < needed) {
    return;
  }
  crash(node);
  say(node_name(node) + ": comes back with an empty disk");
  checker_->disk_lost(node);
  machines_[node]->disk.memory = std::make_unique<MemoryFileSystem>();
  later(milliseconds(100), seconds(20), [this, node] {
    if (!machines_[node]->up) {
      start_machine(node);
    }
  });
}

std::vector<WalName> World::names_that_may_go() const {
  std::vector<WalName> names;
  for (const std::string& text : checker_->acknowledged_names()) {
    WalName name = WalName::parse(text).value();
    if (name.kind() != WalKind::kHistory && !checker_->is_contested(name)) {
      names.push_back(std::move(name));
    }
  }
  return names;
}

// Up to a file that was acknowledged; of what is below, what was not acknowledged stays.
void World::raise_floor(NodeId node) {
  Machine& machine = *machines_[node];
  std::vector<WalName> names = names_that_may_go();
  // The last good copy of what has rotted elsewhere must not expire.
  if (!machine.up || names.empty() || expiring_ || checker_->anything_rotten()) {
    return;
  }
  const SegmentPosition floor = names[schedule_.random().below(names.size())].position();
  std::erase_if(names, [&](const WalName& name) { return !name.is_below(floor); });
  say(node_name(node) + ": the floor rises to " + position_text(floor));
  checker_->floor_raised(node, floor);
  machine.retentions.push_back(std::make_unique<Process>(schedule_));
  Process& process = *machine.retentions.back();
  process.spawn([this, &process, &machine, floor, names, seed = next_seed_++] {
    ProcessDisk disk(process, machine.disk);
    ArchiveStore store(disk, {.directory = kArchiveDirectory, .seed = seed});
    if (store.prepare().ok() && store.raise_floor(floor).ok()) {
      std::ignore = store.remove_expired(names);
    }
  });
}

// As the daemon does it: whatever has rotted where, only what is on the quorum goes.
void World::expire(NodeId node) {
  const std::vector<WalName> names = names_that_may_go();
  Machine& machine = *machines_[node];
  if (expiring_ || names.empty() || !machine.daemon || !machine.daemon->ready()) {
    return;
  }
  const SegmentPosition floor = names[schedule_.random().below(names.size())].position();
  say(node_name(node) + ": what is below " + position_text(floor) + " may expire");
  expiring_ = node;
  machine.daemon->expire(
      floor,
      [this, node](SegmentPosition decided, const std::vector<WalName>& going) {
        say(node_name(node) + ": the floor rises to " + position_text(decided));
        checker_->expires(node, going);
        checker_->floor_raised(node, decided);
      },
      [this] { expiring_.reset(); });
}

void World::fetch_something() {
  const NodeId node = any_node();
  if (!machines_[node]->up) {
    return;
  }
  const auto pusher = static_cast<std::uint32_t>(schedule_.random().below(scenario_.pushers));
  const auto file = static_cast<std::uint32_t>(
      schedule_.random().below(scenario_.files_per_pusher + 2));  // some are never pushed
  start_fetch(node, name_of_file(schedule_.random().one_in(2) ? file : 1000 * (pusher + 1) + file));
}

void World::heal() {
  say("everything heals");
  network_.mend_all();
  network_.unclog_all();
  for (NodeId node = 0; node < machines_.size(); ++node) {
    Machine& machine = *machines_[node];
    machine.disk.failing_one_in = 0;
    machine.disk.slowness = 1;
    machine.disk.memory->clear_faults();
    machine.disk.memory->set_free_bytes(std::uint64_t{1} << 40);
    // Somebody takes the bad copies away.
    if (!machine.up) {
      start_machine(node);
    } else if (!machine.daemon) {
      start_daemon(node);
    }
  }
}

}  // namespace pgwalship::sim
