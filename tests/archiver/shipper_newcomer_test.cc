// Who may call a node complete that is new or was replaced, and when (H42).
#include "tests/archiver/shipper_fixture.h"

#include <gmock/gmock.h>

namespace pgwalship {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

TEST_F(ShipperTest, H42ACompleteNodeTellsAPeerThatItIsComplete) {
  cluster("ALL (*)");
  greet_new(b);
  asked();
  compared(b, segments(1, 1), Listing{});
  EXPECT_THAT(asked(), IsEmpty()) << "not before it has everything";
  answer(b, segment(1));
  EXPECT_THAT(asked(), ElementsAre("tell b"));
  EXPECT_FALSE(shipper_->peer(b).reconciled);
  told(b);
  EXPECT_TRUE(shipper_->peer(b).reconciled);
}

TEST_F(ShipperTest, H42ANodeThatIsAwayMayHoldWhatAReplacedOneHasLost) {
  greet_new(b);
  compared(b);
  EXPECT_THAT(asked(), ElementsAre("compare b")) << "c and the old b may have held a file";
  greet(c);
  compared(c, Listing{}, segments(1, 1));
  at(2);
  compared(b);
  EXPECT_THAT(asked(), ElementsAre("compare c", "compare b", "compare c")) << "a lacks it still";
  compared(c, segments(1, 1), segments(1, 1));
  at(4);
  compared(b, segments(1, 1), segments(1, 1));
  EXPECT_THAT(asked(), ElementsAre("compare b", "tell b"));
}

TEST_F(ShipperTest, H42WhatOthersHoldIsLookedAtAnewWhenANodeWasReplaced) {
  up(b);
  up(c);
  lose(b);
  asked();
  greet_new(b);
  compared(b);
  EXPECT_THAT(asked(), ElementsAre("compare b"));
  at(0.1);
  EXPECT_THAT(asked(), ElementsAre("compare c"));
  compared(c);
  at(2.1);
  compared(b);
  EXPECT_THAT(asked(), ElementsAre("compare b", "tell b"));
}

TEST_F(ShipperTest, H42AnIncompleteNodeTellsNobody) {
  self_reconciled_ = false;
  greet(b);
  compared(b);
  greet_new(c);
  compared(c);
  EXPECT_THAT(asked(), Not(Contains("tell c")));
}

TEST_F(ShipperTest, H42ANewClusterCountsOnceAllNodesWereConnectedAtOnce) {
  self_reconciled_ = false;
  greet_new(b);
  compared(b);
  EXPECT_THAT(asked(), ElementsAre("compare b")) << "c may hold an archive";
  greet_new(c);
  compared(c);
  EXPECT_THAT(asked(), ElementsAre("compare c", "tell c"));
  at(2);
  compared(b);
  EXPECT_THAT(asked(), ElementsAre("compare b", "compare c", "tell b", "mark a"));
  EXPECT_FALSE(shipper_->quorum_reachable());
  told(b);
  EXPECT_TRUE(shipper_->quorum_reachable());
}

TEST_F(ShipperTest, H42TwoNewNodesInTurnAreNoNewCluster) {
  self_reconciled_ = false;
  greet_new(b);
  compared(b);
  lose(b);
  greet_new(c);
  compared(c);
  EXPECT_THAT(asked(), ElementsAre("compare b", "compare c"));
}

// It was replaced itself, and what it lost then it cannot speak for (simulator seed 9269).
TEST_F(ShipperTest, H42NobodyIsCalledCompleteFromFurtherDownThanTheOneWhoSaysSo) {
  cluster("ALL (*)");
  greet_new(b);
  evidence_from_ = segment(7).position();
  compared(b);
  EXPECT_THAT(asked(), ElementsAre("compare b", "tell b from " + position_text(evidence_from_)));
}

TEST_F(ShipperTest, ANewPeerIsComparedMoreOften) {
  greet_new(b);
  self_reconciled_ = false;
  compared(b);
  EXPECT_EQ(next_wakeup(), 2);
}

TEST_F(ShipperTest, APeerThatCouldNotTakeTheNewsIsToldAgain) {
  cluster("ALL (*)");
  greet_new(b);
  compared(b);
  told(b, no_space());
  EXPECT_EQ(shipper_->peer(b).last_error, "disk full");
  asked();
  at(2);
  compared(b);
  EXPECT_THAT(asked(), ElementsAre("compare b", "tell b"));
  told(b);
  EXPECT_EQ(shipper_->peer(b).last_error, "") << "all is well";
}

TEST_F(ShipperTest, AnArchiveFromWhichFilesVanishedIsWholeAgainOnceItCoversEnoughOfTheOthers) {
  up(b);
  up(c);
  self_vanished_ = 7;
  asked();
  at(60);
  compared(b);
  compared(c);
  EXPECT_THAT(asked(), Not(Contains(HasSubstr("mark")))) << "these began before it was known";
  at(63);
  compared(b);
  EXPECT_THAT(asked(), Not(Contains(HasSubstr("mark")))) << "c may hold more of it";
  compared(c);
  EXPECT_THAT(asked(), Contains("mark a whole but for 7"));
  self_vanished_ = 0;
  at(66);
  compared(b);
  compared(c);
  EXPECT_THAT(asked(), Not(Contains(HasSubstr("mark"))));
}

TEST_F(ShipperTest, ThatThisArchiveBecameCompleteIsSaidOnceAndNotAtEachStart) {
  up(b);
  EXPECT_THAT(reports(), Not(Contains(HasSubstr("archive here"))));
  self_reconciled_ = false;
  at(60);
  compared(b);
  EXPECT_THAT(reports(), Contains(HasSubstr("the archive here was replaced")));
  self_reconciled_ = true;
  at(63);
  compared(b);
  compared(b);
  EXPECT_THAT(reports(), ElementsAre("info: the archive here is complete, counts from now on"));
}

TEST_F(ShipperTest, MoreThatVanishesMustBeLookedForAnew) {
  up(b);
  up(c);
  self_vanished_ = 7;
  at(60);
  compared(b);
  compared(c);
  at(63);
  compared(b);
  self_vanished_ = 8;
  asked();
  compared(c);
  EXPECT_THAT(asked(), Not(Contains(HasSubstr("mark"))));
}

TEST_F(ShipperTest, APeerFromWhichFilesVanishedIsToldThatItIsWholeAndCountsAllTheWhile) {
  up(b);
  up(c);
  peer_vanished_[b] = 5;
  at(60);
  compared(b);
  compared(c);
  asked();
  at(63);
  compared(b);
  compared(c);
  EXPECT_TRUE(shipper_->peer(b).reconciled) << "what it stores, it holds";
  EXPECT_TRUE(shipper_->quorum_reachable());
  at(66);
  compared(b);
  EXPECT_THAT(asked(), Contains("tell b whole but for 5"));
  told(b);
  EXPECT_THAT(reports(), Contains("info: peer b: complete again after files had vanished"));
}

TEST_F(ShipperTest, WhoMissesFilesVouchesForNobody) {
  up(c);
  self_vanished_ = 7;
  at(60);
  compared(c);
  asked();
  greet_new(b);
  compared(b);
  EXPECT_THAT(asked(), Not(Contains(HasSubstr("tell"))));
}

}  // namespace
}  // namespace pgwalship
