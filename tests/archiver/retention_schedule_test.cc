#include "archiver/retention_schedule.h"

#include <gtest/gtest.h>

namespace pgwalship {
namespace {

using namespace std::chrono_literals;

const TimePoint kStart{1000h};
const WallTime kWall{500000h};

TEST(RetentionSchedule, IsNeverDueWithoutAnInterval) {
  RetentionSchedule schedule(std::nullopt, kStart);
  EXPECT_EQ(schedule.next(), kNever);
  schedule.ran(kStart);
  EXPECT_FALSE(schedule.due(kStart + 1000h));
}

TEST(RetentionSchedule, RunsSoonAfterTheStartAndThenByTheInterval) {
  RetentionSchedule schedule(1h, kStart);
  EXPECT_FALSE(schedule.due(kStart + 9min));
  EXPECT_TRUE(schedule.due(kStart + 10min));
  schedule.ran(kStart + 10min);
  EXPECT_FALSE(schedule.due(kStart + 69min));
  EXPECT_TRUE(schedule.due(kStart + 70min));
}

TEST(ClockWatch, TrustsAClockThatRuns) {
  ClockWatch clock;
  for (int i = 0; i < 100; ++i) {
    clock.note(kStart + i * 1h, kWall + i * (1h + 2s));  // slewed
  }
  EXPECT_TRUE(clock.trusted(kStart + 100h));
}

TEST(ClockWatch, H22DistrustsAClockThatWasSetForADay) {
  for (const auto step : {-2h, 2h, 87600h}) {
    ClockWatch clock;
    clock.note(kStart, kWall);
    clock.note(kStart + 1h, kWall + 1h + step);
    EXPECT_FALSE(clock.trusted(kStart + 1h));
    clock.note(kStart + 2h, kWall + 2h + step);
    EXPECT_FALSE(clock.trusted(kStart + 24h));
    EXPECT_TRUE(clock.trusted(kStart + 25h));
  }
}

}  // namespace
}  // namespace pgwalship
