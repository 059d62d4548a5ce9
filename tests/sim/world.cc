#include "tests/sim/world.h"

#include "tests/sim/receiver_process.h"
#include "wal/archive_layout.h"

#include <array>
#include <cstdio>
#include <utility>

namespace pgwalship::sim {

namespace {

// Far above what any run needs: something spins.
constexpr std::uint64_t kEventsMax = 3'000'000;
constexpr std::uint64_t kPlenty = std::uint64_t{1} << 30;
// With look-ahead, so many files wait for their push at most: enough for any of its settings.
constexpr std::size_t kReadyMax = 12;

std::string weakened(std::string text) {
  if (const std::size_t all = text.find("ALL"); all != std::string::npos) {
    return text.replace(all, 3, "ANY 1");
  }
  const std::size_t any = text.find("ANY ");
  if (any == std::string::npos || text[any + 4] == '1') {
    return "NONE";
  }
  --text[any + 4];
  return text;
}

DiskLie lie_of(Mutation mutation) {
  if (mutation == Mutation::kSyncDoesNothing) {
    return DiskLie::kSyncDoesNothing;
  }
  if (mutation == Mutation::kDirectorySyncDoesNothing) {
    return DiskLie::kDirectorySyncDoesNothing;
  }
  return mutation == Mutation::kLinkOverwrites ? DiskLie::kLinkOverwrites : DiskLie::kNone;
}

}  // namespace

World::World(Scenario scenario, Say say)
    : scenario_(std::move(scenario)),
      say_(std::move(say)),
      schedule_(scenario_.seed),
      network_(schedule_),
      quorum_(Quorum::parse(scenario_.quorum).value()) {
  std::vector<NodeDisk*> disks;
  for (NodeId node = 0; node < scenario_.nodes; ++node) {
    nodes_.nodes.push_back(
        Node{node_name(node), scenario_.sites.empty() ? "" : scenario_.sites[node], "", 22});
    machines_.push_back(std::make_unique<Machine>());
    NodeDisk& disk = machines_.back()->disk;
    disk.lie = lie_of(scenario_.mutation);
    disk.on_name_changed = [this, node](const std::string& path) {
      checker_->name_changed(node, path);
    };
    disks.push_back(&disk);
  }
  CHECK(quorum_.validate(nodes_).ok());
  if (scenario_.mutation == Mutation::kQuorumOffByOne) {
    quorum_ = Quorum::parse(weakened(scenario_.quorum)).value();
  }
  checker_ = std::make_unique<Checker>(Checker::Options{scenario_.sites, scenario_.quorum},
                                       std::move(disks));
  make_streams();
  make_pushers();
}

World::~World() {
  fetchers_.clear();
  for (const auto& machine : machines_) {
    machine->daemon.reset();
    machine->receivers.clear();
    machine->retentions.clear();
  }
}

void World::say(const std::string& line) {
  if (say_) {
    const auto since = schedule_.now() - TimePoint(std::chrono::hours(1));
    std::array<char, 32> time;
    std::snprintf(time.data(), time.size(), "%10.4f ",
                  std::chrono::duration<double>(since).count());
    say_(time.data() + line);
  }
}

// Servers ----------------------------------------------------------------------------------------

std::deque<ContentRef> World::files_of(NodeId pusher) const {
  std::deque<ContentRef> files;
  const auto origin = static_cast<std::uint32_t>(pusher);
  const bool different = scenario_.shared_content == Scenario::SharedContent::kDifferent;
  for (std::uint32_t i = 0; i < scenario_.files_per_pusher; ++i) {
    // Shared names in the middle, where the troubles are.
    const std::uint32_t first = (scenario_.files_per_pusher - scenario_.shared_names) / 2;
    if (scenario_.files == Scenario::Files::kSegments) {
      files.push_back(content_of(kSegmentsFrom + i, 0, origin));
    } else if (i >= first && i < first + scenario_.shared_names) {
      files.push_back(content_of(i, different ? origin + 1 : 0, origin));
    } else {
      files.push_back(content_of(1000 * (origin + 1) + i, 0, origin));
    }
  }
  return files;
}

void World::make_pushers() {
  for (NodeId node = 0; node < scenario_.pushers; ++node) {
    Pusher::Options options{
        .node = node,
        .at_once = scenario_.pushes_at_once,
        .ready_max = scenario_.look_ahead > 0 ? kReadyMax : 0,
        .between = scenario_.between_pushes * 2,
        .push_timeout = scenario_.push_timeout,
        .daemon =
            [this, node] {
              Daemon* daemon = machines_[node]->daemon.get();
              return daemon != nullptr && daemon->ready() ? daemon : nullptr;
            },
        .say = [this](const std::string& line) { say(line); },
        .on_offered = [this, node](const ContentRef& content) { stream(node, content); },
    };
    std::deque<ContentRef> files = files_of(node);
    for (const ContentRef& content : files) {
      if (is_streamed_only(content)) {
        later({}, scenario_.trouble_time, [this, node, content] {
          checker_->offered(*content);
          stream(node, content);
        });
      }
    }
    std::erase_if(files, [this](const ContentRef& content) { return is_streamed_only(content); });
    machines_[node]->pusher =
        std::make_unique<Pusher>(schedule_, *checker_, std::move(options), std::move(files));
  }
}

// What is streamed to the others ---------------------------------------------------------------

void World::make_streams() {
  for (NodeId node = 0; node < machines_.size(); ++node) {
    Machine& machine = *machines_[node];
    machine.pg_wal = std::make_unique<PgWal>(
        schedule_, machine.disk, *checker_,
        PgWal::Options{.node = node,
                       .steady_since = [&machine] { return machine.steady_since; },
                       .say = [this](const std::string& line) { say(line); }});
  }
}

// Not with names that two servers use for different things: that is another story.
bool World::streams() const {
  return scenario_.streams == Scenario::Streams::kToOthers &&
         scenario_.shared_content == Scenario::SharedContent::kSame;
}

bool World::is_streamed_only(const ContentRef& content) const {
  return streams() && std::to_integer<int>(content->facts.sha256.bytes[0]) % 3 == 0;
}

void World::stream(NodeId from, const ContentRef& content) {
  if (!streams()) {
    return;
  }
  for (NodeId node = 0; node < machines_.size(); ++node) {
    if (node != from) {
      later({}, seconds(1), [this, node, content] {
        if (machines_[node]->up) {
          machines_[node]->pg_wal->stream(content);
        }
      });
    }
  }
}

void World::disk_is_well(NodeId node) {
  Machine& machine = *machines_[node];
  const auto free = machine.disk.memory->free_bytes("/");
  if (machine.daemon && machine.disk.failing_one_in == 0 && machine.disk.slowness == 1 &&
      free.ok() && free.value() >= kPlenty) {
    machine.steady_since = schedule_.now() + seconds(2);
  }
}

void World::start_fetch(NodeId node, const WalName& name) {
  reap();
  Machine& machine = *machines_[node];
  fetchers_.push_back(
      std::make_unique<Fetcher>(schedule_, *checker_, machine.disk, node, name, [&machine] {
        Daemon* daemon = machine.daemon.get();
        return daemon != nullptr && daemon->ready() ? daemon : nullptr;
      }));
}

// Machines ---------------------------------------------------------------------------------------

void World::start_machine(NodeId node) {
  say(node_name(node) + ": starts");
  machines_[node]->up = true;
  start_daemon(node);
}

void World::start_daemon(NodeId node) {
  Machine& machine = *machines_[node];
  if (!machine.up || machine.daemon) {
    return;
  }
  NodeList nodes = nodes_;
  nodes.self = node;
  Daemon::Options options{
      .nodes = std::move(nodes),
      .quorum = quorum_,
      .push_timeout = scenario_.push_timeout,
      .mutation = scenario_.mutation,
      .seed = next_seed_++,
      .server = streams() && scenario_.mutation != Mutation::kNoBackFill
                    ? Daemon::Options::Server::kKnown
                    : Daemon::Options::Server::kUnknown,
      .prefetch = scenario_.prefetch,
      .look_ahead = scenario_.look_ahead,
      .ready =
          [&machine] {
            return machine.pusher ? machine.pusher->ready() : std::vector<ContentRef>();
          },
      .scrub_pass = scenario_.scrub_pass,
      .connect = [this, node](NodeId peer) { return connect(node, peer); },
      .say = [this, node](const std::string& line) { say(node_name(node) + ": " + line); },
      .on_vanished =
          [this, node](const std::vector<WalName>& names) {
            for (const WalName& name : names) {
              say(node_name(node) + ": " + name.text() + " has vanished");
              checker_->vanishing(name.text());
            }
            unnoted_ = unnoted_ == node ? std::nullopt : unnoted_;
          },
  };
  machine.daemon = std::make_unique<Daemon>(schedule_, machine.disk, std::move(options));
  disk_is_well(node);
}

EndpointRef World::connect(NodeId from, NodeId to) {
  Machine& target = *machines_[to];
  if (!can_connect(from, to) || !target.up || network_.is_cut(from, to) ||
      network_.is_cut(to, from)) {
    return nullptr;
  }
  const auto [near, far] = network_.connect(from, to);
  std::erase_if(target.receivers, [](const auto& receiver) { return receiver->exited(); });
  target.receivers.push_back(std::make_unique<ReceiverProcess>(
      schedule_, target.disk,
      ReceiverProcess::Options{.self = to,
                               .from = from,
                               .seed = next_seed_++,
                               .data_directory = scenario_.streams == Scenario::Streams::kToOthers
                                                     ? kDataDirectory
                                                     : ""},
      far));
  return near;
}

void World::drop_daemon(NodeId node) {
  Machine& machine = *machines_[node];
  machine.daemon.reset();
  machine.steady_since = kNever;
  if (expiring_ == node) {
    expiring_.reset();
  }
  if (machine.pusher) {
    machine.pusher->on_daemon_gone();
  }
  for (const auto& fetcher : fetchers_) {
    if (fetcher->node() == node) {
      fetcher->on_daemon_gone();
    }
  }
}

void World::crash(NodeId node) {
  Machine& machine = *machines_[node];
  if (!machine.up) {
    return;
  }
  say(node_name(node) + ": crashes");
  ++numbers_.crashes;
  network_.machine_lost(node);
  machine.up = false;
  drop_daemon(node);
  machine.receivers.clear();
  machine.retentions.clear();
  std::erase_if(fetchers_, [&](const auto& fetcher) { return fetcher->node() == node; });
  machine.disk.memory->crash(schedule_.random());
  checker_->machine_crashed(node);
}

void World::crash_everything() {
  for (NodeId node = 0; node < machines_.size(); ++node) {
    crash(node);
  }
}

void World::reap() {
  std::erase_if(fetchers_, [this](const auto& fetcher) {
    numbers_.found += fetcher->outcome() == Fetcher::Outcome::kFound ? 1 : 0;
    if (fetcher->outcome() == Fetcher::Outcome::kFound &&
        fetcher->name() == name_of_file(kSegmentsFrom + restored_)) {
      ++restored_;
    }
    numbers_.absent += fetcher->outcome() == Fetcher::Outcome::kAbsent ? 1 : 0;
    return fetcher->outcome() != Fetcher::Outcome::kOpen;
  });
}

// The run ----------------------------------------------------------------------------------------

bool World::run_until(TimePoint end, const std::function<bool()>& done) {
  TimePoint next_look = schedule_.now();
  while (!checker_->violation()) {
    if (schedule_.now() >= next_look) {
      next_look = schedule_.now() + seconds(1);
      if (done()) {
        return true;
      }
    }
    if (++numbers_.events > kEventsMax) {
      checker_->fail("G8: something spins without end");
    }
    if (!schedule_.step(end)) {
      return done();
    }
  }
  return false;
}

std::optional<std::string> World::not_yet_well() const {
  for (const auto& machine : machines_) {
    if (machine->pusher && !machine->pusher->finished()) {
      return machine->pusher->waiting_for();
    }
  }
  for (NodeId node = 0; node < machines_.size(); ++node) {
    const Daemon* daemon = machines_[node]->daemon.get();
    if (daemon == nullptr || !daemon->ready()) {
      return node_name(node) + " is not ready";
    }
    const ArchiveLayout layout(kArchiveDirectory);
    if (machines_.size() > 1 && machines_[node]->disk.memory->stat(layout.vanished_file()).ok()) {
      return node_name(node) + " is not known to be whole again";
    }
    for (NodeId peer = 0; peer < machines_.size(); ++peer) {
      const Shipper::PeerView& view = daemon->shipper().peer(peer);
      if (peer != node && can_connect(node, peer) &&
          (view.state != PeerState::kCurrent || !view.reconciled)) {
        return node_name(node) + " says of " + node_name(peer) + ": " +
               std::string(to_word(view.state)) + (view.reconciled ? "" : ", does not count") +
               (view.last_error.empty() ? "" : " (" + view.last_error + ")");
      }
    }
  }
  return checker_->unequal();
}

std::optional<std::string> World::run() {
  for (NodeId node = 0; node < machines_.size(); ++node) {
    later({}, seconds(3), [this, node] { start_machine(node); });
  }
  trouble_ends_ = schedule_.now() + scenario_.trouble_time;
  begin_troubles();
  run_until(trouble_ends_, [] { return false; });
  if (!checker_->violation()) {
    heal();
    const auto is_well = [this] { return !not_yet_well(); };
    run_until(schedule_.now() + scenario_.healing_time, is_well);
    // Sessions that broke unseen are found out meanwhile.
    run_until(schedule_.now() + seconds(20), [] { return false; });
    if (!run_until(schedule_.now() + seconds(20), is_well)) {
      checker_->fail("L1: not healed in time: " + not_yet_well().value_or("?"));
    }
  }
  if (!checker_->violation()) {
    ask_last_questions();
  }
  numbers_.acknowledged = checker_->acknowledged_names().size();
  return checker_->violation();
}

// With everybody up and equal, every fetch has its answer; and all of it outlives a power failure.
void World::ask_last_questions() {
  say("all is well: the last questions");
  const auto wait_for_fetches = [this] {
    run_until(schedule_.now() + seconds(30), [this] {
      reap();
      return fetchers_.empty();
    });
  };
  wait_for_fetches();
  const std::size_t found = numbers_.found;
  const std::size_t absent = numbers_.absent;
  std::set<std::string> names = checker_->acknowledged_names();
  std::erase_if(names, [&](const std::string& name) {
    return checker_->expired_somewhere(WalName::parse(name).value());
  });
  for (NodeId node = 0; node < machines_.size(); ++node) {
    for (const std::string& name : names) {
      start_fetch(node, WalName::parse(name).value());
    }
    start_fetch(node, name_of_file(999'999));
  }
  wait_for_fetches();
  if (!checker_->violation() && numbers_.found - found != names.size() * machines_.size()) {
    checker_->fail("G4: in a healthy cluster not every fetch found its file");
  }
  if (!checker_->violation() && numbers_.absent - absent != machines_.size()) {
    checker_->fail("G5: in a healthy cluster the absence of a file was not proven everywhere");
  }
  crash_everything();
}

}  // namespace pgwalship::sim
