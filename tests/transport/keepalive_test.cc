#include "transport/keepalive.h"

#include <gtest/gtest.h>

namespace pgwalship {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint kStart{1h};

TEST(Keepalive, PingsAtOnceAndEveryIntervalWhileAnswered) {
  Keepalive keepalive(3s, kStart);
  for (std::uint64_t number = 1; number < 5; ++number) {
    const TimePoint now = kStart + (number - 1) * 3s;
    EXPECT_EQ(keepalive.next_wakeup(), now);
    EXPECT_FALSE(keepalive.ping(now - 1ms));
    ASSERT_EQ(keepalive.ping(now), number);
    EXPECT_EQ(keepalive.on_pong(number, now + 5ms), 5ms);
    keepalive.on_life(now + 5ms);
  }
}

TEST(Keepalive, H14LosesAPeerAfterThreeSilentIntervals) {
  Keepalive keepalive(3s, kStart);
  ASSERT_TRUE(keepalive.ping(kStart));
  EXPECT_FALSE(keepalive.ping(kStart + 3s)) << "one is out already";
  EXPECT_FALSE(keepalive.is_lost(kStart + 8999ms));
  EXPECT_TRUE(keepalive.is_lost(kStart + 9s));
  EXPECT_LE(keepalive.next_wakeup(), kStart + 9s);
}

TEST(Keepalive, AnythingReceivedIsLife) {
  Keepalive keepalive(3s, kStart);
  ASSERT_TRUE(keepalive.ping(kStart + 3s));
  keepalive.on_life(kStart + 8s);
  EXPECT_FALSE(keepalive.is_lost(kStart + 16999ms));
  EXPECT_TRUE(keepalive.is_lost(kStart + 17s));
}

TEST(Keepalive, AnOwnPauseIsNoSilenceOfThePeer) {
  Keepalive keepalive(3s, kStart);
  const TimePoint woken = kStart + 1h;
  EXPECT_FALSE(keepalive.is_lost(woken));
  ASSERT_TRUE(keepalive.ping(woken));
  EXPECT_FALSE(keepalive.is_lost(woken + 5999ms));
  EXPECT_TRUE(keepalive.is_lost(woken + 6s));
}

TEST(Keepalive, IgnoresAPongThatNobodyWaitsFor) {
  Keepalive keepalive(3s, kStart);
  EXPECT_FALSE(keepalive.on_pong(1, kStart));
  const auto number = keepalive.ping(kStart + 3s);
  EXPECT_FALSE(keepalive.on_pong(*number + 1, kStart + 3s));
  EXPECT_TRUE(keepalive.on_pong(*number, kStart + 3s));
  EXPECT_FALSE(keepalive.on_pong(*number, kStart + 3s));
}

}  // namespace
}  // namespace pgwalship
