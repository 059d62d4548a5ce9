#include "cmd/daemon_health.h"

namespace pgwalship {

namespace {

std::string seconds_text(Duration duration) {
  return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(duration).count()) + " s";
}

}  // namespace

DaemonHealth::Verdict DaemonHealth::judge(std::span<const Look> looks, TimePoint now) {
  Verdict verdict;
  for (const Look& look : looks) {
    Seen& seen = seen_[std::string(look.worker)];
    const ThreadState state = look.thread.value_or(ThreadState{});
    if (seen.job != look.activity.job || look.activity.job == 0) {
      seen = {look.activity.job, now, now, state.cpu_ticks};
      continue;
    }
    if (state.letter != 'S' || state.cpu_ticks != seen.cpu_ticks) {
      seen.idle_since = now;
      seen.cpu_ticks = state.cpu_ticks;
    }
    if (now - seen.idle_since >= kStuckAfter) {
      return {false, "the worker '" + std::string(look.worker) + "' has been stuck for " +
                         seconds_text(now - seen.idle_since)};
    }
    if (state.letter == 'D' && now - seen.since >= kSlowAfter) {
      verdict.trouble = "the disk has not answered the worker '" + std::string(look.worker) +
                        "' for " + seconds_text(now - seen.since);
    }
  }
  return verdict;
}

}  // namespace pgwalship
