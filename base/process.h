// Processes and threads, as /proc shows them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>

namespace pgwalship {

// Whether a process of that id runs and works in that directory, or may: what another user's does
// is not shown. A zombie does not run.
bool runs_in(int pid, const std::string& directory);

struct ThreadState {
  char letter = '?';            // of proc(5): R runs, S sleeps, D waits for the kernel, ...
  std::uint64_t cpu_ticks = 0;  // used so far, by itself and by the kernel for it
};
// Of a thread of this process; nothing when it is not there.
std::optional<ThreadState> thread_state(pid_t thread);
// What /proc/PID/stat says.
std::optional<ThreadState> parse_thread_state(std::string_view stat);

}  // namespace pgwalship
