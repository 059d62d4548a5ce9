// What this archive lacks and is pulled from peers, and conflicts that comparing finds.
#include "tests/archiver/shipper_fixture.h"

#include <gmock/gmock.h>

namespace pgwalship {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// Long enough for the peer's own daemon to have sent it.
constexpr double kRipe = 2;

TEST_F(ShipperTest, WhatIsMissingHereIsPulledAfterAWhile) {
  greet(b);
  compared(b, segments(1, 2), segments(1, 3));
  EXPECT_EQ(state(b), PeerState::kPulling);
  EXPECT_THAT(sent(b), IsEmpty());
  EXPECT_THAT(pulls(), IsEmpty()) << "it may be on its way already";
  EXPECT_EQ(next_wakeup(), kRipe);
  EXPECT_EQ(shipper_->own().missing, 1U);
  at(kRipe);
  EXPECT_THAT(pulls(), ElementsAre("3 from b"));
  pulled(segment(3));
  EXPECT_EQ(state(b), PeerState::kCurrent);
  EXPECT_EQ(shipper_->own().missing, 0U);
  EXPECT_EQ(shipper_->own().files_pulled, 1U);
}

TEST_F(ShipperTest, BothDirectionsRunAtOnce) {
  greet(b);
  compared(b, segments(1, 1), segments(2, 2));
  EXPECT_EQ(state(b), PeerState::kCatchingUp);
  EXPECT_THAT(sent(b), ElementsAre("catch-up 1"));
  at(kRipe);
  EXPECT_THAT(pulls(), ElementsAre("2 from b"));
  answer(b, segment(1));
  EXPECT_EQ(state(b), PeerState::kPulling);
  pulled(segment(2));
  EXPECT_EQ(state(b), PeerState::kCurrent);
}

TEST_F(ShipperTest, H20HistoryFilesArePulledFirstThenTheNewest) {
  Listing theirs = {history("2"), history("3")};
  const Listing more = segments(1, 4);
  theirs.insert(theirs.end(), more.begin(), more.end());
  greet(b);
  compared(b, Listing{}, theirs);
  at(kRipe);
  EXPECT_THAT(pulls(), ElementsAre("00000002.history from b", "00000003.history from b", "4 from b",
                                   "3 from b"));
  pulled(segment(4));
  EXPECT_THAT(pulls(), ElementsAre("2 from b"));
}

TEST_F(ShipperTest, OnePullOfANameAtATimeSpreadOverThePeers) {
  greet(b);
  compared(b, Listing{}, segments(1, 5));
  greet(c);
  compared(c, Listing{}, segments(1, 5));
  EXPECT_EQ(shipper_->own().missing, 5U);
  at(kRipe);
  EXPECT_THAT(pulls(), ElementsAre("5 from b", "4 from c", "3 from b", "2 from c"));
  pulled(segment(4));
  EXPECT_THAT(pulls(), ElementsAre("1 from c"));
}

TEST_F(ShipperTest, WhileAClientWaitsOneFileIsPulledAtATime) {
  greet(b);
  compared(b, Listing{}, segments(1, 5));
  submit(1, segment(9));
  at(kRipe);
  EXPECT_THAT(pulls(), ElementsAre("5 from b"));
  pulled(segment(5));
  EXPECT_THAT(pulls(), ElementsAre("4 from b"));
  stored(1);
  answer(b, segment(9));
  EXPECT_THAT(pulls(), ElementsAre("3 from b", "2 from b", "1 from b"));
}

TEST_F(ShipperTest, WhatArrivedMeanwhileIsNotPulled) {
  greet(b);
  compared(b, Listing{}, segments(1, 1));
  submit(1, segment(1));
  stored(1);
  EXPECT_EQ(shipper_->own().missing, 0U);
  at(kRipe);
  EXPECT_THAT(pulls(), IsEmpty());
}

TEST_F(ShipperTest, WhatHadComeWhenItWasToBePulledIsNoPull) {
  greet(b);
  compared(b, Listing{}, segments(1, 1));
  at(kRipe);
  pulled(segment(1), PutOutcome::kIdentical);
  EXPECT_EQ(state(b), PeerState::kCurrent);
  EXPECT_EQ(shipper_->own().files_pulled, 0U);
}

TEST_F(ShipperTest, ABadCopyIsPulledFromAnotherPeer) {
  greet(b);
  compared(b, Listing{}, segments(1, 1));
  greet(c);
  compared(c, Listing{}, segments(1, 1));
  at(kRipe);
  EXPECT_THAT(pulls(), ElementsAre("1 from b"));
  pulled(segment(1), Error{Errc::kCorrupt, "bad hash", ""});
  EXPECT_THAT(pulls(), ElementsAre("1 from c"));
  pulled(segment(1));
  EXPECT_EQ(state(c), PeerState::kCurrent);
  EXPECT_EQ(state(b), PeerState::kBehind) << "looked at again soon";
  EXPECT_THAT(shipper_->peer(b).last_error, HasSubstr("bad hash"));
}

TEST_F(ShipperTest, ABadCopyOfTheOnlyHolderIsTriedAgainWithPatience) {
  greet(b);
  double now = 0;
  for (const double wait : {1, 2, 4}) {
    compared(b, Listing{}, segments(1, 1));
    at(now += kRipe);
    pulled(segment(1), Error{Errc::kCorrupt, "bad hash", ""});
    ASSERT_EQ(state(b), PeerState::kBehind);
    EXPECT_EQ(next_wakeup(), now + wait);
    at(now += wait);
  }
}

TEST_F(ShipperTest, AFileThatExpiredThereMeanwhileIsNoTrouble) {
  greet(b);
  compared(b, Listing{}, segments(1, 1));
  at(kRipe);
  pulled(segment(1), Error{Errc::kNotFound, "no such file", ""});
  EXPECT_EQ(state(b), PeerState::kCurrent);
}

TEST_F(ShipperTest, H16AFullDiskHerePausesAllPulls) {
  greet(b);
  compared(b, Listing{}, segments(1, 6));
  at(kRipe);
  EXPECT_EQ(pulls().size(), kPullsMax);
  pulled(segment(6), no_space(), PullFault::kHere);
  EXPECT_THAT(pulls(), IsEmpty());
  EXPECT_THAT(shipper_->own().last_error, HasSubstr("disk full"));
  EXPECT_EQ(shipper_->own().missing, 6U);
  at(kRipe + 1);
  EXPECT_THAT(pulls(), ElementsAre("6 from b"));
  pulled(segment(6));
  EXPECT_EQ(shipper_->own().last_error, "");
}

TEST_F(ShipperTest, LosingThePeerMovesItsPullsToOthers) {
  greet(b);
  compared(b, Listing{}, segments(1, 1));
  greet(c);
  compared(c, Listing{}, segments(1, 1));
  at(kRipe);
  EXPECT_THAT(pulls(), ElementsAre("1 from b"));
  lose(b);
  EXPECT_THAT(pulls(), ElementsAre("1 from c"));
  lose(c);
  EXPECT_EQ(shipper_->own().missing, 0U) << "nobody is known to hold it";
}

TEST_F(ShipperTest, APeerCountsWithoutWaitingForWhatIsPulledFromIt) {
  cluster("ALL (*)");
  greet(c);
  compared(c);
  greet_new(b);
  at(0.1);
  compared(c);
  asked();
  compared(b, Listing{}, segments(1, 3));
  EXPECT_THAT(asked(), ElementsAre("tell b"));
}

TEST_F(ShipperTest, WhatWasPulledIsOfferedToTheOthersSoon) {
  up(c);
  greet(b);
  compared(b, Listing{}, segments(1, 1));
  at(kRipe);
  pulled(segment(1));
  asked();
  at(kRipe + 5);
  EXPECT_THAT(asked(), ElementsAre("compare b", "compare c"));
}

TEST_F(ShipperTest, MoreThanAComparisonNamesIsComparedAtOnce) {
  Differences some;
  some.missing_there = segments(1, 1);
  some.more = true;
  greet(b);
  compared_as(b, some);
  asked();
  answer(b, segment(1));
  EXPECT_EQ(next_wakeup(), 0);
  at(0);
  EXPECT_THAT(asked(), ElementsAre("compare b"));
  compared_as(b, some);
  answer(b, segment(1), conflict());
  EXPECT_EQ(next_wakeup(), 60) << "nothing came over: it would be the same again";
}

TEST_F(ShipperTest, H48PullingIsTwoLinesForHoweverManyFiles) {
  greet(b);
  compared(b, Listing{}, segments(1, 3));
  reports();
  at(kRipe);
  for (std::uint32_t number = 3; number >= 1; --number) {
    pulled(segment(number));
  }
  EXPECT_THAT(reports(), ElementsAre("info: files are missing here and are being fetched: 3",
                                     "info: peer b: current",
                                     "info: no file is known to be missing here any more"));
}

// Conflicts ------------------------------------------------------------------------------------

Sha256 hash_of(char content) {
  Sha256 sha256;
  sha256.bytes.fill(static_cast<std::byte>(content));
  return sha256;
}

TEST_F(ShipperTest, H5AConflictThatComparingFindsIsPulledOnceAndListed) {
  Differences differences;
  differences.conflicting = {{segment(4), hash_of('x'), hash_of('y')}};
  greet(b);
  compared_as(b, differences);
  at(kRipe);
  EXPECT_THAT(pulls(), ElementsAre("4 of b, a conflict"));
  EXPECT_EQ(shipper_->own().missing, 0U);
  pulled(segment(4), conflict());
  ASSERT_EQ(shipper_->conflicts().size(), 1U);
  EXPECT_EQ(shipper_->conflicts()[0].name, segment(4).text());
  EXPECT_EQ(shipper_->conflicts()[0].where, "b");
  EXPECT_EQ(state(b), PeerState::kCurrent);
  EXPECT_THAT(sent(b), IsEmpty()) << "it is never spread";
  at(60);
  compared_as(b, differences);
  at(60 + kRipe);
  pulled(segment(4), conflict());
  EXPECT_EQ(shipper_->conflicts().size(), 1U);
}

// Completeness ---------------------------------------------------------------------------------

TEST_F(ShipperTest, H42ANodeThatCoversEnoughOthersIsCompleteByItself) {
  self_reconciled_ = false;
  greet(b);
  compared(b, Listing{}, segments(1, 1));
  EXPECT_THAT(asked(), ElementsAre("compare b")) << "it lacks a file of b";
  at(kRipe);
  pulled(segment(1));
  greet(c);
  compared(c, segments(1, 1), segments(1, 1));
  asked();
  at(kRipe + 5);
  compared(b, segments(1, 1), segments(1, 1));
  EXPECT_THAT(asked(), Contains("mark a"));
}

TEST_F(ShipperTest, H42ANodeThatCoversTooFewIsNot) {
  self_reconciled_ = false;
  greet(b);
  compared(b);
  EXPECT_THAT(asked(), Not(Contains("mark a"))) << "c and the lost archive may have held a file";
}

TEST_F(ShipperTest, WhoIsCalledCompleteIsSoDownToTheHighestFloor) {
  cluster("ALL (*)");
  floor_ = segment(300).position();
  greet_new(b);
  asked();
  compared(b, segments(1, 310), segments(300, 310));
  EXPECT_THAT(asked(), ElementsAre("tell b from 000000010000002C"));
  EXPECT_THAT(sent(b), IsEmpty()) << "what is below the floor is not sent back";
}

}  // namespace
}  // namespace pgwalship
