// How long a fetch may take, and for what. PostgreSQL waits for it, and while it waits a standby
// does not stream, a promotion does not finish, and a resource agent's start timeout runs.
#pragma once

#include "cmd/daemon_call.h"
#include "restorer/fetch_plan.h"
#include "restorer/recovery_mode.h"
#include "wal/segment_name.h"

#include <algorithm>
#include <chrono>

namespace pgwalship {

struct FetchBudget {
  std::chrono::milliseconds total;     // for the answer
  std::chrono::milliseconds watchdog;  // for the process; above total
  std::chrono::milliseconds greeting;  // for the daemon to be there and to greet
  IfDown if_down = IfDown::kTryAgain;  // within `greeting`
  std::chrono::milliseconds wait;      // how long the daemon may wait for silent peers
  std::chrono::milliseconds retry{0};  // how long an unknown answer is not accepted
};

// The daemon's patience with connected peers (restorer/fetch_plan.h) comes on top of the wait.
inline constexpr std::chrono::milliseconds kAnswerReserve =
    kStatPatience + std::chrono::milliseconds(200);
inline constexpr std::chrono::milliseconds kWaitMax{10'000};  // then the daemon is asked anew
// For one try, even with fetch-timeout = 0.
inline constexpr std::chrono::milliseconds kAnswerMin{5'000};
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
            .retry = milliseconds(retries ? 2'800 : 0)};
  }
  if (mode == RecoveryMode::kStandby) {
    // It has streaming to go back to, and asks again.
    return {.total = milliseconds(9'000),
            .watchdog = milliseconds(10'000),
            .greeting = milliseconds(2'000),
            .if_down = IfDown::kFail,
            .wait = milliseconds(0)};
  }
  const milliseconds total = std::max(fetch_timeout, kAnswerMin);
  return {.total = total,
          .watchdog = total + kWatchdogGrace,
          .greeting = kRestartPatience,
          .wait = retries ? std::min(fetch_timeout, kWaitMax) : milliseconds(0),
          .retry = retries ? fetch_timeout : milliseconds(0)};
}

}  // namespace pgwalship
