// A whole cluster in virtual time: machines, their disks, the network between them, the servers
// that push and fetch, and everything that goes wrong. One Scenario in, one verdict out; the same
// scenario gives the same run, byte for byte.
#pragma once

#include "tests/sim/checker.h"
#include "tests/sim/client.h"
#include "tests/sim/daemon.h"
#include "tests/sim/pg_wal.h"
#include "tests/sim/receiver_process.h"
#include "tests/sim/scenario.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace pgwalship::sim {

class World {
 public:
  using Say = std::function<void(const std::string& line)>;

  // `say` gets every line of what happens, with its time; may be empty.
  World(Scenario scenario, Say say);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // Troubles, healing, the last questions. The first violation, or nothing.
  std::optional<std::string> run();

  struct Numbers {
    std::uint64_t events = 0;
    std::size_t acknowledged = 0;
    std::size_t found = 0;
    std::size_t absent = 0;
    std::size_t crashes = 0;
  };
  const Numbers& numbers() const { return numbers_; }

 private:
  struct Machine {
    NodeDisk disk;
    std::unique_ptr<Daemon> daemon;
    std::vector<std::unique_ptr<ReceiverProcess>> receivers;
    std::unique_ptr<Pusher> pusher;
    std::unique_ptr<PgWal> pg_wal;
    TimePoint steady_since = kNever;
    std::vector<std::unique_ptr<Process>> retentions;  // `pgwalship expire`
    bool up = false;
    bool daemon_wanted = false;  // its restart is on the way when there is none
  };

  void make_pushers();
  void make_streams();
  void stream(NodeId from, const ContentRef& content);
  bool streams() const;
  bool is_streamed_only(const ContentRef& content) const;
  void disk_is_well(NodeId node);
  std::deque<ContentRef> files_of(NodeId pusher) const;
  void start_machine(NodeId node);
  void start_daemon(NodeId node);
  EndpointRef connect(NodeId from, NodeId to);
  void drop_daemon(NodeId node);
  void crash(NodeId node);
  void crash_everything();
  void reap();

  // chaos.cc: troubles of every kind, until the healing begins
  void begin_troubles();
  void repeat(Duration mean, std::function<void()> trouble);
  void later(Duration low, Duration high, std::function<void()> repair);
  void crash_for_a_while(NodeId node);
  void kill_daemon(NodeId node);
  void kill_receiver(NodeId node);
  void partition();
  void disk_trouble(NodeId node);
  void fill_disk(NodeId node);
  void slow_disk(NodeId node);
  void replace_disk(NodeId node);
  std::vector<WalName> names_that_may_go() const;
  void raise_floor(NodeId node);
  void expire(NodeId node);
  void fetch_something();
  // rot.cc
  void rot_something(NodeId node);
  void remove_something(NodeId node);
  void await_note(NodeId node, const WalName& name);
  void restore_next();
  void heal();

  void start_fetch(NodeId node, const WalName& name);
  bool run_until(TimePoint end, const std::function<bool()>& done);
  std::optional<std::string> not_yet_well() const;
  void ask_last_questions();
  void say(const std::string& line);
  NodeId any_node() { return schedule_.random().below(machines_.size()); }
  bool can_connect(NodeId from, NodeId to) const {
    return !scenario_.unreachable.contains({from, to});
  }
  bool in_trouble() const { return schedule_.now() < trouble_ends_; }

  const Scenario scenario_;
  const Say say_;
  Schedule schedule_;
  Network network_;
  NodeList nodes_;
  Quorum quorum_;
  std::vector<std::unique_ptr<Machine>> machines_;
  std::unique_ptr<Checker> checker_;
  std::vector<std::unique_ptr<Fetcher>> fetchers_;
  TimePoint trouble_ends_{};
  std::uint64_t next_seed_ = 1;
  // Until it has decided nothing rots, and no disk is lost: the peers' answers stay true.
  std::optional<NodeId> expiring_;
  // Where a file was taken away and that is not recorded yet: a node that dies in this moment does
  // not know of it (docs/durability.md).
  std::optional<NodeId> unnoted_;
  std::uint32_t restored_ = 0;  // segments that the recovery of the last node was given
  Numbers numbers_;
};

}  // namespace pgwalship::sim
