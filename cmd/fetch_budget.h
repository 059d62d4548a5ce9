// How long a fetch may take, and for what. PostgreSQL waits for it, and while it waits a standby
// does not stream, a promotion does not finish, and a resource agent's start timeout runs.
#pragma once

#include "cmd/daemon_call.h"
#include "restorer/fetch_plan.h"
#include "restorer/recovery_mode.h"
#include "wal/segment_name.h"

#include <chrono>

namespace pgwalship {

enum class Retry { kNo, kUntilTotal };

struct FetchBudget {
  std::chrono::milliseconds total;     // for the answer
  std::chrono::milliseconds watchdog;  // for the process; above total
  std::chrono::milliseconds greeting;  // for the daemon to be there and to greet
  IfDown if_down = IfDown::kTryAgain;  // within `greeting`
  std::chrono::milliseconds wait;      // how long the daemon may wait for silent peers
  Retry retry = Retry::kNo;
};

// The daemon's patience with connected peers (restorer/fetch_plan.h) comes on top of the wait.
inline constexpr std::chrono::milliseconds kAnswerReserve =
    kStatPatience + std::chrono::milliseconds(200);
inline constexpr std::chrono::milliseconds kWaitMax{10'000};  // then the daemon is asked anew
inline constexpr std::chrono::milliseconds kWatchdogGrace{5'000};

constexpr FetchBudget fetch_budget(RecoveryMode mode, WalKind kind,
                                   std::chrono::milliseconds fetch_timeout) {
  using std::chrono::milliseconds;
  const bool retries = mode == RecoveryMode::kRecovery;
  if (kind == WalKind::kHistory) {
    // A promotion asks for the history of one timeline after the other, each within 3 s (H26).
    return {.total = milliseconds(2'800),
            .watchdog = milliseconds(3'000),
            .greeting = milliseconds(1'000),
            .wait = milliseconds(retries ? 1'000 : 0),
            .retry = retries ? Retry::kUntilTotal : Retry::kNo};
  }
  if (mode == RecoveryMode::kStandby) {
    // It has streaming to go back to, and asks again.
    return {.total = milliseconds(9'000),
            .watchdog = milliseconds(10'000),
            .greeting = milliseconds(2'000),
            .if_down = IfDown::kFail,
            .wait = milliseconds(0)};
  }
  return {.total = fetch_timeout,
          .watchdog = fetch_timeout + kWatchdogGrace,
          .greeting = kRestartPatience,
          .wait = retries ? kWaitMax : milliseconds(0),
          .retry = retries ? Retry::kUntilTotal : Retry::kNo};
}

}  // namespace pgwalship
