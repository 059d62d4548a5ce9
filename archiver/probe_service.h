// For `pgwalship check --push`: sends a probe where a push would go, to this node's disk and to
// every peer at once, and tells whether a quorum made it durable. No file of WAL is touched. Loop
// thread; the disk is touched on the worker only.
#pragma once

#include "archiver/shipper.h"
#include "base/event_loop.h"
#include "base/random.h"
#include "base/worker.h"
#include "topology/quorum.h"
#include "transport/link_set.h"
#include "transport/report_messages.h"

#include <deque>
#include <functional>
#include <list>
#include <memory>

namespace pgwalship {

class ProbeService final : public LinkSet::Observer {
 public:
  struct Options {
    NodeList nodes;
    Quorum quorum;
    Duration timeout{};  // push-timeout
    std::uint64_t seed = 0;
  };
  // Everything is borrowed. `disk` is the one that stores pushes: a probe waits as they do.
  struct Machine {
    EventLoop& loop;
    Worker& disk;
    LinkSet& links;
    ArchiveStore& store;
    const Shipper& shipper;
  };

  ProbeService(Options options, Machine machine);
  ~ProbeService() override;
  ProbeService(const ProbeService&) = delete;
  ProbeService& operator=(const ProbeService&) = delete;

  // The report comes once, from a later turn of the loop. When many ask at once they share the
  // youngest probe.
  using ReportHandler = std::function<void(const Result<ProbeReport>& report)>;
  void probe(Duration wait, ReportHandler on_report);
  void set_timeout(Duration timeout) { options_.timeout = timeout; }

  void on_up(NodeId peer, const Hello& theirs) override;
  void on_down(NodeId peer, const Error& reason) override;
  // For EventLoop::on_turn.
  TimePoint tick(TimePoint now);

 private:
  struct Run;
  using RunRef = std::shared_ptr<Run>;

  void ask(const RunRef& run, NodeId peer);
  void try_disk();
  void answer(Run& run, NodeId node, const Result<Bytes>& back);
  void give_up_absent(Run& run, TimePoint now);
  void report_late(Run& run, TimePoint now);
  bool is_over(const Run& run, TimePoint now) const;
  static TimePoint next_look(const Run& run);
  ProbeReport report_of(const Run& run) const;
  Error no_answer_yet(const Run& run) const;

  Options options_;  // constant but for the timeout
  const Machine machine_;
  Random random_;
  std::list<RunRef> runs_;
  std::deque<std::weak_ptr<Run>> disk_waits_;  // for the disk here
  bool disk_is_busy_ = false;                  // with the probe before them
};

}  // namespace pgwalship
