// The conflicts of this node's archive, as they lie in quarantine, with the verdict about each: who
// put them there (this daemon, a receiver, one before a restart) does not matter. Each is compared
// once, on the worker, never in the way of a push, and logged once. Loop thread.
#pragma once

#include "base/event_loop.h"
#include "base/log.h"
#include "base/worker.h"
#include "wal/archive_store.h"

#include <deque>
#include <map>
#include <string>

namespace pgwalship {

class ConflictWatch {
 public:
  // Everything is borrowed. `worker` reads the quarantine and the two contents.
  struct Machine {
    EventLoop& loop;
    Worker& worker;
    const ArchiveStore& store;
    Log& log;
  };
  explicit ConflictWatch(Machine machine) : machine_(machine) {}
  ConflictWatch(const ConflictWatch&) = delete;
  ConflictWatch& operator=(const ConflictWatch&) = delete;

  // For EventLoop::on_turn.
  TimePoint tick(TimePoint now);

  // By the names of the files in quarantine: the verdict in one line.
  using Verdicts = std::map<std::string, std::string>;
  const Verdicts& verdicts() const { return verdicts_; }

 private:
  void look();
  void take(const std::vector<ArchiveStore::Quarantined>& found);
  void compare_next();

  Machine machine_;
  TimePoint next_look_{};
  bool looking_ = false;
  Verdicts verdicts_;
  std::deque<ArchiveStore::Quarantined> to_compare_;
  std::size_t uncompared_ = 0;  // beyond the limit, and logged
};

}  // namespace pgwalship
