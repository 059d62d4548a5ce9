#include "base/trouble.h"

#include <gtest/gtest.h>

namespace pgwalship {
namespace {

TEST(Trouble, H48IsSaidOnceForEachReason) {
  Trouble trouble;
  EXPECT_TRUE(trouble.begins("disk full"));
  EXPECT_FALSE(trouble.begins("disk full"));
  EXPECT_TRUE(trouble.begins("read-only"));
  EXPECT_FALSE(trouble.begins("read-only"));
}

TEST(Trouble, IsSaidAgainAfterItHasEnded) {
  Trouble trouble;
  EXPECT_TRUE(trouble.begins("disk full"));
  trouble.ends();
  EXPECT_TRUE(trouble.begins("disk full"));
}

}  // namespace
}  // namespace pgwalship
