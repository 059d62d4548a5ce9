#include "transport/back_off.h"

#include <gtest/gtest.h>

#include <set>

namespace pgwalship {
namespace {

using namespace std::chrono_literals;

constexpr BackOff::Limits kLimits{.min = 200ms, .max = 5000ms};

TEST(BackOff, DoublesUpToTheLimitAndStaysThere) {
  BackOff back_off(kLimits, 1);
  for (const auto full : {200ms, 400ms, 800ms, 1600ms, 3200ms, 5000ms, 5000ms, 5000ms}) {
    const auto pause = back_off.next();
    EXPECT_LE(pause, full);
    EXPECT_GE(pause, full / 2);
  }
}

TEST(BackOff, StartsAgainAfterReset) {
  BackOff back_off(kLimits, 1);
  for (int i = 0; i < 10; ++i) {
    back_off.next();
  }
  back_off.reset();
  EXPECT_LE(back_off.next(), 200ms);
}

TEST(BackOff, LongestIsNearTheLimitAndChangesNothing) {
  BackOff back_off(kLimits, 1);
  EXPECT_GE(back_off.longest(), 2500ms);
  EXPECT_LE(back_off.longest(), 5000ms);
  EXPECT_LE(back_off.next(), 200ms);
}

TEST(BackOff, DiffersFromNodeToNode) {
  std::set<std::chrono::milliseconds> pauses;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    pauses.insert(BackOff(kLimits, seed).longest());
  }
  EXPECT_GT(pauses.size(), 40U);
}

TEST(BackOff, WorksWithLimitsTooSmallToHalve) {
  BackOff back_off({.min = 0ms, .max = 1ms}, 1);
  EXPECT_EQ(back_off.next(), 0ms);
  EXPECT_LE(back_off.longest(), 1ms);
}

}  // namespace
}  // namespace pgwalship
