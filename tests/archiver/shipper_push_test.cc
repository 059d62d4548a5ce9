// When a push has its verdict, and which one.
#include "tests/archiver/shipper_fixture.h"

#include <gmock/gmock.h>

namespace pgwalship {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

TEST_F(ShipperTest, H1AcknowledgesOnlyWhenLocalAndQuorumAreDurable) {
  up(b);
  submit(1, segment(5));
  EXPECT_EQ(verdict(1), "none");
  stored(1);
  EXPECT_EQ(verdict(1), "none");
  answer(b, segment(5));
  EXPECT_EQ(verdict(1), "ok");
}

TEST_F(ShipperTest, H1PeersAloneDoNotMakeAVerdict) {
  cluster("ALL (*)");
  up(b);
  up(c);
  submit(1, segment(5));
  answer(b, segment(5));
  answer(c, segment(5));
  EXPECT_EQ(verdict(1), "none");
  stored(1);
  EXPECT_EQ(verdict(1), "ok");
}

TEST_F(ShipperTest, H16APeerThatCannotStoreHoldsNoQuorum) {
  up(b);
  EXPECT_TRUE(shipper_->quorum_reachable());
  submit(1, segment(5));
  answer(b, segment(5), Error{Errc::kNoSpace, "the disk is full", ""});
  EXPECT_FALSE(shipper_->quorum_reachable());
  EXPECT_THAT(shipper_->quorum_trouble({}), HasSubstr("the disk is full"));
  at(1);
  compared(b, segments(5, 5), Listing{});
  answer(b, segment(5));
  EXPECT_TRUE(shipper_->quorum_reachable());
}

TEST_F(ShipperTest, H42APeerWhoseArchiveWasReplacedCountsNoMore) {
  Setup setup;
  setup.nodes = {node("a"), node("b")};
  cluster(setup);
  up(b);
  at(60);
  compared(b, segments(1, 1), Listing{}, false);
  EXPECT_FALSE(shipper_->quorum_reachable());
  asked();
  answer(b, segment(1));
  EXPECT_THAT(asked(), ElementsAre("tell b"));
  told(b);
  EXPECT_TRUE(shipper_->quorum_reachable());
}

TEST_F(ShipperTest, AnIdenticalCopyOnAPeerCounts) {
  up(b);
  submit(1, segment(5));
  stored(1, PutOutcome::kIdentical);
  answer(b, segment(5), PutOutcome::kIdentical);
  EXPECT_EQ(verdict(1), "ok");
}

TEST_F(ShipperTest, StoresHereAndSendsToAllPeersAtOnce) {
  up(b);
  up(c);
  asked();
  submit(1, segment(5));
  EXPECT_THAT(asked(), ElementsAre("store 1"));
  EXPECT_THAT(sent(b), ElementsAre("fresh 5"));
  EXPECT_THAT(sent(c), ElementsAre("fresh 5"));
  EXPECT_EQ(source_["5"], 1U);
}

TEST_F(ShipperTest, PeersBeyondTheQuorumAreServedBehind) {
  up(b);
  submit(1, segment(5));
  stored(1);
  answer(b, segment(5));
  EXPECT_EQ(verdict(1), "ok");
  greet(c);
  compared(c, segments(5, 5), Listing{});
  EXPECT_THAT(sent(c), ElementsAre("catch-up 5"));
  EXPECT_EQ(source_["5"], std::nullopt) << "the staged file is gone";
}

TEST_F(ShipperTest, WithoutPeersTheLocalCopyIsEnough) {
  Setup alone;
  alone.quorum = "NONE";
  alone.nodes = {node("a")};
  cluster(alone);
  submit(1, segment(5));
  EXPECT_EQ(verdict(1), "none");
  stored(1);
  EXPECT_EQ(verdict(1), "ok");
  EXPECT_EQ(shipper_->open_pushes(), 0U);
}

TEST_F(ShipperTest, QuorumNoneDoesNotWaitForPeers) {
  cluster("NONE");
  up(b);
  submit(1, segment(5));
  stored(1);
  EXPECT_EQ(verdict(1), "ok");
  EXPECT_THAT(sent(b), ElementsAre("fresh 5"));
}

TEST_F(ShipperTest, SitesDecideWhoseCopyCounts) {
  Setup sites;
  sites.quorum = "ALL (site:local) AND ANY 1 (site:far)";
  sites.nodes = {node("a", "near"), node("b", "near"), node("c", "far"), node("d", "far")};
  cluster(sites);
  for (const NodeId peer : {b, c, d}) {
    up(peer);
  }
  submit(1, segment(5));
  stored(1);
  answer(c, segment(5));
  answer(d, segment(5));
  EXPECT_EQ(verdict(1), "none") << "both of the far site, none of the near one";
  answer(b, segment(5));
  EXPECT_EQ(verdict(1), "ok");
}

TEST_F(ShipperTest, H42APeerThatIsNotReconciledDoesNotCount) {
  greet_new(b);
  compared(b, segments(1, 4), Listing{});
  submit(1, segment(5));
  stored(1);
  answer(b, segment(5));
  EXPECT_EQ(verdict(1), "none");
}

TEST_F(ShipperTest, H42APeerCountsFromTheMomentItIsReconciled) {
  greet_new(b);
  submit(1, segment(5));
  stored(1);
  answer(b, segment(5));
  compared(b, segments(5, 5), segments(5, 5));
  EXPECT_EQ(verdict(1), "none");
  told(b);
  EXPECT_EQ(verdict(1), "ok");
}

TEST_F(ShipperTest, AnAcknowledgementOutlivesTheConnection) {
  up(b);
  submit(1, segment(5));
  answer(b, segment(5));
  lose(b);
  stored(1);
  EXPECT_EQ(verdict(1), "ok");
}

TEST_F(ShipperTest, ALocalFailureIsTheVerdictAtOnce) {
  up(b);
  submit(1, segment(5));
  answer(b, segment(5));
  stored(1, no_space());
  EXPECT_EQ(verdict(1), "no_space: disk full");
  EXPECT_EQ(shipper_->open_pushes(), 0U);
}

TEST_F(ShipperTest, H5ALocalConflictIsTheVerdictAndIsListed) {
  up(b);
  submit_taken(1, segment(5));
  stored(1, conflict());
  EXPECT_EQ(verdict(1), "conflict: other content");
  EXPECT_THAT(sent(b), IsEmpty());
  ASSERT_EQ(shipper_->conflicts().size(), 1U);
  EXPECT_EQ(shipper_->conflicts()[0].name, segment(5).text());
  EXPECT_EQ(shipper_->conflicts()[0].where, "a");
}

TEST_F(ShipperTest, H5ATakenNameIsSentOnlyWhenFoundIdentical) {
  up(b);
  submit_taken(1, segment(5));
  EXPECT_THAT(sent(b), IsEmpty());
  stored(1, PutOutcome::kIdentical);
  EXPECT_THAT(sent(b), ElementsAre("fresh 5"));
  EXPECT_EQ(source_["5"], std::nullopt) << "from the archive";
  answer(b, segment(5));
  EXPECT_EQ(verdict(1), "ok");
}

TEST_F(ShipperTest, H5ATakenNameIsHeldBackFromAPeerThatComesMeanwhile) {
  submit_taken(1, segment(5));
  greet(b);
  compared(b);
  EXPECT_THAT(sent(b), IsEmpty());
  stored(1, PutOutcome::kIdentical);
  EXPECT_THAT(sent(b), ElementsAre("fresh 5"));
}

TEST_F(ShipperTest, H7ARivalIsHeldBackUntilTheLocalArchiveHasDecided) {
  up(b);
  submit(1, segment(5), 'x');
  submit(2, segment(5), 'y');
  EXPECT_THAT(sent(b), ElementsAre("fresh 5"));
  stored(1);
  stored(2, conflict());
  EXPECT_EQ(verdict(2), "conflict: other content");
  EXPECT_THAT(sent(b), IsEmpty());
  answer(b, segment(5));
  EXPECT_EQ(verdict(1), "ok");
}

TEST_F(ShipperTest, H7OneRivalsCopyIsNotTheOthers) {
  up(b);
  submit(1, segment(5), 'x');
  submit(2, segment(5), 'y');
  answer(b, segment(5));
  stored(1, no_space());
  stored(2);
  EXPECT_EQ(verdict(2), "none") << "what b holds is the content of push 1";
  EXPECT_THAT(sent(b), ElementsAre("fresh 5", "fresh 5"));
}

TEST_F(ShipperTest, H23TheSameContentPushedTwiceIsSentOnce) {
  up(b);
  submit(1, segment(5));
  submit(2, segment(5));
  EXPECT_THAT(sent(b), ElementsAre("fresh 5"));
  stored(1);
  stored(2, PutOutcome::kIdentical);
  answer(b, segment(5));
  EXPECT_EQ(verdict(1), "ok");
  EXPECT_EQ(verdict(2), "ok");
}

TEST_F(ShipperTest, APushStillGoesOutWhenItsTwinFailsHere) {
  up(b);
  for (PushId push = 1; push <= kFreshInFlightMax; ++push) {
    submit(push, segment(static_cast<std::uint32_t>(push)));
  }
  sent(b);
  submit(100, segment(100));
  submit(101, segment(100));
  stored(100);
  stored(101, no_space());
  answer(b, segment(1));
  EXPECT_THAT(sent(b), ElementsAre("fresh 100"));
}

TEST_F(ShipperTest, H7AConflictOnAPeerIsNoVerdictWhileOthersCanMakeTheQuorum) {
  up(b);
  up(c);
  submit(1, segment(5));
  stored(1);
  answer(b, segment(5), conflict());
  EXPECT_EQ(verdict(1), "none");
  answer(c, segment(5));
  EXPECT_EQ(verdict(1), "ok");
  ASSERT_EQ(shipper_->conflicts().size(), 1U);
  EXPECT_EQ(shipper_->conflicts()[0].where, "b");
}

TEST_F(ShipperTest, H7AConflictIsTheVerdictWhenNoQuorumIsPossibleWithoutThatPeer) {
  cluster("ALL (*)");
  up(b);
  up(c);
  submit(1, segment(5));
  stored(1);
  answer(b, segment(5), conflict());
  EXPECT_EQ(verdict(1), "conflict: b: other content");
}

TEST_F(ShipperTest, H7EnoughConflictsAreTheVerdict) {
  up(b);
  up(c);
  submit(1, segment(5));
  stored(1);
  answer(b, segment(5), conflict());
  answer(c, segment(5), conflict());
  EXPECT_EQ(verdict(1), "conflict: b: other content") << "the first that was heard of";
}

TEST_F(ShipperTest, ASilentPeerMayStillMakeTheQuorumAfterAConflict) {
  up(b);
  submit(1, segment(5));
  stored(1);
  answer(b, segment(5), conflict());
  EXPECT_EQ(verdict(1), "none") << "c is down, but may come back";
  at(15);
  EXPECT_THAT(verdict(1), HasSubstr("timeout: stored here, but not on the quorum ANY 1 (*)"));
  EXPECT_THAT(verdict(1), HasSubstr("b holds other content under this name"));
}

TEST_F(ShipperTest, H48ConflictsAreReportedOncePerNameAndNode) {
  up(b);
  reports();
  for (PushId push = 1; push <= 3; ++push) {
    submit(push, segment(5));
    stored(push);
    answer(b, segment(5), conflict());
  }
  EXPECT_THAT(reports(), ElementsAre("error: conflict on b: other content"));
  EXPECT_EQ(shipper_->conflicts().size(), 1U);
}

TEST_F(ShipperTest, RemembersTheLatestConflictsOnly) {
  for (PushId push = 1; push <= kConflictsMax + 1; ++push) {
    submit_taken(push, segment(static_cast<std::uint32_t>(push)));
    stored(push, conflict());
  }
  ASSERT_EQ(shipper_->conflicts().size(), kConflictsMax);
  EXPECT_EQ(shipper_->conflicts().front().name, segment(2).text());
}

// The deadline ---------------------------------------------------------------------------------

TEST_F(ShipperTest, H14TheDeadlineEndsTheWait) {
  up(b);
  submit(1, segment(5));
  stored(1);
  EXPECT_EQ(next_wakeup(), 15);
  at(14.999);
  EXPECT_EQ(verdict(1), "none");
  at(15);
  EXPECT_THAT(verdict(1), HasSubstr("timeout: "));
  EXPECT_EQ(shipper_->open_pushes(), 0U);
}

TEST_F(ShipperTest, H14TheDeadlineHoldsForTheLocalArchiveToo) {
  up(b);
  submit(1, segment(5));
  answer(b, segment(5));
  at(15);
  EXPECT_EQ(verdict(1), "timeout: not yet stored in the local archive");
  EXPECT_EQ(shipper_->open_pushes(), 1U) << "its local store is still under way";
  stored(1);
  EXPECT_EQ(shipper_->open_pushes(), 0U);
}

TEST_F(ShipperTest, H15InALongOutageAPushWaitsLess) {
  up(b);
  lose(b);
  at(9);
  submit(1, segment(5));
  stored(1);
  at(10);
  submit(2, segment(6));
  stored(2);
  at(14.999);
  EXPECT_EQ(verdict(2), "none");
  at(15);
  EXPECT_THAT(verdict(2), HasSubstr("timeout: "));
  EXPECT_EQ(verdict(1), "none") << "submitted when the outage was young";
  at(24);
  EXPECT_THAT(verdict(1), HasSubstr("timeout: "));
  submit(3, segment(7));
  stored(3);
  greet(b);
  answer(b, segment(7));
  EXPECT_EQ(verdict(3), "ok");
}

TEST_F(ShipperTest, TheDeadlineTextNamesTheTroubleOfEachPeer) {
  Setup setup;
  setup.quorum = "ALL (*)";
  setup.nodes = {node("a"), node("b"), node("c"), node("d"), node("e"), node("f")};
  cluster(setup);
  constexpr NodeId e = 4, f = 5;
  up(b);
  up(c);
  lose(c, "reset by peer");
  greet_new(d);
  compared(d, segments(1, 3), Listing{});
  lose(e, "host key changed");
  up(f);
  submit(1, segment(5));
  stored(1);
  answer(f, segment(5), no_space());
  at(15);
  EXPECT_EQ(verdict(1),
            "timeout: stored here, but not on the quorum ALL (*): b has not answered; "
            "c is down for 15 s (reset by peer); "
            "d does not count yet: it still lacks 4 files; "
            "e is down (host key changed); "
            "f: " +
                segment(5).text() + ": disk full");
}

TEST_F(ShipperTest, TheDeadlineTextLeavesOutWhoHoldsItAndWhoIsNotAsked) {
  Setup setup;
  setup.quorum = "ALL (b, c)";
  setup.nodes = four_nodes();
  cluster(setup);
  up(b);
  up(c);
  submit(1, segment(5));
  stored(1);
  answer(b, segment(5));
  at(15);
  EXPECT_EQ(verdict(1),
            "timeout: stored here, but not on the quorum ALL (b, c): c has not answered");
}

TEST_F(ShipperTest, AnAnswerAfterTheDeadlineIsNoSecondVerdict) {
  up(b);
  submit(1, segment(5));
  at(15);
  EXPECT_THAT(verdict(1), HasSubstr("timeout"));
  answer(b, segment(5));
  stored(1);
  EXPECT_EQ(shipper_->open_pushes(), 0U);
}

// on-quorum-loss = local -----------------------------------------------------------------------

class ShipperOnQuorumLossTest : public ShipperTest {
 protected:
  static constexpr std::uint64_t kThreshold = 100U << 20U;

  ShipperOnQuorumLossTest() {
    Setup setup;
    setup.on_quorum_loss = OnQuorumLoss::kLocal;
    setup.pg_wal_minimum_free = kThreshold;
    cluster(setup);
    reports();
  }
};

TEST_F(ShipperOnQuorumLossTest, H17BelowTheThresholdTheLocalCopyIsAcknowledgedLoudly) {
  pg_wal_free(kThreshold - 1);
  submit(1, segment(5));
  stored(1);
  reports();
  at(15);
  EXPECT_THAT(verdict(1), HasSubstr("ok: acknowledged with the local copy alone "
                                    "(on-quorum-loss = local, 99 MB free for pg_wal): "));
  EXPECT_THAT(verdict(1), HasSubstr("b is down"));
  const Words lines = reports();
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_THAT(lines[0], HasSubstr("error: " + segment(5).text() + ": acknowledged with the local"));
}

TEST_F(ShipperOnQuorumLossTest, NotBeforeTheDeadline) {
  pg_wal_free(0);
  submit(1, segment(5));
  stored(1);
  at(14.999);
  EXPECT_EQ(verdict(1), "none");
}

TEST_F(ShipperOnQuorumLossTest, NotAtTheThresholdOrAbove) {
  pg_wal_free(0);
  pg_wal_free(kThreshold);
  submit(1, segment(5));
  stored(1);
  at(15);
  EXPECT_THAT(verdict(1), HasSubstr("timeout: "));
}

TEST_F(ShipperOnQuorumLossTest, NotWhenTheFreeSpaceIsUnknown) {
  submit(1, segment(5));
  stored(1);
  at(15);
  EXPECT_THAT(verdict(1), HasSubstr("timeout: "));
}

TEST_F(ShipperOnQuorumLossTest, NotWithoutTheLocalCopy) {
  pg_wal_free(0);
  submit(1, segment(5));
  at(15);
  EXPECT_EQ(verdict(1).substr(0, 8), "timeout:");
}

TEST_F(ShipperOnQuorumLossTest, AQuorumNeedsNoWarning) {
  pg_wal_free(0);
  up(b);
  submit(1, segment(5));
  stored(1);
  answer(b, segment(5));
  EXPECT_EQ(verdict(1), "ok");
}

TEST_F(ShipperTest, OnQuorumLossWaitNeverAcknowledgesLess) {
  Setup setup;
  setup.on_quorum_loss = OnQuorumLoss::kWait;
  setup.pg_wal_minimum_free = 1U << 30U;
  cluster(setup);
  pg_wal_free(0);
  submit(1, segment(5));
  stored(1);
  at(15);
  EXPECT_THAT(verdict(1), Not(HasSubstr("ok")));
}

}  // namespace
}  // namespace pgwalship
