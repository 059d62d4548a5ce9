// For `pgwalship reconcile`: has the archive compared with its peers now, and tells a client how
// that goes until both hold the same, or it cannot be. What is sent and pulled is the Shipper's
// matter. Loop thread only.
#pragma once

#include "archiver/shipper.h"
#include "transport/report_messages.h"

#include <functional>
#include <list>
#include <string>

namespace pgwalship {

class ReconcileService {
 public:
  // Both are borrowed. `compare_now` is PushService's.
  struct Machine {
    const Shipper& shipper;
    std::function<void(NodeId peer)> compare_now;
  };
  ReconcileService(NodeList nodes, Machine machine);

  // Reports come from later turns of the loop, the last with `last`; none any more when the handler
  // has said that nobody wants them. An Error, at once, when there is no such peer, or too many
  // ask. An empty `peer`: every one.
  using ReportHandler = std::function<bool(const Result<ReconcileReport>& report)>;
  void reconcile(const std::string& peer, TimePoint now, ReportHandler on_report);

  // For EventLoop::on_turn.
  TimePoint tick(TimePoint now);

 private:
  struct Target {
    NodeId peer;
    std::uint64_t compared;  // these four as they were when it began
    std::uint64_t received;
    std::uint64_t sent;
    std::uint64_t refusals;  // of the archive here
    ReconcileReport::Node report;
  };
  struct Run {
    ReportHandler on_report;
    std::vector<Target> targets;
    TimePoint report_at{};
    TimePoint moved_at{};
    ReconcileReport reported;
  };

  bool look(Target& target) const;
  void give_up(Target& target) const;

  const NodeList nodes_;
  const Machine machine_;
  std::list<Run> runs_;
};

}  // namespace pgwalship
