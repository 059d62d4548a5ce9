// Why PostgreSQL (or a person) asks for a file, seen from the working directory: PostgreSQL runs
// restore_command in its data directory. It decides what a failure may be called (README, "Exit
// codes").
#pragma once

#include "base/file_system.h"

#include <string>

namespace pgwalship {

enum class RecoveryMode {
  kStandby,  // standby.signal: whatever is not there is asked for again; recovery.signal too or not
  kRecovery,  // recovery.signal alone: "not there" ends recovery for good
  kManual,    // neither: pg_rewind, or a person
};

// `directory` is absolute. When it cannot be looked at the answer is kRecovery: there a mistake
// does the least harm.
RecoveryMode find_recovery_mode(const FileSystem& file_system, const std::string& directory);

// Whether PostgreSQL 11 or older recovers there: a later one does not start beside a recovery.conf.
// It has no signal files, so the mode is a guess then, kRecovery.
bool is_before_signal_files(const FileSystem& file_system, const std::string& directory);

}  // namespace pgwalship
