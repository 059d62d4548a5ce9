#include "base/process.h"

#include <gtest/gtest.h>

#include <unistd.h>

namespace pgwalship {
namespace {

TEST(ThreadState, IsReadAfterANameThatHoldsAnything) {
  const auto state = parse_thread_state(
      "4242 (a) S (b) D 1 2 3 4 5 4194304 7 8 9 10 300 21 0 0 20 0 6 0 991 1 2 3\n");
  ASSERT_TRUE(state);
  EXPECT_EQ(state->letter, 'D');
  EXPECT_EQ(state->cpu_ticks, 321U);
}

TEST(ThreadState, OfATruncatedTextIsNothing) {
  for (const char* text : {"", "4242", "4242 (x)", "4242 (x) S 1 2 3 4 5 6 7 8 9 10 300"}) {
    EXPECT_FALSE(parse_thread_state(text)) << text;
  }
}

TEST(ThreadState, OfThisThreadRuns) {
  const auto state = thread_state(::gettid());
  ASSERT_TRUE(state);
  EXPECT_EQ(state->letter, 'R');
  EXPECT_FALSE(thread_state(0));
}

}  // namespace
}  // namespace pgwalship
