#include "cmd/daemon_health.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pgwalship {
namespace {

using std::chrono::seconds;

const TimePoint kStart{std::chrono::hours(1)};

class DaemonHealthTest : public testing::Test {
 protected:
  // Every ten seconds one look, all the same, until the daemon does not work or `limit` is over.
  Duration works_for(std::uint64_t job, char letter, Duration limit = std::chrono::hours(1)) {
    for (Duration age{}; age < limit; age += seconds(10)) {
      if (!look(job, letter, 7, kStart + age).works) {
        return age;
      }
    }
    return limit;
  }
  DaemonHealth::Verdict look(std::uint64_t job, char letter, std::uint64_t ticks, TimePoint now) {
    const DaemonHealth::Look one{"disk", {job, 42}, ThreadState{letter, ticks}};
    return health_.judge({&one, 1}, now);
  }

  DaemonHealth health_;
};

TEST_F(DaemonHealthTest, AnIdleWorkerIsHealthy) {
  EXPECT_EQ(works_for(0, 'S'), std::chrono::hours(1));
}

TEST_F(DaemonHealthTest, H49AWorkerThatSleepsInOneJobIsStuck) {
  EXPECT_EQ(works_for(3, 'S'), kStuckAfter);
  EXPECT_THAT(look(3, 'S', 7, kStart + kStuckAfter).trouble,
              testing::HasSubstr("'disk' has been stuck for 300 s"));
  EXPECT_TRUE(look(4, 'S', 7, kStart + kStuckAfter + seconds(1)).works) << "it goes on";
}

TEST_F(DaemonHealthTest, ALongJobThatWorksIsHealthy) {
  for (int i = 0; i < 1000; ++i) {
    EXPECT_TRUE(look(3, 'S', static_cast<std::uint64_t>(i / 5), kStart + i * seconds(10)).works);
  }
}

// A kill would not end it, and the new process could not start beside it.
TEST_F(DaemonHealthTest, H50ADiskThatDoesNotAnswerIsToldAndNoReasonToKill) {
  EXPECT_EQ(works_for(3, 'D'), std::chrono::hours(1));
  EXPECT_EQ(look(4, 'D', 7, kStart).trouble, "");
  EXPECT_EQ(look(4, 'D', 7, kStart + kSlowAfter).trouble,
            "the disk has not answered the worker 'disk' for 30 s");
  EXPECT_EQ(look(5, 'D', 7, kStart + kSlowAfter).trouble, "");
}

TEST_F(DaemonHealthTest, OneStuckWorkerIsEnough) {
  const std::vector<DaemonHealth::Look> looks{{"disk", {0, 42}, ThreadState{'S', 1}},
                                              {"scans", {9, 43}, ThreadState{'S', 1}}};
  EXPECT_TRUE(health_.judge(looks, kStart).works);
  const auto verdict = health_.judge(looks, kStart + kStuckAfter);
  EXPECT_FALSE(verdict.works);
  EXPECT_THAT(verdict.trouble, testing::HasSubstr("'scans'"));
}

}  // namespace
}  // namespace pgwalship
