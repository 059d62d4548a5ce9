#include "transport/unread_limit.h"

#include <gtest/gtest.h>

namespace pgwalship {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint kStart{1h};
constexpr std::size_t kWindow = std::size_t{2} << 20;  // OpenSSH's

TEST(UnreadLimit, AMachineNearbyIsSentLittleAndAFarOneAWholeWindow) {
  UnreadLimit limit;
  EXPECT_GT(limit.bytes(kStart), kWindow) << "nothing is known yet";
  limit.on_round_trip(20ms);
  EXPECT_GT(limit.bytes(kStart), kWindow);
  limit.on_round_trip(200us);
  EXPECT_EQ(limit.bytes(kStart), UnreadLimit::kNearBytes + 100'000);
  limit.on_round_trip(20ms);
  EXPECT_EQ(limit.bytes(kStart), UnreadLimit::kNearBytes + 100'000)
      << "that one had data before it";
}

TEST(UnreadLimit, LetsMoreThroughWhenNothingIsReadAndTakesItBackAfterAWhile) {
  UnreadLimit limit;
  limit.on_round_trip(0us);
  EXPECT_EQ(limit.on_turn(true, 7, kStart), kStart + 100ms);
  EXPECT_EQ(limit.on_turn(true, 7, kStart + 99ms), kStart + 100ms);
  EXPECT_EQ(limit.bytes(kStart + 99ms), UnreadLimit::kNearBytes);
  EXPECT_EQ(limit.on_turn(true, 7, kStart + 100ms), kStart + 100ms) << "at once";
  EXPECT_EQ(limit.bytes(kStart + 100ms), 2 * UnreadLimit::kNearBytes);
  EXPECT_EQ(limit.on_turn(true, 7, kStart + 101ms), kStart + 200ms);
  limit.on_turn(true, 7, kStart + 200ms);
  EXPECT_EQ(limit.bytes(kStart + 200ms), 4 * UnreadLimit::kNearBytes);
  EXPECT_EQ(limit.bytes(kStart + 61s), UnreadLimit::kNearBytes);
}

TEST(UnreadLimit, WhoGoesOnIsNotHeldBack) {
  UnreadLimit limit;
  limit.on_round_trip(0us);
  for (int turn = 0; turn < 100; ++turn) {  // always full, and always moving
    const TimePoint now = kStart + turn * 50ms;
    EXPECT_EQ(limit.on_turn(true, static_cast<std::uint64_t>(turn + 1), now), now + 100ms);
  }
  EXPECT_EQ(limit.bytes(kStart + 5s), UnreadLimit::kNearBytes);
  EXPECT_EQ(limit.on_turn(false, 100, kStart + 6s), kNever);
  EXPECT_EQ(limit.on_turn(true, 100, kStart + 7s), kStart + 7100ms) << "from now on";
}

}  // namespace
}  // namespace pgwalship
