#include "cmd/check_probe.h"

#include "cmd/daemon_call.h"

#include <algorithm>
#include <cstdio>

namespace pgwalship {
namespace {

using State = ProbeReport::State;

constexpr std::uint64_t kQueryId = 1;
// As Error::text() writes it.
constexpr std::string_view kHintLine = "\nHINT: ";
// For the way of the report from the daemon to here.
constexpr std::chrono::milliseconds kReturnTime{500};

double seconds_of(std::uint64_t microseconds) {
  constexpr double kPerSecond = 1e6;
  return static_cast<double>(microseconds) / kPerSecond;
}

std::string seconds_text(double seconds) {
  char text[64];
  std::snprintf(text, sizeof text, "%.3f s", seconds);
  return text;
}

// ": not on pgdb2, not on pgdb3 within 15.000 s"; the time when that was all of it: a peer that
// cannot be reached is known at once.
std::string without(const ProbeReport& probe) {
  constexpr double kAtOnce = 1;
  std::string text;
  for (const ProbeReport::Node& node : probe.nodes) {
    if (node.state != State::kDurable) {
      text += (text.empty() ? ": not on " : ", ") + node.name;
    }
  }
  const double elapsed = seconds_of(probe.elapsed_us);
  return text + (elapsed >= kAtOnce ? " within " + seconds_text(elapsed) : "");
}

}  // namespace

Result<ProbeReport> ask_for_probe(const Config& config, const Clock& clock, TimePoint deadline) {
  TRY_ASSIGN(const auto daemon, connect_daemon(config, clock, deadline, IfDown::kFail));
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - clock.now());
  const auto wait = std::clamp(left - kReturnTime, std::chrono::milliseconds(1),
                               std::max(config.cluster.push_timeout, std::chrono::milliseconds(1)));
  TRY(daemon->send(ProbeQuery{kQueryId, static_cast<std::uint32_t>(wait.count())}, deadline));
  for (;;) {
    TRY_ASSIGN(const Message message, daemon->receive(deadline));
    if (const auto* report = std::get_if<ProbeReport>(&message)) {
      return *report;
    }
    if (const auto* done = std::get_if<Done>(&message); done != nullptr && done->error) {
      return *done->error;
    }
  }
}

void add_probe(CheckResult& result, const Result<ProbeReport>& report,
               std::chrono::milliseconds limit) {
  const auto find = [&](CheckLevel level, std::string text, std::string hint = "") {
    result.findings.push_back({level, std::move(text), std::move(hint)});
  };
  if (!report.ok()) {
    find(CheckLevel::kCritical, "probe: " + report.error().message, report.error().hint);
  } else {
    const ProbeReport& probe = report.value();
    const double elapsed = seconds_of(probe.elapsed_us);
    const double most = std::chrono::duration<double>(limit).count();
    char critical[32];
    std::snprintf(critical, sizeof critical, "%g", most);
    result.performance.push_back({"probe_time", elapsed, "s", "", critical});
    if (!probe.held) {
      find(CheckLevel::kCritical, "probe: no quorum made it durable" + without(probe),
           "PostgreSQL's pushes fail in the same way: mend the nodes that are named");
    }
    for (const ProbeReport::Node& node : probe.nodes) {
      if (node.state != State::kFailed) {
        result.performance.push_back(
            {node.name + "_probe_time", seconds_of(node.elapsed_us), "s", "", ""});
      }
      if (node.state == State::kFailed) {
        const std::size_t hint = std::min(node.why.find(kHintLine), node.why.size());
        find(CheckLevel::kWarning, "probe: " + node.name + ": " + node.why.substr(0, hint),
             hint == node.why.size() ? "" : node.why.substr(hint + kHintLine.size()));
      } else if (node.state == State::kNotCounted) {
        find(CheckLevel::kWarning,
             "probe: " + node.name + " has it, and does not count towards the quorum yet");
      }
    }
    result.good += ", a probe was durable on the quorum after " + seconds_text(elapsed);
  }
  std::stable_sort(result.findings.begin(), result.findings.end(),
                   [](const auto& a, const auto& b) { return a.level > b.level; });
  result.level = result.findings.empty() ? CheckLevel::kOk : result.findings.front().level;
}

}  // namespace pgwalship
