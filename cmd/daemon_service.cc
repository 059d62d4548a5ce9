#include "cmd/daemon_service.h"

#include <algorithm>
#include <utility>

namespace pgwalship {

namespace {

// So long may a line of status lag behind the truth.
constexpr std::chrono::seconds kStatusInterval{1};
// Without a watchdog the workers are looked after all the same, for the log.
constexpr std::chrono::seconds kLookInterval{10};
// What the manager does not take is offered again.
constexpr std::chrono::milliseconds kUnsentPause{100};

}  // namespace

// Without ages and counters: it is sent when it changes.
std::string service_line(const NodeList& nodes, const Quorum& quorum, const Shipper& shipper) {
  std::string missing;
  for (NodeId id = 0; id < nodes.size(); ++id) {
    const Shipper::PeerView& peer = shipper.peer(id);
    const char* trouble = id == nodes.self                 ? nullptr
                          : peer.state == PeerState::kDown ? " is down"
                          : !peer.reconciled               ? " does not count yet"
                          : peer.refuses                   ? " cannot store files"
                                                           : nullptr;
    if (trouble != nullptr) {
      missing += (missing.empty() ? "" : ", ") + nodes.at(id).name + trouble;
    }
  }
  const std::string line =
      "quorum " + quorum.text() + (shipper.quorum_reachable() ? ": held" : ": LOST");
  return line + (missing.empty() ? "" : "; " + missing);
}

DaemonService::DaemonService(Options options, Log& log)
    : options_(std::move(options)), log_(log), manager_(options_.environment) {}

void DaemonService::ready(TimePoint now) {
  ready_ = true;
  told_ = options_.status(now);
  manager_.say("READY=1\nSTATUS=" + told_);
}

// MONOTONIC_USEC is for Type=notify-reload, which systemd has since 253.
void DaemonService::reloading(TimePoint now) {
  ready_ = false;
  const auto since_boot =
      std::chrono::duration_cast<std::chrono::microseconds>(now.time_since_epoch());
  manager_.say("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(since_boot.count()) +
               "\nSTATUS=reading the configuration again");
}

void DaemonService::stopping(std::string_view why) {
  stopping_ = true;
  manager_.say("STOPPING=1\nSTATUS=" + std::string(why));
}

TimePoint DaemonService::tick(TimePoint now) {
  if (now >= next_look_) {
    // Twice in the manager's patience: one that is lost on the way is no reason to kill.
    next_look_ = now + manager_.watchdog().value_or(2 * kLookInterval) / 2;
    look_after_workers(now);
    if (verdict_.works) {
      manager_.keep_alive();
    }
  }
  if (!manager_.listens()) {
    return next_look_;
  }
  if (now >= next_status_ && ready_ && !stopping_) {
    next_status_ = now + kStatusInterval;
    tell_status(now);
  }
  manager_.flush();
  const TimePoint next = std::min(next_look_, stopping_ || !ready_ ? kNever : next_status_);
  return manager_.has_unsent() ? std::min(next, now + kUnsentPause) : next;
}

void DaemonService::look_after_workers(TimePoint now) {
  std::vector<DaemonHealth::Look> looks;
  for (const auto& [name, worker] : options_.workers) {
    const Worker::Activity activity = worker->activity();
    looks.push_back(
        {name, activity, activity.job == 0 ? std::nullopt : thread_state(activity.thread)});
  }
  const bool worked = verdict_.works;
  const bool was_quiet = verdict_.trouble.empty();
  verdict_ = health_.judge(looks, now);
  if (worked && !verdict_.works) {
    log_.error(verdict_.trouble + (manager_.watchdog()
                                       ? ": the service manager will start this daemon anew"
                                       : ": restart this daemon"));
  } else if (was_quiet && !verdict_.trouble.empty()) {
    log_.error(verdict_.trouble + " (HINT: look at dmesg and at the mounts of the archive)");
  } else if (!was_quiet && verdict_.trouble.empty()) {
    log_.info("the disk answers again");
  }
}

void DaemonService::tell_status(TimePoint now) {
  std::string line = verdict_.trouble.empty() ? options_.status(now) : verdict_.trouble;
  if (line != told_) {
    told_ = std::move(line);
    manager_.say_status(told_);
  }
}

}  // namespace pgwalship
