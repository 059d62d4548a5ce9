// What a peer gets and when: fresh files, catch-up, retries.
#include "tests/archiver/shipper_fixture.h"

#include <gmock/gmock.h>

namespace pgwalship {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST_F(ShipperTest, ComparesAPeerAsSoonAsItGreets) {
  greet(b);
  EXPECT_THAT(asked(), ElementsAre("compare b"));
  EXPECT_EQ(state(b), PeerState::kComparing);
  compared(b, segments(1, 3), segments(1, 3));
  EXPECT_EQ(state(b), PeerState::kCurrent);
  EXPECT_THAT(sent(b), IsEmpty());
}

TEST_F(ShipperTest, SendsWhatThePeerLacksInArchivingOrder) {
  Listing mine = {history("2")};
  const Listing more = segments(1, 3);
  mine.insert(mine.end(), more.begin(), more.end());
  greet(b);
  compared(b, mine, segments(2, 2));
  EXPECT_EQ(state(b), PeerState::kCatchingUp);
  EXPECT_THAT(sent(b), ElementsAre("catch-up 00000002.history", "catch-up 1", "catch-up 3"));
  EXPECT_EQ(shipper_->peer(b).backlog, 3U);
}

TEST_F(ShipperTest, WhatOnlyThePeerHoldsIsNotSentBack) {
  greet(b);
  compared(b, segments(2, 2), segments(1, 3));
  EXPECT_THAT(sent(b), IsEmpty());
}

TEST_F(ShipperTest, IsCurrentWhenTheCatchUpIsAnswered) {
  greet(b);
  compared(b, segments(1, 2), Listing{});
  answer(b, segment(1));
  EXPECT_EQ(state(b), PeerState::kCatchingUp);
  answer(b, segment(2));
  EXPECT_EQ(state(b), PeerState::kCurrent);
  EXPECT_EQ(shipper_->peer(b).backlog, 0U);
  EXPECT_EQ(shipper_->peer(b).files_sent, 2U);
}

TEST_F(ShipperTest, APeerLagsFromTheFirstFileThatItLacksUntilItLacksNone) {
  at(1);
  greet(b);
  EXPECT_FALSE(shipper_->peer(b).lags_since.has_value());
  compared(b, segments(1, 2), Listing{});
  const auto since = shipper_->peer(b).lags_since;
  ASSERT_TRUE(since.has_value());
  at(5);
  answer(b, segment(1));
  EXPECT_EQ(shipper_->peer(b).lags_since, since);
  answer(b, segment(2));
  EXPECT_FALSE(shipper_->peer(b).lags_since.has_value());
}

TEST_F(ShipperTest, UnderLoadACurrentPeerLagsOnlySinceItsLastAnswer) {
  up(b);
  at(1);
  submit(1, segment(1));
  at(3);
  submit(2, segment(2));
  answer(b, segment(1));
  const auto since = shipper_->peer(b).lags_since;
  ASSERT_TRUE(since.has_value());
  at(7);
  submit(3, segment(3));
  answer(b, segment(2));
  EXPECT_EQ(*shipper_->peer(b).lags_since - *since, std::chrono::seconds(4));
}

TEST_F(ShipperTest, CatchUpKeepsToItsLimitInFlight) {
  greet(b);
  compared(b, segments(1, 10), Listing{});
  EXPECT_EQ(sent(b).size(), kCatchUpInFlightMax);
  answer(b, segment(1));
  EXPECT_THAT(sent(b), ElementsAre("catch-up 5"));
  EXPECT_EQ(shipper_->peer(b).in_flight, kCatchUpInFlightMax);
  EXPECT_EQ(shipper_->peer(b).backlog, 9U);
}

TEST_F(ShipperTest, FreshFilesKeepToTheirLimitInFlight) {
  up(b);
  for (std::uint32_t i = 1; i <= kFreshInFlightMax + 2; ++i) {
    submit(i, segment(i));
  }
  EXPECT_EQ(sent(b).size(), kFreshInFlightMax);
  answer(b, segment(1));
  EXPECT_THAT(sent(b), ElementsAre("fresh " + std::to_string(kFreshInFlightMax + 1)));
}

TEST_F(ShipperTest, AFreshFileOvertakesTheCatchUp) {
  greet(b);
  compared(b, segments(1, 10), Listing{});
  sent(b);
  submit(1, segment(11));
  EXPECT_THAT(sent(b), ElementsAre("fresh 11")) << "although all places for catch-up are taken";
}

TEST_F(ShipperTest, CatchUpWaitsWhileFreshFilesWait) {
  greet(b);
  compared(b, segments(1, 10), Listing{});
  for (std::uint32_t i = 1; i <= kFreshInFlightMax + 1; ++i) {
    submit(i, segment(100 + i));
  }
  sent(b);
  answer(b, segment(1));
  EXPECT_THAT(sent(b), IsEmpty()) << "one fresh file waits for a place";
  answer(b, segment(101));
  EXPECT_THAT(sent(b), ElementsAre("fresh 117", "catch-up 5"));
}

TEST_F(ShipperTest, H20AHistoryFileOvertakesWaitingSegments) {
  up(b);
  for (std::uint32_t i = 1; i <= kFreshInFlightMax + 1; ++i) {
    submit(i, segment(i));
  }
  submit(50, history("2"));
  submit(51, history("3"));
  sent(b);
  for (std::uint32_t i = 1; i <= 3; ++i) {
    answer(b, segment(i));
  }
  EXPECT_THAT(sent(b), ElementsAre("fresh 00000002.history", "fresh 00000003.history", "fresh 17"));
}

TEST_F(ShipperTest, FreshFilesAreSentWhileListingsAreCompared) {
  greet(b);
  submit(1, segment(5));
  EXPECT_THAT(sent(b), ElementsAre("fresh 5"));
  compared(b, segments(1, 5), segments(1, 4));
  EXPECT_THAT(sent(b), IsEmpty()) << "it is on its way already";
  EXPECT_EQ(state(b), PeerState::kCatchingUp);
  answer(b, segment(5));
  EXPECT_EQ(state(b), PeerState::kCurrent);
}

TEST_F(ShipperTest, FreshFilesAfterTheComparisonDoNotKeepAPeerFromBeingCurrent) {
  greet(b);
  submit(1, segment(5));
  compared(b, segments(1, 4), segments(1, 4));
  EXPECT_EQ(state(b), PeerState::kCurrent);
}

TEST_F(ShipperTest, AnOpenPushGoesToAPeerThatComesBack) {
  submit(1, segment(5));
  stored(1);
  greet(b);
  EXPECT_THAT(sent(b), ElementsAre("fresh 5"));
  answer(b, segment(5));
  EXPECT_EQ(verdict(1), "ok");
}

TEST_F(ShipperTest, H3LosingThePeerVoidsWhatIsInFlight) {
  up(b);
  submit(1, segment(5));
  stored(1);
  lose(b);
  EXPECT_EQ(state(b), PeerState::kDown);
  EXPECT_EQ(shipper_->peer(b).in_flight, 0U);
  greet(b);
  EXPECT_THAT(sent(b), ElementsAre("fresh 5", "fresh 5"));
}

TEST_F(ShipperTest, H3AnAnswerOfALostSessionIsNotCounted) {
  up(b);
  submit(1, segment(5));
  stored(1);
  lose(b);
  greet(b);
  shipper_->step(FileAnswered{b, 1, PutOutcome::kStored}, TimePoint{std::chrono::hours(1)});
  EXPECT_EQ(shipper_->open_pushes(), 1U) << "transfer 1 was of the session before";
}

TEST_F(ShipperTest, LosingThePeerVoidsTheComparison) {
  greet(b);
  lose(b);
  compared(b, segments(1, 5), Listing{});
  EXPECT_EQ(state(b), PeerState::kDown);
  EXPECT_THAT(sent(b), IsEmpty());
}

TEST_F(ShipperTest, TheBacklogOfAPeerThatIsDownGrows) {
  greet(b);
  compared(b, segments(1, 3), Listing{});
  answer(b, segment(1));
  lose(b);
  EXPECT_EQ(shipper_->peer(b).backlog, 2U);
  submit(1, segment(4));
  stored(1);
  submit_taken(2, segment(4));
  stored(2, PutOutcome::kIdentical);
  EXPECT_EQ(shipper_->peer(b).backlog, 3U);
}

TEST_F(ShipperTest, TheBacklogCountsAFileInFlightOnce) {
  up(b);
  submit(1, segment(1));
  stored(1);
  submit(2, segment(2));
  lose(b);
  EXPECT_EQ(shipper_->peer(b).backlog, 1U) << "2 is not stored here yet";
  stored(2);
  EXPECT_EQ(shipper_->peer(b).backlog, 2U);
  lose(b, "another reason");
  EXPECT_EQ(shipper_->peer(b).backlog, 2U);
}

TEST_F(ShipperTest, ComparesACurrentPeerEveryInterval) {
  up(b);
  asked();
  EXPECT_EQ(next_wakeup(), 60);
  at(59.9);
  EXPECT_THAT(asked(), IsEmpty());
  at(60);
  EXPECT_THAT(asked(), ElementsAre("compare b"));
  EXPECT_EQ(state(b), PeerState::kCurrent);
  compared(b, segments(1, 1), Listing{});
  EXPECT_EQ(state(b), PeerState::kCatchingUp);
  EXPECT_THAT(sent(b), ElementsAre("catch-up 1"));
}

TEST_F(ShipperTest, WhenTheArchiveGrewPeersAreComparedSoon) {
  up(b);
  greet(c);
  at(10);
  asked();
  step(ArchiveGrew{});
  EXPECT_EQ(next_wakeup(), 15);
  compared(c);
  at(15);
  EXPECT_THAT(asked(), ElementsAre("compare b", "compare c")) << "c's comparison was under way";
  compared(b);
  compared(c);
  EXPECT_EQ(next_wakeup(), 75);
}

TEST_F(ShipperTest, APeerInTroubleKeepsItsPaceWhenTheArchiveGrew) {
  greet(b);
  double now = 0;
  for (const double wait : {1, 2, 4, 8, 16}) {
    compared(b, segments(1, 1), Listing{});
    answer(b, segment(1), no_space());
    step(ArchiveGrew{});
    EXPECT_EQ(next_wakeup(), now + wait);
    at(now += wait);
  }
}

TEST_F(ShipperTest, H14ASilentComparisonIsNotAskedTwice) {
  greet(b);
  asked();
  at(300);
  EXPECT_THAT(asked(), IsEmpty());
  EXPECT_EQ(next_wakeup(), -1);
}

// Failures -------------------------------------------------------------------------------------

TEST_F(ShipperTest, H16AFailedFileLeavesThePeerBehindAndIsTriedAgain) {
  up(b);
  submit(1, segment(5));
  stored(1);
  asked();
  sent(b);
  answer(b, segment(5), no_space());
  EXPECT_EQ(state(b), PeerState::kBehind);
  EXPECT_EQ(shipper_->peer(b).last_error, segment(5).text() + ": disk full");
  EXPECT_EQ(verdict(1), "none");
  at(1);
  EXPECT_THAT(asked(), ElementsAre("compare b"));
  compared(b, segments(5, 5), Listing{});
  EXPECT_THAT(sent(b), ElementsAre("fresh 5")) << "its client waits; and once is enough";
  answer(b, segment(5));
  EXPECT_EQ(verdict(1), "ok");
  EXPECT_EQ(state(b), PeerState::kCurrent);
  EXPECT_EQ(shipper_->peer(b).last_error, "");
}

TEST_F(ShipperTest, RetriesDoubleUpToTheirMaximum) {
  greet(b);
  double now = 0;
  for (const double wait : {1, 2, 4, 8, 16, 30, 30}) {
    compared(b, segments(1, 1), Listing{});
    answer(b, segment(1), no_space());
    ASSERT_EQ(state(b), PeerState::kBehind);
    EXPECT_EQ(next_wakeup(), now + wait);
    now += wait;
    at(now);
    ASSERT_EQ(state(b), PeerState::kComparing);
  }
}

TEST_F(ShipperTest, RetriesOfAFileThatAClientWaitsForDoubleToo) {
  up(b);
  submit(1, segment(1));
  stored(1);
  double now = 0;
  for (const double wait : {1, 2, 4}) {
    answer(b, segment(1), no_space());
    ASSERT_EQ(state(b), PeerState::kBehind);
    EXPECT_EQ(next_wakeup(), now + wait);
    now += wait;
    at(now);
    compared(b, segments(1, 1), Listing{});
    ASSERT_EQ(state(b), PeerState::kCatchingUp);
  }
}

TEST_F(ShipperTest, ASuccessStartsTheRetriesAnew) {
  greet(b);
  compared(b, segments(1, 1), Listing{});
  answer(b, segment(1), no_space());
  at(1);
  compared(b, segments(1, 1), Listing{});
  answer(b, segment(1));
  ASSERT_EQ(state(b), PeerState::kCurrent);
  submit(1, segment(2));
  answer(b, segment(2), no_space());
  EXPECT_EQ(next_wakeup(), 2) << "a second from now";
}

TEST_F(ShipperTest, AFailureDuringTheComparisonIsNotForgotten) {
  greet(b);
  submit(1, segment(5));
  answer(b, segment(5), no_space());
  EXPECT_EQ(state(b), PeerState::kComparing);
  compared(b, segments(1, 4), segments(1, 4));
  EXPECT_EQ(state(b), PeerState::kBehind);
}

TEST_F(ShipperTest, AFailedFileDoesNotStopTheOthers) {
  greet(b);
  compared(b, segments(1, 5), Listing{});
  sent(b);
  answer(b, segment(1), Error{Errc::kIo, "cannot write", ""});
  EXPECT_THAT(sent(b), ElementsAre("catch-up 5"));
  for (std::uint32_t i = 2; i <= 5; ++i) {
    EXPECT_EQ(state(b), PeerState::kCatchingUp);
    answer(b, segment(i));
  }
  EXPECT_EQ(state(b), PeerState::kBehind);
}

TEST_F(ShipperTest, AListingThatCannotBeReadIsTriedAgain) {
  greet(b);
  compared(b, Listing{}, Error{Errc::kIo, "cannot list", ""});
  EXPECT_EQ(state(b), PeerState::kBehind);
  EXPECT_EQ(shipper_->peer(b).last_error, "cannot list");
  asked();
  at(1);
  EXPECT_THAT(asked(), ElementsAre("compare b"));
  compared(b, Error{Errc::kIo, "cannot list here", ""}, Listing{});
  EXPECT_EQ(state(b), PeerState::kBehind);
  EXPECT_EQ(shipper_->peer(b).last_error, "cannot list here");
}

TEST_F(ShipperTest, H5AConflictDoesNotLeaveThePeerBehind) {
  greet(b);
  compared(b, segments(1, 1), Listing{});
  answer(b, segment(1), conflict());
  EXPECT_EQ(state(b), PeerState::kCurrent);
}

TEST_F(ShipperTest, H19APeerThatLagsTooFarIsCaughtUpByComparing) {
  up(b);
  const auto last = static_cast<std::uint32_t>(kFreshInFlightMax + kFreshQueueMax);
  for (std::uint32_t i = 1; i <= last; ++i) {
    submit(i, segment(i));
    stored(i);
  }
  EXPECT_EQ(state(b), PeerState::kCurrent);
  EXPECT_EQ(shipper_->peer(b).backlog, last);
  submit(last + 1, segment(last + 1));
  EXPECT_EQ(state(b), PeerState::kBehind);
  EXPECT_EQ(shipper_->peer(b).last_error, "more than 1024 files behind");
  EXPECT_EQ(shipper_->peer(b).backlog, kFreshInFlightMax + 1) << "the queue is bounded";
}

TEST_F(ShipperTest, H19WhatTheQueueDroppedComesByTheComparison) {
  cluster("NONE");
  up(b);
  const auto last = static_cast<std::uint32_t>(kFreshInFlightMax + kFreshQueueMax + 1);
  for (std::uint32_t i = 1; i <= last; ++i) {
    submit(i, segment(i));
    stored(i);
  }
  at(1);
  compared(b, segments(1, last), Listing{});
  EXPECT_EQ(shipper_->peer(b).backlog, last) << "each once";
  EXPECT_EQ(state(b), PeerState::kCatchingUp);
}

// Who counts -----------------------------------------------------------------------------------

TEST_F(ShipperTest, H42AReplacedPeerStopsCounting) {
  up(b);
  EXPECT_TRUE(shipper_->quorum_reachable());
  lose(b);
  greet_new(b);
  EXPECT_FALSE(shipper_->quorum_reachable());
  EXPECT_THAT(shipper_->quorum_trouble(TimePoint{}), HasSubstr("b does not count yet"));
}

// Reports --------------------------------------------------------------------------------------

TEST_F(ShipperTest, H48EachChangeOfAPeerIsOneLine) {
  lose(b, "refused");
  reports();
  greet(b);
  compared(b, segments(1, 2), Listing{});
  answer(b, segment(1));
  answer(b, segment(2));
  lose(b, "reset");
  const Words lines = reports();
  EXPECT_THAT(lines, ElementsAre("info: peer b: connected", "info: quorum ANY 1 (*): held",
                                 "info: peer b: catching up, 2 files", "info: peer b: current",
                                 "warning: peer b: connection lost: reset", testing::_));
}

TEST_F(ShipperTest, H48APeerThatNeverAnsweredCannotBeConnectedTo) {
  lose(b, "refused");
  EXPECT_THAT(reports(), Contains("warning: peer b: cannot connect: refused"));
}

TEST_F(ShipperTest, WhatToDoAboutAPeerIsSaidOnceAndNotWithEachReasonForWaiting) {
  step(PeerLost{b, "the key is refused", "authorized_keys needs a line"});
  EXPECT_THAT(reports(), Contains("warning: peer b: cannot connect: the key is refused "
                                  "(authorized_keys needs a line)"));
  EXPECT_EQ(shipper_->peer(b).last_error, "the key is refused");
  EXPECT_EQ(shipper_->peer(b).hint, "authorized_keys needs a line");
  EXPECT_THAT(shipper_->quorum_trouble(TimePoint{}), Not(HasSubstr("authorized_keys")));
}

TEST_F(ShipperTest, H48APeerThatStaysBehindIsReportedOnce) {
  up(b);
  up(c);
  submit(1, segment(1));
  stored(1);
  reports();
  double now = 0;
  for (int i = 0; i < 10; ++i) {
    answer(b, segment(1), no_space());
    at(now += 30);
    compared(b, segments(1, 1), Listing{});
  }
  const Words lines = reports();
  EXPECT_THAT(lines, ElementsAre("warning: peer b: behind: " + segment(1).text() +
                                 ": disk full; next try in 1 s"));
  answer(b, segment(1));
  EXPECT_THAT(reports(), ElementsAre("info: peer b: current"));
}

TEST_F(ShipperTest, H48ASecondTroubleIsReportedAfterARecovery) {
  up(b);
  up(c);
  reports();
  for (std::uint32_t i = 1; i <= 2; ++i) {
    submit(i, segment(i));
    answer(b, segment(i), no_space());
    at(100 * i);
    compared(b, segments(i, i), segments(i, i));
    EXPECT_THAT(reports(), ElementsAre(HasSubstr("behind"), "info: peer b: current"));
  }
}

}  // namespace
}  // namespace pgwalship
