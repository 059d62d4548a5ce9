#include "archiver/pg_wal_forecast.h"

#include "base/random.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace pgwalship {
namespace {

using namespace std::chrono_literals;
using State = PgWalForecast::State;
using testing::HasSubstr;

constexpr std::uint64_t kMiB = 1U << 20U;
constexpr std::uint64_t kGiB = 1U << 30U;

class PgWalForecastTest : public testing::Test {
 protected:
  // `seconds` of samples every ten, the free space changing by `growth` bytes a second.
  void run(int seconds, std::int64_t used_per_second, std::uint64_t noise = 0) {
    for (int i = 0; i < seconds; i += 10) {
      now_ += 10s;
      free_ -= static_cast<std::uint64_t>(used_per_second * 10);
      const std::uint64_t jitter = noise == 0 ? 0 : random_.next() % noise;
      sample(free_ - jitter);
    }
  }
  void sample(std::uint64_t free, std::uint64_t wal = kGiB, std::uint64_t ready = 3) {
    if (auto line = forecast_.take({free, wal, ready}, now_)) {
      lines_.push_back(*line);
    }
  }

  PgWalForecast forecast_{{.warning = 24h, .critical = 2h, .critical_free_bytes = 256 * kMiB}};
  TimePoint now_{1000h};
  std::uint64_t free_ = 100 * kGiB;
  std::vector<PgWalForecast::Line> lines_;
  Random random_{1};
};

TEST_F(PgWalForecastTest, SaysNothingBeforeItKnows) {
  run(50, 100 * kMiB);
  EXPECT_EQ(forecast_.state(), State::kUnknown);
  EXPECT_FALSE(forecast_.full_in());
}

TEST_F(PgWalForecastTest, WhatIsWrittenWhileAServerIsSetUpIsNoTrend) {
  run(90, 50 * kMiB);
  EXPECT_FALSE(forecast_.full_in());
  run(1200, 0);
  EXPECT_EQ(forecast_.state(), State::kOk);
  EXPECT_TRUE(lines_.empty());
}

TEST_F(PgWalForecastTest, WhatANewServerWritesUpToItsUsualSizeIsNoTrend) {
  for (std::uint64_t i = 0; i < 60; ++i) {
    now_ += 10s;
    sample(60 * kGiB, std::min<std::uint64_t>(16 * kMiB + i * 30 * kMiB, 500 * kMiB));
  }
  EXPECT_EQ(forecast_.state(), State::kOk);
  EXPECT_TRUE(lines_.empty());
}

TEST_F(PgWalForecastTest, H17ADiskThatIsFullInMinutesIsToldOfWithinAMinute) {
  free_ = 4 * kGiB;
  run(60, 10 * kMiB);
  EXPECT_EQ(forecast_.state(), State::kCritical);
  ASSERT_EQ(lines_.size(), 1U);
  EXPECT_EQ(lines_[0].level, LogLevel::kError);
}

TEST_F(PgWalForecastTest, AQuietDiskIsOkWithoutALine) {
  run(1200, 0);
  EXPECT_EQ(forecast_.state(), State::kOk);
  EXPECT_FALSE(forecast_.full_in());
  EXPECT_TRUE(lines_.empty());
}

TEST_F(PgWalForecastTest, H17WarnsWithADayToGoAndAlarmsWithTwoHours) {
  run(600, 2 * kMiB);  // 100 GiB last for 14 hours
  ASSERT_EQ(forecast_.state(), State::kWarning);
  ASSERT_EQ(lines_.size(), 1U);
  EXPECT_EQ(lines_[0].level, LogLevel::kWarning);
  EXPECT_THAT(lines_[0].text, HasSubstr("is full in 14."));
  EXPECT_THAT(lines_[0].text, HasSubstr("3 segments wait to be archived"));
  EXPECT_THAT(lines_[0].text, HasSubstr("HINT"));
  run(600, 20 * kMiB);
  EXPECT_EQ(forecast_.state(), State::kCritical);
  ASSERT_EQ(lines_.size(), 2U) << "one line for each change";
  EXPECT_EQ(lines_[1].level, LogLevel::kError);
}

TEST_F(PgWalForecastTest, H17AlarmsWhenLittleIsFreeWhateverTheRate) {
  free_ = 200 * kMiB;
  run(10, 0);
  EXPECT_EQ(forecast_.state(), State::kCritical);
  ASSERT_EQ(lines_.size(), 1U);
  EXPECT_THAT(lines_[0].text, HasSubstr("nearly full"));
}

TEST_F(PgWalForecastTest, ACheckpointThatFreesSegmentsDoesNotHideAStall) {
  run(300, 2 * kMiB);
  free_ += 200 * kMiB;
  run(300, 2 * kMiB);
  EXPECT_EQ(forecast_.state(), State::kWarning);
}

TEST_F(PgWalForecastTest, NoiseIsNoTrend) {
  run(3600, 0, kGiB);
  EXPECT_EQ(forecast_.state(), State::kOk);
  EXPECT_TRUE(lines_.empty());
}

TEST_F(PgWalForecastTest, AGrowingPgWalCountsOnADiskThatIsFreedMeanwhile) {
  for (std::uint64_t i = 0; i < 30; ++i) {
    now_ += 10s;
    sample(20 * kGiB, kGiB + i * 100 * kMiB);
  }
  EXPECT_EQ(forecast_.state(), State::kCritical);
}

TEST_F(PgWalForecastTest, H48GetsBetterOnceAndNotAtOnce) {
  run(600, 2 * kMiB);
  ASSERT_EQ(lines_.size(), 1U);
  run(300, 0);
  EXPECT_EQ(forecast_.state(), State::kWarning);
  run(1200, 0);
  EXPECT_EQ(forecast_.state(), State::kOk);
  ASSERT_EQ(lines_.size(), 2U);
  EXPECT_EQ(lines_[1].level, LogLevel::kInfo);
}

TEST_F(PgWalForecastTest, H48ARateAtTheThresholdDoesNotFlap) {
  for (int i = 0; i < 20; ++i) {
    free_ = 100 * kGiB;
    run(600, i % 2 == 0 ? 1'300'000 : 1'200'000);  // a little under and a little over a day
  }
  EXPECT_LE(lines_.size(), 1U);
}

TEST_F(PgWalForecastTest, APauseBeginsAnew) {
  run(600, 0);
  now_ += 1h;
  free_ -= 50 * kGiB;
  run(50, 0);
  EXPECT_FALSE(forecast_.full_in());
  EXPECT_EQ(forecast_.state(), State::kOk) << "the last that was known";
  EXPECT_TRUE(lines_.empty());
}

TEST_F(PgWalForecastTest, SamplesAtTheSameMomentDoNoHarm) {
  run(600, 0);
  for (int i = 0; i < 100; ++i) {
    sample(free_ - static_cast<std::uint64_t>(i) * kGiB);
  }
  EXPECT_EQ(forecast_.state(), State::kOk);
}

}  // namespace
}  // namespace pgwalship
