// Whether this daemon works, for the watchdog of a service manager, and what is said of it in one
// line. Pure.
//
// That a turn of the loop asks is half of the answer. The other half are the workers: one that
// sleeps within one job, without using the processor, for kStuckAfter, waits for what never comes,
// and only a new start ends that. One that waits for the kernel (D: a disk or a network file system
// that does not answer) is not stuck by our fault: a kill would not end it, the new process could
// not start beside it, and what still works would stop as well. That is said instead.
#pragma once

#include "base/clock.h"
#include "base/process.h"
#include "base/worker.h"

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace pgwalship {

// Longer than a disk under load takes for an fsync, and than a client waits for anything.
inline constexpr std::chrono::minutes kStuckAfter{5};
// A disk that needs longer than this for one job is worth a word.
inline constexpr std::chrono::seconds kSlowAfter{30};

class DaemonHealth {
 public:
  struct Look {
    std::string_view worker;  // its name
    Worker::Activity activity;
    std::optional<ThreadState> thread;
  };
  struct Verdict {
    bool works = true;
    std::string trouble;  // empty: none
  };

  Verdict judge(std::span<const Look> looks, TimePoint now);

 private:
  struct Seen {
    std::uint64_t job = 0;
    TimePoint since{};       // when this job was first seen
    TimePoint idle_since{};  // since when it has only slept
    std::uint64_t cpu_ticks = 0;
  };

  std::map<std::string, Seen, std::less<>> seen_;
};

}  // namespace pgwalship
