// When lack of space, here or on peers, is the verdict (H16).
#include "tests/archiver/shipper_fixture.h"

#include <gmock/gmock.h>

namespace pgwalship {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST_F(ShipperTest, H16AQuorumThatOnlyLacksSpaceOnAPeerSaysSo) {
  up(b);
  submit(1, segment(5));
  stored(1);
  answer(b, segment(5), no_space());
  EXPECT_EQ(verdict(1), "none");  // it may be freed in time
  at(15);
  EXPECT_EQ(verdict(1), "no_space: stored here, but not on the quorum ANY 1 (*): b: " +
                            segment(5).text() + ": disk full; c is down");
}

TEST_F(ShipperTest, H16SpaceThatIsFreedInTimeMakesTheQuorum) {
  up(b);
  submit(1, segment(5));
  stored(1);
  answer(b, segment(5), no_space());
  at(1);
  compared(b, segments(5, 5), Listing{});
  answer(b, segment(5));
  EXPECT_EQ(verdict(1), "ok");
}

TEST_F(ShipperTest, H16AFullPeerIsNotToBlameWhenTheQuorumLacksAnotherToo) {
  cluster("ALL (*)");
  up(b);
  submit(1, segment(5));
  stored(1);
  answer(b, segment(5), no_space());
  at(15);
  EXPECT_THAT(verdict(1), HasSubstr("timeout: "));
}

TEST_F(ShipperTest, H16APeerThatWasFullAndThenFailsOtherwiseIsNotCalledFull) {
  up(b);
  submit(1, segment(5));
  stored(1);
  answer(b, segment(5), no_space());
  at(1);
  compared(b, segments(5, 5), Listing{});
  answer(b, segment(5), Error{Errc::kIo, "read-only file system", ""});
  at(15);
  EXPECT_THAT(verdict(1), HasSubstr("timeout: "));
}

// What is refused was sent for nothing.
TEST_F(ShipperTest, H16AFullPeerIsSentOneFileToTryAndKeepsItsBacklog) {
  greet(b);
  compared(b, segments(1, 9), Listing{});
  EXPECT_EQ(sent(b).size(), kCatchUpInFlightMax);
  for (std::uint32_t number = 1; number <= kCatchUpInFlightMax; ++number) {
    answer(b, segment(number), no_space());
  }
  EXPECT_THAT(sent(b), IsEmpty());
  EXPECT_EQ(state(b), PeerState::kBehind);
  EXPECT_EQ(shipper_->peer(b).backlog, 9U);
  at(1);
  compared(b, segments(1, 9), Listing{});
  EXPECT_THAT(sent(b), ElementsAre("catch-up 1"));
  answer(b, segment(1), no_space());
  EXPECT_THAT(sent(b), IsEmpty());
  EXPECT_EQ(state(b), PeerState::kBehind);
  EXPECT_EQ(shipper_->peer(b).backlog, 9U);
  EXPECT_GT(next_wakeup(), 1);
  at(10);
  compared(b, segments(1, 9), Listing{});
  EXPECT_THAT(sent(b), ElementsAre("catch-up 1"));
  answer(b, segment(1));
  EXPECT_EQ(sent(b).size(), kCatchUpInFlightMax) << "there is space again";
}

// Somebody waits for it, and its success is how the end of the trouble is seen soonest.
TEST_F(ShipperTest, H16AFreshFileIsTriedOnAFullPeerAtOnce) {
  greet(b);
  compared(b, segments(1, 2), Listing{});
  sent(b);
  answer(b, segment(1), no_space());
  answer(b, segment(2), no_space());
  submit(1, segment(5));
  EXPECT_THAT(sent(b), ElementsAre("fresh 5"));
  submit(2, segment(6));
  EXPECT_THAT(sent(b), IsEmpty()) << "one after the other";
  stored(1);
  stored(2);
  answer(b, segment(5));
  EXPECT_EQ(verdict(1), "ok");
  EXPECT_THAT(sent(b), ElementsAre("fresh 6"));
}

// An alarm waits for minutes of it, and a try comes every few seconds.
TEST_F(ShipperTest, H16APeerIsInTroubleSinceTheFirstFailureWhateverIsTried) {
  up(b);
  at(10);
  compared(b, Error{Errc::kIo, "cannot read", ""});
  step(CompareNow{b});
  compared(b, Error{Errc::kIo, "cannot read", ""});
  ASSERT_EQ(shipper_->peer(b).state, PeerState::kBehind);
  const TimePoint since = shipper_->peer(b).since;
  for (const double second : {12, 15, 20, 40}) {
    at(second);
    EXPECT_EQ(shipper_->peer(b).state, PeerState::kComparing);
    compared(b, segments(1, 1), Listing{});
    EXPECT_EQ(shipper_->peer(b).state, PeerState::kCatchingUp);
    answer(b, segment(1), Error{Errc::kNoSpace, "disk full", ""});
    EXPECT_EQ(shipper_->peer(b).state, PeerState::kBehind);
    EXPECT_EQ(shipper_->peer(b).since, since);
  }
  at(80);
  compared(b, segments(1, 1), segments(1, 1));
  EXPECT_EQ(shipper_->peer(b).state, PeerState::kCurrent);
  EXPECT_GT(shipper_->peer(b).since, since);
}

}  // namespace
}  // namespace pgwalship
