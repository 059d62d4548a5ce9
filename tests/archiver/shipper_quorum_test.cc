// What the log says of a quorum that is held, lost, and lost for good (H48).
#include "tests/archiver/shipper_fixture.h"

#include <gmock/gmock.h>

namespace pgwalship {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

TEST_F(ShipperTest, H48AnnouncesTheQuorumOnceWhenItIsHeldAndOnceWhenItIsLost) {
  submit(1, segment(1));
  EXPECT_THAT(reports(), ElementsAre("info: quorum ANY 1 (*): not yet held"));
  greet(b);
  EXPECT_THAT(reports(), ElementsAre("info: peer b: connected", "info: quorum ANY 1 (*): held"));
  greet(c);
  lose(b);
  EXPECT_THAT(reports(), Not(Contains(HasSubstr("quorum"))));
  at(30);
  lose(c, "no route");
  EXPECT_THAT(reports(),
              ElementsAre("warning: peer c: connection lost: no route",
                          "warning: quorum ANY 1 (*): not held for the moment: b is down for 30 s "
                          "(no route); c is down for 0 s (no route)"));
  EXPECT_EQ(next_wakeup(), 40);
  at(39);
  EXPECT_THAT(reports(), IsEmpty());
  at(40);
  EXPECT_THAT(reports(),
              ElementsAre("error: quorum ANY 1 (*) cannot be met: b is down for 40 s (no route); "
                          "c is down for 10 s (no route)"));
  at(60);
  EXPECT_THAT(reports(), IsEmpty());
}

// A link that is made anew.
TEST_F(ShipperTest, H48AQuorumThatIsBackInAMomentIsNoError) {
  up(b);
  reports();
  at(30);
  lose(b);
  at(35);
  greet(b);
  at(60);
  EXPECT_THAT(reports(),
              ElementsAre("warning: peer b: connection lost: no route",
                          "warning: quorum ANY 1 (*): not held for the moment: b is down for 0 s "
                          "(no route); c is down",
                          "info: peer b: connected", "info: quorum ANY 1 (*): held"));
}

TEST_F(ShipperTest, H48AQuorumThatNeverComesIsAnErrorAfterAMinute) {
  submit(1, segment(1));
  EXPECT_THAT(reports(), ElementsAre("info: quorum ANY 1 (*): not yet held"));
  at(59);
  EXPECT_THAT(reports(), IsEmpty());
  at(60);
  EXPECT_THAT(reports(),
              ElementsAre("error: quorum ANY 1 (*) cannot be met: b is down; c is down"));
  at(300);
  EXPECT_THAT(reports(), IsEmpty()) << "once is enough";
}

}  // namespace
}  // namespace pgwalship
