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

}  // namespace
}  // namespace pgwalship
