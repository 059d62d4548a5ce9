// The daemon's threads for disks and for unpacking (ARCHITECTURE.md, "Threads"). Loop thread.
#pragma once

#include "base/event_loop.h"
#include "base/result.h"
#include "base/worker.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace pgwalship {

class DaemonWorkers {
 public:
  DaemonWorkers();

  Worker& disk() { return *disk_; }    // stores
  Worker& scans() { return *scans_; }  // reads
  // Both, for a recovery. Several, because unpacking a segment takes as long as its redo.
  std::vector<Worker*> ahead() const;
  Worker& quiet() { return *quiet_; }  // both, for what nobody waits for: repairs, the scrub
  // The index has its own: without its cache a million headers are read at the start.
  Worker& looks() { return *looks_; }

  // Their completions run on that loop.
  Result<void> run_on(EventLoop& loop);
  // Finishes the jobs that run, drops the queued ones. Nothing may be asked of them after it.
  void stop();
  // For whoever watches over them; borrowed.
  std::vector<std::pair<std::string, const Worker*>> named() const;

 private:
  std::unique_ptr<Worker> disk_;
  std::unique_ptr<Worker> scans_;
  std::vector<std::unique_ptr<Worker>> ahead_;
  std::unique_ptr<Worker> quiet_;
  std::unique_ptr<Worker> looks_;
};

}  // namespace pgwalship
