#include "archiver/timeline_watch.h"

#include "archiver/timeline_troubles.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pgwalship {
namespace {

using testing::HasSubstr;
using testing::SizeIs;
using Kind = TimelineWatch::Kind;

constexpr std::uint32_t kBytes = 16U << 20;

// The words the tests are written in: segment 5 of a timeline starts at 0/5000000.
class TimelineWatchTest : public testing::Test {
 protected:
  std::optional<TimelineWatch::Alarm> stored(std::uint32_t timeline, std::uint64_t number,
                                             std::uint32_t header_timeline = 0) {
    const WalName name = WalName::parse(segment_text(timeline, number, kBytes)).value();
    return watch_.stored(name, header_timeline == 0 ? timeline : header_timeline, kBytes);
  }
  std::string kind_of(const std::optional<TimelineWatch::Alarm>& alarm) {
    return alarm ? std::string(to_word(alarm->kind)) : "none";
  }

  std::size_t lowered(const TimelineWatch::Look& look) { return watch_.review(look, now_).size(); }
  void refuse(bool is_undecided) {
    watch_.refused_history(3, {"1\t0/5000060\tx\n", "pgdb1"},
                           {"1\t0/6000060\tx\n", "pgdb2", is_undecided}, now_);
  }

  TimelineWatch watch_;
  TimePoint now_{std::chrono::hours(1)};
};

TEST_F(TimelineWatchTest, AFailoverIsNoAlarm) {
  EXPECT_EQ(kind_of(stored(1, 4)), "none");
  watch_.learn(2, "1\t0/5000060\tno recovery target specified\n");
  EXPECT_EQ(kind_of(watch_.stored_history(2)), "none");
  // Its first segment starts with its parent's pages; the parent's own one may still come.
  EXPECT_EQ(kind_of(stored(2, 5, 1)), "none");
  EXPECT_EQ(kind_of(stored(2, 6)), "none");
  EXPECT_EQ(kind_of(stored(1, 5)), "none");
  EXPECT_EQ(kind_of(stored(1, 3)), "none");
  EXPECT_TRUE(watch_.alarms().empty());
}

TEST_F(TimelineWatchTest, H39ASegmentBeyondTheForkIsToldOnceAndCounted) {
  watch_.learn(2, "1\t0/5000060\tx\n");
  const auto alarm = stored(1, 6);
  ASSERT_TRUE(alarm);
  EXPECT_EQ(alarm->kind, Kind::kBeyondFork);
  EXPECT_EQ(alarm->text,
            "000000010000000000000006 lies beyond the fork: timeline 2 left timeline 1 at "
            "0/5000060, and no recovery to it reads this");
  EXPECT_EQ(kind_of(stored(1, 7)), "none");
  ASSERT_THAT(watch_.alarms(), SizeIs(1));
  EXPECT_EQ(watch_.alarms().front().count, 2U);
}

TEST_F(TimelineWatchTest, H39AForkAtTheStartOfASegmentLeavesThatSegmentToBoth) {
  watch_.learn(2, "1\t0/5000000\tx\n");
  EXPECT_EQ(kind_of(stored(1, 4)), "none");
  EXPECT_EQ(kind_of(stored(2, 5, 2)), "none");
  EXPECT_EQ(kind_of(stored(1, 5)), "none");
  EXPECT_EQ(kind_of(stored(1, 6)), "beyond_fork");
}

TEST_F(TimelineWatchTest, OfTwoChildrenTheLaterForkCounts) {
  watch_.learn(2, "1\t0/5000060\tx\n");
  watch_.learn(3, "1\t0/9000060\tx\n");
  EXPECT_EQ(kind_of(stored(1, 8)), "none");
  EXPECT_EQ(kind_of(stored(1, 10)), "beyond_fork");
}

TEST_F(TimelineWatchTest, ASegmentBeforeItsTimelinesStartIsAnError) {
  watch_.learn(2, "1\t0/5000060\tx\n");
  EXPECT_EQ(kind_of(stored(2, 4)), "before_fork");
}

TEST_F(TimelineWatchTest, H39ASegmentOfAnotherParentIsAnError) {
  watch_.learn(2, "1\t0/5000060\tx\n");
  watch_.learn(3, "1\t0/5000060\tx\n2\t0/7000060\tx\n");
  EXPECT_EQ(kind_of(stored(3, 7, 2)), "none");
  const auto alarm = stored(3, 7, 1);
  ASSERT_TRUE(alarm);
  EXPECT_EQ(alarm->kind, Kind::kWrongParent);
  EXPECT_THAT(alarm->text, HasSubstr("was begun on timeline 1"));
}

TEST_F(TimelineWatchTest, ThePartialOfASwitchoverIsNoAlarm) {
  watch_.learn(2, "1\t0/5000000\tx\n");
  const auto partial = [](std::uint64_t number) {
    return WalName::parse(segment_text(1, number, kBytes) + ".partial").value();
  };
  EXPECT_EQ(kind_of(watch_.stored(partial(5), 1, kBytes)), "none");
  EXPECT_EQ(kind_of(watch_.stored(partial(6), 1, kBytes)), "beyond_fork");
}

TEST_F(TimelineWatchTest, ThreeTimelinesInOneSegmentAreNoAlarm) {
  watch_.learn(2, "1\t0/5000060\tx\n");
  watch_.learn(3, "1\t0/5000060\tx\n2\t0/5000100\tx\n");
  EXPECT_EQ(kind_of(stored(3, 5, 1)), "none");
  EXPECT_EQ(kind_of(stored(3, 6)), "none");
}

TEST_F(TimelineWatchTest, H8AHistoryThatContradictsItsParentsIsASplitBrain) {
  watch_.learn(2, "1\t0/5000060\tx\n");
  watch_.learn(3, "1\t0/6000060\tx\n2\t0/9000000\tx\n");
  const auto alarm = watch_.stored_history(3);
  ASSERT_TRUE(alarm);
  EXPECT_EQ(alarm->text,
            "split brain: 00000003.history says that timeline 2 came from 1 until 0/6000060, but "
            "00000002.history says 1 until 0/5000060");
  EXPECT_THAT(alarm->hint, HasSubstr("restart_on_promote"));
  EXPECT_EQ(kind_of(watch_.stored_history(3)), "none") << "it is told once";
}

TEST_F(TimelineWatchTest, H8ARefusedHistoryIsASplitBrainWithBothContents) {
  const auto alarm = watch_.refused_history(3, {"1\t0/5000060\tx\n", "pgdb1"},
                                            {"1\t0/5000060\tx\n2\t0/7000000\tx\n", "pgdb2"}, now_);
  ASSERT_TRUE(alarm);
  EXPECT_EQ(alarm->text,
            "split brain: there are two timelines 3: the archive's came from 1 until 0/5000060 "
            "(pushed by pgdb1), the refused one came from 1 until 0/5000060, 2 until 0/7000000 "
            "(pushed by pgdb2)");
}

TEST_F(TimelineWatchTest, H8ARefusedHistoryStandsUntilTheConflictIsDecided) {
  refuse(true);
  now_ += std::chrono::hours(9);
  EXPECT_EQ(lowered({.histories = {}, .undecided = {3}, .missing = {}}), 0U);
  ASSERT_THAT(watch_.alarms(), SizeIs(1));
  EXPECT_EQ(lowered({.histories = {}, .undecided = {2}, .missing = {}}), 1U);
  EXPECT_THAT(watch_.alarms(), SizeIs(0));
}

// Quarantine says of it that it was decided: only the tries themselves tell of the server.
TEST_F(TimelineWatchTest, H8AServerThatGoesOnAfterTheDecisionIsAnAlarmUntilItIsSilent) {
  refuse(false);
  EXPECT_EQ(lowered({}), 0U);
  now_ += std::chrono::minutes(4);
  refuse(false);
  now_ += std::chrono::minutes(4);
  EXPECT_EQ(lowered({}), 0U);
  now_ += std::chrono::minutes(2);
  EXPECT_EQ(lowered({}), 1U);
}

TEST_F(TimelineWatchTest, H8ContradictoryHistoriesStandUntilOneOfThemIsAnother) {
  watch_.learn(2, "1\t0/5000060\tx\n");
  watch_.learn(3, "1\t0/6000060\tx\n2\t0/9000000\tx\n");
  watch_.stored_history(3);
  EXPECT_EQ(lowered({}), 0U);
  EXPECT_EQ(lowered({.histories = {{2, "1\t0/6000060\tx\n"}}, .undecided = {}, .missing = {}}), 1U);
  EXPECT_THAT(watch_.alarms(), SizeIs(0));
  EXPECT_EQ(kind_of(watch_.stored_history(3)), "none");
}

TEST_F(TimelineWatchTest, H39SegmentsBeyondAForkStandUntilTheLastOfThemIsGone) {
  watch_.learn(2, "1\t0/5000060\tx\n");
  stored(1, 6);
  stored(1, 7);
  EXPECT_EQ(lowered({.histories = {}, .undecided = {}, .missing = {segment_text(1, 6, kBytes)}}),
            0U);
  EXPECT_EQ(lowered({.histories = {}, .undecided = {}, .missing = {segment_text(1, 7, kBytes)}}),
            1U);
  EXPECT_EQ(kind_of(stored(1, 8)), "beyond_fork") << "it is news again";
  EXPECT_EQ(lowered({.histories = {{2, std::nullopt}}, .undecided = {}, .missing = {}}), 1U)
      << "there is no such fork any more";
}

TEST_F(TimelineWatchTest, ADamagedHistoryIsNotWaitedFor) {
  watch_.learn(2, "garbage");
  EXPECT_TRUE(watch_.knows(2));
  EXPECT_EQ(kind_of(watch_.stored_history(2)), "none");
  EXPECT_EQ(kind_of(stored(2, 5)), "none");
  EXPECT_EQ(watch_.first_unknown_above(1), 3U);
}

TEST_F(TimelineWatchTest, RemembersABoundedNumber) {
  for (std::uint32_t timeline = 2; timeline < 2 + 2 * TimelineWatch::kAlarmsMax; ++timeline) {
    watch_.learn(timeline, "1\t0/5000060\tx\n");
    stored(timeline, 4);
  }
  EXPECT_THAT(watch_.alarms(), SizeIs(TimelineWatch::kAlarmsMax));
}

TEST(TimelineTroubles, AreShortAndByTimeline) {
  ArchiveSurvey survey;
  survey.histories = {{2, "1\t0/5000060\tx\n"}};
  survey.runs = {{1, 1, 6}, {2, 5, 7}, {2, 10, 10}, {2, 12, 12}};
  const auto troubles = find_timeline_troubles(survey);
  ASSERT_THAT(troubles, SizeIs(2));
  EXPECT_EQ(troubles[0].timeline, 1U);
  EXPECT_EQ(troubles[0].contradiction_count, 1U);
  EXPECT_EQ(troubles[1].gaps, 2U);
  EXPECT_EQ(troubles[1].missing_segments, 3U);
  EXPECT_EQ(troubles[1].first_gap, "000000020000000000000008 to 000000020000000000000009");
  EXPECT_THAT(find_timeline_troubles(ArchiveSurvey{}), SizeIs(0));
}

}  // namespace
}  // namespace pgwalship
