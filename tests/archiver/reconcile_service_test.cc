#include "archiver/reconcile_service.h"

#include "tests/archiver/shipper_fixture.h"

#include <gmock/gmock.h>

namespace pgwalship {
namespace {

using State = ReconcileReport::State;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class ReconcileServiceTest : public ShipperTest {
 protected:
  void ask(const std::string& peer = "") {
    service_.reconcile(peer, now_, [this](const Result<ReconcileReport>& report) {
      last_ = report;
      return is_wanted_;
    });
  }
  void turn(double seconds) {
    at(seconds);
    now_ = TimePoint(std::chrono::hours(1)) +
           std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
    service_.tick(now_);
  }
  void compared_again(const Listing& theirs) {
    step(CompareNow{b});
    compared(b, Listing{}, theirs);
  }
  ReconcileReport::Node node_of(std::size_t index) const { return last_->value().nodes.at(index); }
  bool is_over() const { return last_ && (!last_->ok() || last_->value().last); }

  ReconcileService service_{NodeList{{node("a"), node("b"), node("c")}, a},
                            {*shipper_, [this](NodeId peer) { step(CompareNow{peer}); }}};
  TimePoint now_{std::chrono::hours(1)};
  std::optional<Result<ReconcileReport>> last_;
  bool is_wanted_ = true;
};

TEST_F(ReconcileServiceTest, ComparesAtOnceAndEndsWhenBothHoldTheSame) {
  up(b);
  up(c);
  asked();
  ask();
  EXPECT_THAT(asked(), ElementsAre("compare b", "compare c"));
  compared(b, segments(1, 2), segments(1, 2));
  turn(1);
  EXPECT_FALSE(is_over());
  compared(c, segments(1, 2), segments(1, 2));
  turn(2);
  ASSERT_TRUE(is_over());
  EXPECT_EQ(node_of(0), (ReconcileReport::Node{.name = "b", .state = State::kEqual}));
  EXPECT_EQ(node_of(1), (ReconcileReport::Node{.name = "c", .state = State::kEqual}));
}

TEST_F(ReconcileServiceTest, CountsWhatCameOver) {
  up(b);
  ask("b");
  compared(b, segments(1, 1), segments(2, 2));
  turn(1);
  EXPECT_EQ(node_of(0).to_send, 1U);
  EXPECT_EQ(node_of(0).to_receive, 1U);
  answer(b, segment(1));
  turn(5);
  pulled(segment(2));
  turn(6);
  ASSERT_TRUE(is_over());
  EXPECT_EQ(node_of(0),
            (ReconcileReport::Node{.name = "b", .state = State::kEqual, .received = 1, .sent = 1}));
}

TEST_F(ReconcileServiceTest, SaysWhoIsAwayAndWhatFailed) {
  up(b);
  lose(c, "no route");
  ask();
  compared(b, Error{Errc::kIo, "cannot read", ""});
  turn(0.5);  // before it is tried again
  ASSERT_TRUE(is_over());
  EXPECT_EQ(node_of(0).state, State::kFailed);
  EXPECT_THAT(node_of(0).why, HasSubstr("cannot read"));
  EXPECT_EQ(node_of(1).state, State::kUnreachable);
  EXPECT_EQ(node_of(1).why, "no route");
}

TEST_F(ReconcileServiceTest, AComparisonThatIsOnMayHaveLookedAlready) {
  greet(b);
  asked();
  ask("b");
  EXPECT_THAT(asked(), IsEmpty());
  compared(b);
  turn(1);
  EXPECT_FALSE(is_over());
  EXPECT_THAT(asked(), Contains("compare b"));
  compared(b);
  turn(2);
  EXPECT_TRUE(is_over());
}

// It waited for the next periodic comparison, a minute.
TEST_F(ReconcileServiceTest, DoesNotWaitLongerForAPeerThatBecomesCompleteMeanwhile) {
  greet(b);
  compared(b, segments(1, 1), std::vector<WalName>{});
  ask("b");
  asked();
  answer(b, segment(1));
  step(ReconciledAnswered{b, {}});
  turn(1);
  EXPECT_THAT(asked(), Contains("compare b"));
}

TEST_F(ReconcileServiceTest, WhoHasGoneMakesRoomForOthers) {
  up(b);
  for (int i = 0; i < 8; ++i) {
    ask("b");
  }
  is_wanted_ = false;
  turn(1);
  is_wanted_ = true;
  last_.reset();
  ask("b");
  EXPECT_FALSE(is_over());
}

TEST_F(ReconcileServiceTest, GivesUpWhenNothingMoves) {
  up(b);
  ask("b");
  turn(1);
  EXPECT_FALSE(is_over());
  turn(300);
  ASSERT_TRUE(is_over());
  EXPECT_EQ(node_of(0).state, State::kFailed);
  EXPECT_THAT(node_of(0).why, HasSubstr("nothing has moved"));
}

// The daemon tries again for ever, which nobody who waits wants.
TEST_F(ReconcileServiceTest, H16EndsWhenTheDiskHereIsFullAndSaysSo) {
  up(b);
  ask("b");
  compared(b, Listing{}, segments(1, 2));
  turn(3);
  pulled(segment(1), no_space(), PullFault::kHere);
  turn(3.5);
  EXPECT_FALSE(is_over()) << "one is still on its way";
  pulled(segment(2), no_space(), PullFault::kHere);
  turn(3.6);
  ASSERT_TRUE(is_over());
  EXPECT_EQ(node_of(0).state, State::kFailed);
  EXPECT_THAT(node_of(0).why, HasSubstr("the archive here cannot take in what is missing: "));
  EXPECT_THAT(node_of(0).why, HasSubstr("disk full"));
}

// It has failed for an hour, and the next try is half a minute away.
TEST_F(ReconcileServiceTest, H16TriesAtOnceWhatFailedBefore) {
  up(b);
  at(10);
  compared_again(segments(1, 1));
  for (const double second : {13, 15, 18, 23, 32, 49}) {
    at(second);
    pulled(segment(1), no_space(), PullFault::kHere);
  }
  at(50);
  pulls();
  ask("b");
  turn(51);
  EXPECT_FALSE(is_over()) << "that was before";
  compared(b, Listing{}, segments(1, 1));
  EXPECT_THAT(pulls(), Contains("1 from b"));
  pulled(segment(1));
  compared(b, segments(1, 1), segments(1, 1));
  turn(55);
  ASSERT_TRUE(is_over());
  EXPECT_EQ(node_of(0).state, State::kEqual);
}

// `pgwalship conflicts` shows none.
TEST_F(ReconcileServiceTest, TheSameRecordsWithAnotherTailAreNoConflict) {
  up(b);
  ask("b");
  Differences differences;
  differences.by_content = true;
  for (std::uint32_t number : {1, 2}) {
    Sha256 mine;
    Sha256 theirs;
    mine.bytes.fill(std::byte{1});
    theirs.bytes.fill(std::byte{2});
    differences.conflicting.push_back({segment(number), mine, theirs});
  }
  compared_as(b, differences);
  turn(3);
  pulled(segment(1), PutOutcome::kSameRecords);
  pulled(segment(2), conflict());
  turn(4);
  ASSERT_TRUE(is_over());
  EXPECT_EQ(node_of(0),
            (ReconcileReport::Node{.name = "b", .state = State::kEqual, .conflicts = 1}));
}

TEST_F(ReconcileServiceTest, AnUnknownPeerIsAnErrorAtOnce) {
  ask("x");
  ASSERT_TRUE(is_over());
  EXPECT_EQ(last_->error().code, Errc::kInvalid);
}

TEST_F(ReconcileServiceTest, TooManyAtATimeAreTurnedAway) {
  up(b);
  for (int i = 0; i < 9; ++i) {
    ask("b");
  }
  ASSERT_TRUE(is_over());
  EXPECT_EQ(last_->error().code, Errc::kRetry);
}

}  // namespace
}  // namespace pgwalship
