// How a verb ends when its own code cannot end it: a disk that hangs, a crash, an exception.
// PostgreSQL waits for the verb without a limit and reads its exit status (cmd/exit_status.h), so
// both must hold even then (H13, H14). One per process; call from the main thread.
#pragma once

#include "base/result.h"

#include <chrono>
#include <string>

namespace pgwalship {

// From now on SIGSEGV, SIGBUS, SIGFPE, SIGILL and SIGABRT end the process with `status`, and one
// line on stderr that starts with `who`. Without the line when stderr is full: nobody is waited
// for.
void set_emergency_exit(int status, const std::string& who);

// Ends the process in the same way when it still runs after `limit`. Replaces an earlier limit.
void limit_run_time(std::chrono::milliseconds limit);

// "`who`: message", and a HINT line when there is a hint, to stderr in one write; a text of more
// than 4 KiB in several. What a full stderr does not take within a moment is lost: the exit status
// is due.
void print_reason(const std::string& who, const Error& error);

}  // namespace pgwalship
