// The exit statuses of `pgwalship fetch` as a table (README, "Exit codes"), apart from the rest for
// the tests' sake: what is known about the file, and who asks.
#pragma once

#include "cmd/exit_status.h"
#include "restorer/recovery_mode.h"
#include "transport/messages.h"

namespace pgwalship {

constexpr FetchExit fetch_exit(FetchVerdict verdict, RecoveryMode mode) {
  switch (verdict) {
    case FetchVerdict::kFound:
      return FetchExit::kFound;
    case FetchVerdict::kAbsent:
      return FetchExit::kNotThere;
    case FetchVerdict::kUnknown:
    case FetchVerdict::kCorrupt:
    case FetchVerdict::kNoRoom:
      return mode == RecoveryMode::kRecovery ? FetchExit::kStop : FetchExit::kNotThere;
  }
  return FetchExit::kStop;
}

// A wrong command line or configuration proves nothing about the file.
constexpr FetchExit fetch_usage_exit(RecoveryMode mode) {
  return mode == RecoveryMode::kRecovery ? FetchExit::kStop : FetchExit::kUsage;
}

}  // namespace pgwalship
