#include "archiver/reconcile_service.h"

#include <algorithm>
#include <utility>

namespace pgwalship {
namespace {

using State = ReconcileReport::State;

// Each is looked at in every turn while it goes on.
constexpr std::size_t kRunsMax = 8;
constexpr std::chrono::milliseconds kReportInterval{200};
// A large file on a slow line moves nothing that is counted here for so long.
constexpr std::chrono::minutes kStandstillMax{2};

}  // namespace

ReconcileService::ReconcileService(NodeList nodes, Machine machine)
    : nodes_(std::move(nodes)), machine_(std::move(machine)) {}

void ReconcileService::reconcile(const std::string& peer, TimePoint now, ReportHandler on_report) {
  if (runs_.size() >= kRunsMax) {
    on_report(Error{Errc::kRetry, std::to_string(runs_.size()) + " others wait for the same",
                    "their reports say how far it is"});
    return;
  }
  Run run{.on_report = std::move(on_report), .targets = {}, .moved_at = now, .reported = {}};
  for (NodeId id = 0; id < nodes_.size() && run.targets.size() < kReportNodesMax; ++id) {
    if (id != nodes_.self && (peer.empty() || nodes_.at(id).name == peer)) {
      const Shipper::PeerView& view = machine_.shipper.peer(id);
      // One that is on may have looked already.
      run.targets.push_back({.peer = id,
                             .compared = view.compared + (view.comparing ? 1 : 0),
                             .received = view.files_pulled,
                             .sent = view.files_sent,
                             .refusals = machine_.shipper.own().refusals,
                             .report = {.name = nodes_.at(id).name}});
    }
  }
  if (run.targets.empty() && !peer.empty()) {
    run.on_report(Error{Errc::kInvalid, "no peer of this node is called '" + peer + "'",
                        "`pgwalship status` lists the peers"});
    return;
  }
  for (const Target& target : run.targets) {
    machine_.compare_now(target.peer);
  }
  runs_.push_back(std::move(run));
}

// Whether it has come to its end.
bool ReconcileService::look(Target& target) const {
  ReconcileReport::Node& report = target.report;
  if (report.state != State::kGoesOn) {
    return true;
  }
  const Shipper::PeerView& view = machine_.shipper.peer(target.peer);
  const Shipper::OwnView& own = machine_.shipper.own();
  report.received = view.files_pulled - target.received;
  report.sent = view.files_sent - target.sent;
  report.to_send = view.backlog;
  report.to_receive = own.missing;
  report.conflicts = view.conflicting;
  const bool is_compared = view.compared > target.compared;
  // It is tried again for ever, but not while somebody waits for the end.
  const bool is_refused = own.refusals > target.refusals && own.missing > 0 && own.in_flight == 0;
  if (view.state == PeerState::kDown) {
    report.state = State::kUnreachable;
    report.why = view.last_error.empty() ? "not connected" : view.last_error;
  } else if (is_compared && view.state == PeerState::kBehind) {
    report.state = State::kFailed;
    report.why = view.last_error;
  } else if (is_compared && view.state == PeerState::kPulling && is_refused) {
    report.state = State::kFailed;
    report.why = "the archive here cannot take in what is missing: " + own.last_error;
  } else if (is_compared && view.state == PeerState::kCurrent) {
    report.state = State::kEqual;
    report.to_send = 0;
    report.to_receive = 0;
  }
  return report.state != State::kGoesOn;
}

void ReconcileService::give_up(Target& target) const {
  if (target.report.state == State::kGoesOn) {
    const std::string& error = machine_.shipper.own().last_error;
    target.report.state = State::kFailed;
    target.report.why = "nothing has moved for " + std::to_string(kStandstillMax.count()) +
                        " minutes" + (error.empty() ? "" : ": " + error);
  }
}

TimePoint ReconcileService::tick(TimePoint now) {
  TimePoint next = kNever;
  for (auto run = runs_.begin(); run != runs_.end();) {
    ReconcileReport report;
    report.last = true;
    for (Target& target : run->targets) {
      report.last = look(target) && report.last;
      report.nodes.push_back(target.report);
    }
    const bool moved = report.nodes != run->reported.nodes;
    run->moved_at = moved ? now : run->moved_at;
    if (!report.last && now >= run->moved_at + kStandstillMax) {
      report = {.last = true, .nodes = {}};
      for (Target& target : run->targets) {
        give_up(target);
        report.nodes.push_back(target.report);
      }
    }
    bool wanted = true;
    if (report.last || now >= run->report_at) {
      run->report_at = now + kReportInterval;
      run->reported = report;
      wanted = run->on_report(report);
    }
    if (report.last || !wanted) {
      run = runs_.erase(run);
      continue;
    }
    next = std::min<TimePoint>(next, now + kReportInterval);
    ++run;
  }
  return next;
}

}  // namespace pgwalship
