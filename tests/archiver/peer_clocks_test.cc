#include "archiver/peer_clocks.h"

#include "tests/transport/linked_node.h"

#include <gtest/gtest.h>

namespace pgwalship {
namespace {

using namespace std::chrono_literals;

TEST(ClockOffset, TheAnswerWasGivenHalfWay) {
  const WallTime asked{std::chrono::duration_cast<WallTime::duration>(1000s)};
  const ClockOffset same = clock_offset(asked, 200ms, 1000'100'000);
  EXPECT_EQ(same.ahead, 0us);
  EXPECT_EQ(same.error, 100ms);
  EXPECT_EQ(clock_offset(asked, 200ms, 1003'100'000).ahead, 3s);
  EXPECT_EQ(clock_offset(asked, 0ms, 990'000'000).ahead, -10s);
}

// The receiver in the test tells no time: what matters is that the next question is asked, and that
// the offset of one that is gone is not shown.
TEST(PeerClocks, ShowsNothingThatWasNotTold) {
  LinkedNode node(1);
  PeerClocks clocks(node.nodes(), node.clock(), node.links());
  node.run_until_linked();
  const TimePoint next = clocks.tick(node.loop().now());
  EXPECT_GT(next, node.loop().now());
  EXPECT_LE(next, node.loop().now() + 2min);
  EXPECT_FALSE(clocks.offset(1).has_value());
  node.peer(1).cut();
  node.run_until([&] { return !node.links().is_up(1); });
  EXPECT_EQ(clocks.tick(node.loop().now()), kNever);
}

}  // namespace
}  // namespace pgwalship
