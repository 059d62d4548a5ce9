#include "base/mailbox.h"

#include <gtest/gtest.h>

#include <memory>
#include <poll.h>
#include <thread>

namespace pgwalship {
namespace {

template <typename T>
bool readable(const Mailbox<T>& mailbox) {
  pollfd poll_fd{.fd = mailbox.event_fd(), .events = POLLIN, .revents = 0};
  return ::poll(&poll_fd, 1, 0) == 1;
}

TEST(Mailbox, GivesValuesInTheOrderTheyCame) {
  Mailbox<int> mailbox(3);
  EXPECT_TRUE(mailbox.push(1));
  EXPECT_TRUE(mailbox.push(2));
  EXPECT_EQ(mailbox.size(), 2U);
  EXPECT_EQ(mailbox.try_pop(), 1);
  EXPECT_EQ(mailbox.pop(), 2);
  EXPECT_EQ(mailbox.try_pop(), std::nullopt);
}

TEST(Mailbox, IsReadableExactlyWhileItHoldsSomething) {
  Mailbox<int> mailbox(3);
  EXPECT_FALSE(readable(mailbox));
  mailbox.push(1);
  mailbox.push(2);
  EXPECT_TRUE(readable(mailbox));
  mailbox.try_pop();
  EXPECT_TRUE(readable(mailbox));
  mailbox.try_pop();
  EXPECT_FALSE(readable(mailbox));
}

TEST(Mailbox, LeavesTheValueAloneWhenItIsFull) {
  Mailbox<std::unique_ptr<int>> mailbox(1);
  auto first = std::make_unique<int>(1);
  auto second = std::make_unique<int>(2);
  EXPECT_TRUE(mailbox.try_push(first));
  EXPECT_FALSE(mailbox.try_push(second));
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(**mailbox.try_pop(), 1);
  EXPECT_TRUE(mailbox.try_push(second));
}

TEST(Mailbox, TakesNothingOnceClosedButGivesWhatItHolds) {
  Mailbox<int> mailbox(3);
  mailbox.push(1);
  mailbox.close();
  int more = 2;
  EXPECT_FALSE(mailbox.try_push(more));
  EXPECT_FALSE(mailbox.push(more));
  EXPECT_EQ(mailbox.pop(), 1);
  EXPECT_EQ(mailbox.pop(), std::nullopt);
}

TEST(Mailbox, CloseWakesWhoeverWaitsToPop) {
  Mailbox<int> mailbox(1);
  std::optional<int> got = 7;
  std::thread reader([&] { got = mailbox.pop(); });
  mailbox.close();
  reader.join();
  EXPECT_EQ(got, std::nullopt);
}

TEST(Mailbox, CloseWakesWhoeverWaitsForRoom) {
  Mailbox<int> mailbox(1);
  mailbox.push(1);
  bool pushed = true;
  std::thread writer([&] { pushed = mailbox.push(2); });
  mailbox.close();
  writer.join();
  EXPECT_FALSE(pushed);
}

TEST(Mailbox, HoldsBackTheWriterAndLosesNothing) {
  constexpr int kCount = 2'000;
  Mailbox<int> mailbox(2);
  std::thread first([&] {
    for (int i = 0; i < kCount; ++i) {
      CHECK(mailbox.push(1));
    }
  });
  std::thread second([&] {
    for (int i = 0; i < kCount; ++i) {
      CHECK(mailbox.push(2));
    }
  });
  int sum = 0;
  std::size_t largest = 0;
  for (int i = 0; i < 2 * kCount; ++i) {
    largest = std::max(largest, mailbox.size());
    sum += *mailbox.pop();
  }
  first.join();
  second.join();
  EXPECT_EQ(sum, kCount + 2 * kCount);
  EXPECT_LE(largest, 2U);
  EXPECT_FALSE(readable(mailbox));
}

}  // namespace
}  // namespace pgwalship
