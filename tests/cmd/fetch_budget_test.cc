#include "cmd/fetch_budget.h"

#include <gtest/gtest.h>

namespace pgwalship {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr auto kModes = {RecoveryMode::kStandby, RecoveryMode::kRecovery, RecoveryMode::kManual};

TEST(FetchBudget, TheWatchdogBitesOnlyAfterTheTotal) {
  for (const RecoveryMode mode : kModes) {
    for (const WalKind kind : {WalKind::kSegment, WalKind::kHistory, WalKind::kBackup}) {
      for (const milliseconds timeout : {seconds(0), seconds(1), seconds(3600)}) {
        const FetchBudget budget = fetch_budget(mode, kind, timeout);
        EXPECT_GT(budget.watchdog, budget.total);
        EXPECT_GT(budget.total, milliseconds(0));
        EXPECT_LE(budget.retry, budget.total);
      }
    }
  }
}

TEST(FetchBudget, H26AHistoryProbeHasThreeSecondsInAll) {
  for (const RecoveryMode mode : kModes) {
    const FetchBudget budget = fetch_budget(mode, WalKind::kHistory, seconds(60));
    EXPECT_LE(budget.watchdog, seconds(3));
    EXPECT_LE(budget.wait + kAnswerReserve, budget.total);
  }
}

TEST(FetchBudget, H36OnlyARecoveryWaitsForSilentPeersAndAsksAgain) {
  for (const RecoveryMode mode : kModes) {
    const FetchBudget budget = fetch_budget(mode, WalKind::kSegment, seconds(60));
    EXPECT_EQ(budget.retry, mode == RecoveryMode::kRecovery ? seconds(60) : seconds(0));
    EXPECT_EQ(budget.wait > milliseconds(0), mode == RecoveryMode::kRecovery);
  }
}

TEST(FetchBudget, AStandbyIsBackAtStreamingWithinTenSeconds) {
  EXPECT_LE(fetch_budget(RecoveryMode::kStandby, WalKind::kSegment, seconds(600)).watchdog,
            seconds(10));
}

TEST(FetchBudget, NoFetchTimeoutStillLeavesTimeForOneTry) {
  const FetchBudget budget = fetch_budget(RecoveryMode::kRecovery, WalKind::kSegment, seconds(0));
  EXPECT_GE(budget.total, budget.greeting + kAnswerReserve);
  EXPECT_EQ(budget.retry, seconds(0));
}

}  // namespace
}  // namespace pgwalship
