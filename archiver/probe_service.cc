#include "archiver/probe_service.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

namespace pgwalship {
namespace {

// As much as a piece of a file. What a probe measures is the way, not the rate.
constexpr std::size_t kProbeBytes = kDataBytesMax;
// Each costs every node some fsyncs.
constexpr std::size_t kProbesMax = 4;
// When the quorum has it: for the report on the others.
constexpr std::chrono::seconds kStragglerTime{2};
// A link that was just lost is made anew: a receiver ends when its node's configuration changes.
constexpr std::chrono::seconds kReturnTime{5};

std::uint64_t microseconds_of(Duration time) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(time).count(), 0));
}

std::string seconds_text(Duration time) {
  const auto tenths = std::chrono::duration_cast<std::chrono::milliseconds>(time).count() / 100;
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " s";
}

}  // namespace

struct ProbeService::Run {
  struct Answer {
    std::optional<Error> error;
    TimePoint at{};
  };
  // The link to a peer was lost: why, and until when it is waited for.
  struct Absence {
    Error error;
    TimePoint until{};
  };
  struct Asker {
    ReportHandler on_report;
    TimePoint deadline{};
  };
  std::vector<Asker> askers;
  Bytes bytes;
  TimePoint began{};
  std::vector<std::optional<Answer>> answers;  // by NodeId, as the next two
  std::vector<std::optional<Absence>> absences;
  std::vector<std::optional<std::uint64_t>> requests;
  std::optional<TimePoint> held_at;
};

ProbeService::ProbeService(Options options, Machine machine)
    : options_(std::move(options)), machine_(machine), random_(options_.seed) {
  machine_.links.observe(*this);
}

ProbeService::~ProbeService() = default;

void ProbeService::probe(Duration wait, ReportHandler on_report) {
  const TimePoint now = machine_.loop.now();
  Run::Asker asker{std::move(on_report), now + std::min(wait, options_.timeout)};
  if (runs_.size() >= kProbesMax) {
    runs_.back()->askers.push_back(std::move(asker));
    return;
  }
  auto run = std::make_shared<Run>();
  run->askers.push_back(std::move(asker));
  run->bytes.resize(kProbeBytes);
  std::generate(run->bytes.begin(), run->bytes.end(),
                [this] { return static_cast<std::byte>(random_.next()); });
  run->began = now;
  run->answers.resize(options_.nodes.size());
  run->absences.resize(options_.nodes.size());
  run->requests.resize(options_.nodes.size());
  runs_.push_back(run);
  disk_waits_.push_back(run);
  try_disk();
  for (NodeId peer = 0; peer < options_.nodes.size(); ++peer) {
    if (peer != options_.nodes.self) {
      ask(run, peer);
    }
  }
}

// One at a time: those of a disk that hangs would fill the queue that pushes need.
void ProbeService::try_disk() {
  const NodeId self = options_.nodes.self;
  RunRef run;
  while (!disk_is_busy_ && !run && !disk_waits_.empty()) {
    run = disk_waits_.front().lock();  // gone when its time was over
    disk_waits_.pop_front();
  }
  if (!run) {
    return;
  }
  disk_is_busy_ = machine_.disk.post([this, run, self]() -> Worker::Completion {
    const auto back = std::make_shared<Result<Bytes>>(machine_.store.probe(run->bytes));
    return [this, run, self, back] {
      disk_is_busy_ = false;
      answer(*run, self, *back);
      try_disk();
    };
  });
  if (!disk_is_busy_) {
    answer(*run, self, Error{Errc::kRetry, "its disk is too slow, its queue is full", ""});
  }
}

void ProbeService::ask(const RunRef& run, NodeId peer) {
  if (!machine_.links.is_up(peer)) {
    const Shipper::PeerView& view = machine_.shipper.peer(peer);
    const std::string& error = view.last_error;
    const Error away{Errc::kRetry, error.empty() ? "not connected" : error, ""};
    const bool was_up = view.state == PeerState::kDown && view.since != TimePoint{};
    if (was_up && machine_.loop.now() < view.since + kReturnTime) {
      run->absences[peer] = Run::Absence{away, view.since + kReturnTime};
    } else {
      answer(*run, peer, away);
    }
    return;
  }
  run->requests[peer] = machine_.links.request(
      peer,
      [&](std::uint64_t id) -> Message {
        return Probe{id, run->bytes};
      },
      [this, run, peer](const Message& message) {
        if (const auto* back = std::get_if<ProbeAnswer>(&message)) {
          answer(*run, peer, back->bytes);
        } else if (const auto* done = std::get_if<Done>(&message); done != nullptr && done->error) {
          answer(*run, peer, *done->error);
        }
      });
}

void ProbeService::answer(Run& run, NodeId node, const Result<Bytes>& back) {
  if (run.answers[node]) {
    return;
  }
  Run::Answer answer{.error = {}, .at = machine_.loop.now()};
  if (!back.ok()) {
    answer.error = back.error();
  } else if (back.value() != run.bytes) {
    answer.error = Error{Errc::kCorrupt, "it answered with other bytes than it was sent", ""};
  }
  run.answers[node] = std::move(answer);
  run.requests[node].reset();
  NodeSet holders(options_.nodes.size());
  for (NodeId id = 0; id < options_.nodes.size(); ++id) {
    holders[id] = id != options_.nodes.self && machine_.shipper.peer(id).reconciled &&
                  run.answers[id] && !run.answers[id]->error;
  }
  const auto& own = run.answers[options_.nodes.self];
  if (!run.held_at && own && !own->error &&
      options_.quorum.satisfied(options_.nodes, options_.nodes.self, holders)) {
    run.held_at = machine_.loop.now();
  }
}

void ProbeService::on_up(NodeId peer, const Hello&) {
  for (const RunRef& run : runs_) {
    if (std::exchange(run->absences[peer], std::nullopt)) {
      ask(run, peer);
    }
  }
}

void ProbeService::on_down(NodeId peer, const Error& reason) {
  for (const RunRef& run : runs_) {
    run->requests[peer].reset();
    if (!run->answers[peer] && !run->absences[peer]) {
      run->absences[peer] =
          Run::Absence{reason.within("connection lost"), machine_.loop.now() + kReturnTime};
    }
  }
}

void ProbeService::give_up_absent(Run& run, TimePoint now) {
  for (NodeId peer = 0; peer < run.absences.size(); ++peer) {
    if (run.absences[peer] && now >= run.absences[peer]->until) {
      answer(run, peer, std::exchange(run.absences[peer], std::nullopt)->error);
    }
  }
}

bool ProbeService::is_over(const Run& run, TimePoint now) const {
  return run.askers.empty() || (run.held_at && now >= *run.held_at + kStragglerTime) ||
         std::ranges::all_of(run.answers, [](const auto& answer) { return answer.has_value(); });
}

// To those whose time is over.
void ProbeService::report_late(Run& run, TimePoint now) {
  std::vector<Run::Asker> late;
  std::erase_if(run.askers, [&](Run::Asker& asker) {
    const bool is_late = now >= asker.deadline;
    if (is_late) {
      late.push_back(std::move(asker));
    }
    return is_late;
  });
  for (const Run::Asker& asker : late) {
    asker.on_report(report_of(run));
  }
}

TimePoint ProbeService::tick(TimePoint now) {
  TimePoint next = kNever;
  for (auto each = runs_.begin(); each != runs_.end();) {
    const RunRef run = *each;
    give_up_absent(*run, now);
    report_late(*run, now);
    if (!is_over(*run, now)) {
      next = std::min(next, next_look(*run));
      ++each;
      continue;
    }
    each = runs_.erase(each);
    for (NodeId peer = 0; peer < options_.nodes.size(); ++peer) {
      if (run->requests[peer]) {
        machine_.links.forget(peer, *run->requests[peer]);
      }
    }
    for (const Run::Asker& asker : run->askers) {
      asker.on_report(report_of(*run));
    }
  }
  return next;
}

TimePoint ProbeService::next_look(const Run& run) {
  TimePoint next = run.held_at ? *run.held_at + kStragglerTime : kNever;
  for (const Run::Asker& asker : run.askers) {
    next = std::min(next, asker.deadline);
  }
  for (const auto& absence : run.absences) {
    next = std::min(next, absence ? absence->until : kNever);
  }
  return next;
}

ProbeReport ProbeService::report_of(const Run& run) const {
  ProbeReport report;
  report.held = run.held_at.has_value();
  report.elapsed_us = microseconds_of(run.held_at.value_or(machine_.loop.now()) - run.began);
  const auto add = [&](NodeId id) {
    const auto& answer = run.answers[id];
    const TimePoint at = answer ? answer->at : machine_.loop.now();
    ProbeReport::Node node;
    node.name = options_.nodes.at(id).name;
    node.elapsed_us = microseconds_of(at - run.began);
    const auto& absence = run.absences[id];
    const std::optional<Error> error = answer    ? answer->error
                                       : absence ? absence->error
                                                 : no_answer_yet(run);
    if (error) {
      node.why = error->text();
    } else {
      const bool counts = id == options_.nodes.self || machine_.shipper.peer(id).reconciled;
      node.state = counts ? ProbeReport::State::kDurable : ProbeReport::State::kNotCounted;
    }
    report.nodes.push_back(std::move(node));
  };
  add(options_.nodes.self);
  for (NodeId id = 0; id < options_.nodes.size() && report.nodes.size() < kReportNodesMax; ++id) {
    if (id != options_.nodes.self) {
      add(id);
    }
  }
  return report;
}

Error ProbeService::no_answer_yet(const Run& run) const {
  return Error{Errc::kTimeout, "no answer within " + seconds_text(machine_.loop.now() - run.began),
               ""};
}

}  // namespace pgwalship
