// A name that is taken by other content, here or on a peer.
#include "tests/archiver/shipper_fixture.h"

#include <gmock/gmock.h>

namespace pgwalship {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST_F(ShipperTest, H6TheSameRecordsHereAndOnAPeerAreEnoughAndTheClientHearsOfIt) {
  up(b);
  submit_taken(1, segment(5));
  stored(1, PutOutcome::kSameRecords);
  EXPECT_THAT(sent(b), ElementsAre("fresh 5"));
  answer(b, segment(5), PutOutcome::kSameRecords);
  EXPECT_EQ(verdict(1),
            "ok: the archive had the same records with another unused tail, and keeps what it had");
  EXPECT_THAT(shipper_->conflicts(), IsEmpty());
}

TEST_F(ShipperTest, AConflictOnAPeerIsOverWhenTheContentsAreFoundEqual) {
  up(b);
  submit(1, segment(5));
  stored(1);
  answer(b, segment(5), conflict());
  ASSERT_EQ(shipper_->conflicts().size(), 1U);
  at(60);
  compared(b);
  EXPECT_EQ(shipper_->conflicts().size(), 1U) << "names alone say nothing";
  at(120);
  Differences differences;
  differences.by_content = true;
  compared_as(b, differences);
  EXPECT_THAT(shipper_->conflicts(), IsEmpty());
}

}  // namespace
}  // namespace pgwalship
