#include "restorer/scrub.h"

#include <gtest/gtest.h>

namespace pgwalship {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Load = ScrubPace::Load;

const TimePoint kStart{hours(1)};

TEST(ScrubPace, ZeroIsNever) {
  EXPECT_EQ(ScrubPace(Duration::zero(), kStart).next(), kNever);
}

TEST(ScrubPace, StartsAWhileAfterTheDaemonAndAtOnceInAShortPass) {
  EXPECT_EQ(ScrubPace(hours(720), kStart).next(), kStart + kScrubStartDelay);
  EXPECT_EQ(ScrubPace(seconds(5), kStart).next(), kStart + milliseconds(500));
}

TEST(ScrubPace, SpreadsAPassEvenlyOverItsFiles) {
  ScrubPace pace(hours(1000), kStart);
  EXPECT_TRUE(pace.may_start(Load::kIdle, kStart));
  EXPECT_EQ(pace.next(), kNever) << "one file at a time";
  pace.done(1000, milliseconds(100), kStart);
  EXPECT_EQ(pace.next(), kStart + hours(1));
}

TEST(ScrubPace, AnotherPassCountsFromTheNextFileOn) {
  ScrubPace pace(hours(1000), kStart);
  EXPECT_TRUE(pace.may_start(Load::kIdle, kStart));
  pace.set_pass(hours(10), kStart);
  EXPECT_EQ(pace.next(), kNever) << "a file is being read";
  pace.done(10, milliseconds(1), kStart);
  EXPECT_EQ(pace.next(), kStart + hours(1));
  pace.set_pass(Duration::zero(), kStart);
  EXPECT_EQ(pace.next(), kNever);
  pace.set_pass(seconds(5), kStart);
  EXPECT_EQ(pace.next(), kStart + milliseconds(500));
}

TEST(ScrubPace, IsSwitchedOffWhileAFileIsRead) {
  ScrubPace pace(hours(1000), kStart);
  EXPECT_TRUE(pace.may_start(Load::kIdle, kStart));
  pace.set_pass(Duration::zero(), kStart);
  pace.done(10, milliseconds(1), kStart);
  EXPECT_EQ(pace.next(), kNever);
}

TEST(ScrubPace, LeavesASlowDiskAlone) {
  ScrubPace pace(seconds(10), kStart);
  EXPECT_TRUE(pace.may_start(Load::kIdle, kStart));
  pace.done(1'000'000, seconds(2), kStart);
  EXPECT_EQ(pace.next(), kStart + seconds(2) * kScrubRest);
}

TEST(ScrubPace, AnEmptyArchiveIsLookedAtNowAndThen) {
  ScrubPace pace(hours(720), kStart);
  EXPECT_TRUE(pace.may_start(Load::kIdle, kStart));
  pace.done(0, milliseconds(1), kStart);
  EXPECT_EQ(pace.next(), kStart + kScrubIdle);
}

TEST(ScrubPace, GoesBehindPushesAndRecoveriesButNotForEver) {
  ScrubPace pace(hours(1), kStart);
  TimePoint now = kStart;
  int deferred = 0;
  while (!pace.may_start(Load::kBusy, now)) {
    ASSERT_LT(++deferred, 100);
    ASSERT_EQ(pace.next(), now + kScrubDeferStep);
    now = pace.next();
  }
  EXPECT_EQ(now, kStart + kScrubDeferMax);
  pace.done(10, milliseconds(1), now);
  EXPECT_FALSE(pace.may_start(Load::kBusy, now)) << "each file anew";
}

}  // namespace
}  // namespace pgwalship
