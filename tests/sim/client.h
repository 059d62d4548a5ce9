// What stands for PostgreSQL on a node: an archiver that pushes files and tries again as
// PostgreSQL does, and fetches at any time.
#pragma once

#include "tests/sim/checker.h"
#include "tests/sim/daemon.h"

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace pgwalship::sim {

// How clients reach the daemon of their node; nullptr while there is none that is ready.
using FindDaemon = std::function<Daemon*()>;

class Pusher {
 public:
  struct Options {
    NodeId node = 0;
    std::size_t at_once = 1;
    std::size_t ready_max = 0;  // marked before their turn to be pushed
    Duration between{};
    Duration push_timeout{};
    FindDaemon daemon;
    std::function<void(const std::string& line)> say;
    std::function<void(const ContentRef& content)> on_offered;
  };

  Pusher(Schedule& schedule, Checker& checker, Options options, std::deque<ContentRef> files);

  // The daemon has died: what was asked of it stays without an answer.
  void on_daemon_gone();
  // What is marked as ready: the files that are being pushed, and those that wait for that.
  std::vector<ContentRef> ready() const;
  bool finished() const { return files_.empty() && open_.empty(); }
  std::string waiting_for() const;

 private:
  enum class Round { kFirst, kAgain };
  struct Attempt {
    ContentRef content;
    Round round = Round::kFirst;
    std::uint64_t number = 0;  // of the try; 0: none is under way
    int conflicts = 0;
  };

  void mark_next();
  void mark_first_unmarked();
  void start_next();
  void attempt(std::uint64_t id);
  void on_reply(std::uint64_t id, std::uint64_t number, const Result<std::string>& verdict);
  void retry(std::uint64_t id, Duration delay);

  Schedule& schedule_;
  Checker& checker_;
  const Options options_;
  std::deque<ContentRef> files_;
  std::map<std::uint64_t, Attempt> open_;
  std::size_t marked_ = 0;  // of files_
  std::size_t first_rounds_ = 0;
  std::uint64_t next_id_ = 1;
  std::uint64_t next_number_ = 1;
};

// One `pgwalship fetch`: reads the local archive, asks the daemon when that does not have it.
class Fetcher {
 public:
  enum class Outcome { kOpen, kFound, kAbsent, kFailed };

  Fetcher(Schedule& schedule, Checker& checker, NodeDisk& disk, NodeId node, WalName name,
          FindDaemon daemon);
  ~Fetcher() { process_.kill(); }
  Fetcher(const Fetcher&) = delete;
  Fetcher& operator=(const Fetcher&) = delete;

  void on_daemon_gone();
  NodeId node() const { return node_; }
  const WalName& name() const { return name_; }
  Outcome outcome() const { return outcome_; }

 private:
  void run();
  Outcome read(ArchiveStore& store);

  Process process_;
  Checker& checker_;
  NodeDisk& node_disk_;
  const NodeId node_;
  const WalName name_;
  const FindDaemon daemon_;
  const Checker::Known known_;  // when it began
  // Outlives this in the daemon's handler.
  struct Answer {
    std::optional<FetchEnded> ended;
    bool daemon_gone = false;
    Process::Bell bell;
  };
  std::shared_ptr<Answer> answer_ = std::make_shared<Answer>();
  Outcome outcome_ = Outcome::kOpen;
};

}  // namespace pgwalship::sim
