// When lack of space, here or on peers, is the verdict (H16).
#include "tests/archiver/shipper_fixture.h"

#include <gmock/gmock.h>

namespace pgwalship {
namespace {

using testing::HasSubstr;

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
