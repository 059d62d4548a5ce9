#include "base/event_loop.h"

#include "tests/support/manual_clock.h"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <fcntl.h>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace pgwalship {
namespace {

using std::chrono::milliseconds;

struct SocketPair {
  SocketPair() {
    std::array<int, 2> ends{};
    CHECK(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
    here = Fd(ends[0]);
    there = Fd(ends[1]);
  }
  void send() { CHECK(write_full(there.get(), as_bytes("x"), "send").ok()); }
  void receive() {
    std::array<std::byte, 1> byte{};
    CHECK(read_full(here.get(), byte, "receive").ok());
  }
  Fd here;
  Fd there;
};

class EventLoopTest : public testing::Test {
 protected:
  // A turn that ends at once, so that a case says how many turns it takes.
  void run_turns(int count) {
    turns_left_ = count;
    CHECK(loop_->run().ok());
  }

  EventLoopTest() {
    loop_ = EventLoop::create(clock_).value();
    loop_->on_turn([this](TimePoint now) {
      if (turns_left_ > 0 && --turns_left_ == 0) {
        loop_->stop();
      }
      return turns_left_ >= 0 && now_every_turn_ ? now : kNever;
    });
  }

  ManualClock clock_;
  std::unique_ptr<EventLoop> loop_;
  int turns_left_ = 0;
  bool now_every_turn_ = true;
};

TEST_F(EventLoopTest, CallsTheHandlerOfWhatIsReadable) {
  SocketPair quiet;
  SocketPair ready;
  ready.send();
  int quiet_calls = 0;
  EventLoop::Ready seen;
  ASSERT_TRUE(
      loop_->watch(quiet.here.get(), Interest::kRead, [&](EventLoop::Ready) { ++quiet_calls; })
          .ok());
  ASSERT_TRUE(loop_
                  ->watch(ready.here.get(), Interest::kRead,
                          [&](EventLoop::Ready what) {
                            seen = what;
                            loop_->stop();
                          })
                  .ok());
  ASSERT_TRUE(loop_->run().ok());
  EXPECT_TRUE(seen.readable);
  EXPECT_FALSE(seen.writable);
  EXPECT_EQ(quiet_calls, 0);
}

TEST_F(EventLoopTest, TellsReadableFromWritable) {
  SocketPair pair;
  pair.send();
  std::vector<std::string> seen;
  ASSERT_TRUE(loop_
                  ->watch(pair.here.get(), Interest::kWrite,
                          [&](EventLoop::Ready what) {
                            seen.push_back(std::string(what.readable ? "r" : "") +
                                           (what.writable ? "w" : ""));
                            CHECK(loop_->change(pair.here.get(), Interest::kReadWrite).ok());
                            if (seen.size() == 2) {
                              loop_->stop();
                              loop_->unwatch(pair.here.get());
                            }
                          })
                  .ok());
  ASSERT_TRUE(loop_->run().ok());
  EXPECT_EQ(seen, (std::vector<std::string>{"w", "rw"}));
}

TEST_F(EventLoopTest, HangUpIsReadable) {
  SocketPair pair;
  pair.there.reset();
  bool readable = false;
  ASSERT_TRUE(loop_
                  ->watch(pair.here.get(), Interest::kRead,
                          [&](EventLoop::Ready what) {
                            readable = what.readable;
                            loop_->stop();
                          })
                  .ok());
  ASSERT_TRUE(loop_->run().ok());
  EXPECT_TRUE(readable);
}

TEST_F(EventLoopTest, HangUpOfWhatIsOfNoInterestDoesNotSpin) {
  SocketPair pair;
  pair.there.reset();
  int calls = 0;
  ASSERT_TRUE(
      loop_->watch(pair.here.get(), Interest::kNone, [&](EventLoop::Ready) { ++calls; }).ok());
  run_turns(5);
  EXPECT_EQ(calls, 0);
  ASSERT_TRUE(loop_->change(pair.here.get(), Interest::kRead).ok());
  run_turns(2);
  EXPECT_GT(calls, 0);
  ASSERT_TRUE(loop_->change(pair.here.get(), Interest::kNone).ok());
  calls = 0;
  run_turns(5);
  EXPECT_EQ(calls, 0);
}

TEST_F(EventLoopTest, IsLevelTriggered) {
  SocketPair pair;
  pair.send();
  pair.send();
  int calls = 0;
  ASSERT_TRUE(loop_
                  ->watch(pair.here.get(), Interest::kRead,
                          [&](EventLoop::Ready) {
                            pair.receive();
                            if (++calls == 2) {
                              loop_->stop();
                            }
                          })
                  .ok());
  ASSERT_TRUE(loop_->run().ok());
  EXPECT_EQ(calls, 2);
}

TEST_F(EventLoopTest, UnwatchedInThisTurnGetsNoFurtherCall) {
  SocketPair first;
  SocketPair second;
  first.send();
  second.send();
  int calls = 0;
  const auto unwatch_both = [&](EventLoop::Ready) {
    ++calls;
    loop_->unwatch(first.here.get());
    loop_->unwatch(second.here.get());
  };
  ASSERT_TRUE(loop_->watch(first.here.get(), Interest::kRead, unwatch_both).ok());
  ASSERT_TRUE(loop_->watch(second.here.get(), Interest::kRead, unwatch_both).ok());
  run_turns(3);
  EXPECT_EQ(calls, 1);
}

TEST_F(EventLoopTest, NewDescriptorOfTheSameNumberGetsNoEventOfTheOldOne) {
  SocketPair first;
  SocketPair second;
  first.send();
  second.send();
  SocketPair quiet;
  int calls = 0;
  int quiet_calls = 0;
  // Whichever runs first replaces the other one's descriptor by one that has nothing to read.
  const auto replace = [&](SocketPair& other) {
    ++calls;
    const int number = other.here.get();
    loop_->unwatch(number);
    other.here.reset();
    other.here = Fd(::fcntl(quiet.here.get(), F_DUPFD_CLOEXEC, number));
    CHECK(other.here.get() == number);
    CHECK(loop_->watch(number, Interest::kRead, [&](EventLoop::Ready) { ++quiet_calls; }).ok());
  };
  ASSERT_TRUE(loop_
                  ->watch(first.here.get(), Interest::kRead,
                          [&](EventLoop::Ready) {
                            first.receive();
                            replace(second);
                          })
                  .ok());
  ASSERT_TRUE(loop_
                  ->watch(second.here.get(), Interest::kRead,
                          [&](EventLoop::Ready) {
                            second.receive();
                            replace(first);
                          })
                  .ok());
  run_turns(3);
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(quiet_calls, 0);
}

TEST_F(EventLoopTest, HandlerThatUnwatchesItselfKeepsWhatItCaptured) {
  SocketPair pair;
  pair.send();
  std::string seen;
  ASSERT_TRUE(loop_
                  ->watch(pair.here.get(), Interest::kRead,
                          [&, kept = std::string(100, 'k')](EventLoop::Ready) {
                            loop_->unwatch(pair.here.get());
                            seen = kept;
                          })
                  .ok());
  run_turns(2);
  EXPECT_EQ(seen, std::string(100, 'k'));
}

TEST_F(EventLoopTest, WhatCannotBeWatchedIsAnError) {
  const auto watched = loop_->watch(-1, Interest::kRead, [](EventLoop::Ready) {});
  ASSERT_FALSE(watched.ok());
  EXPECT_EQ(watched.error().message, "watch descriptor: Bad file descriptor");
  loop_->unwatch(-1);
}

TEST_F(EventLoopTest, NowStandsStillWithinATurn) {
  SocketPair pair;
  pair.send();
  const TimePoint start = clock_.now();
  std::vector<TimePoint> seen;
  ASSERT_TRUE(loop_
                  ->watch(pair.here.get(), Interest::kRead,
                          [&](EventLoop::Ready) {
                            pair.receive();
                            seen.push_back(loop_->now());
                            clock_.advance(milliseconds(5));
                            seen.push_back(loop_->now());
                          })
                  .ok());
  loop_->on_turn([&](TimePoint now) {
    if (seen.size() == 2) {
      seen.push_back(now);
      loop_->stop();
    }
    return kNever;
  });
  ASSERT_TRUE(loop_->run().ok());
  EXPECT_EQ(seen, (std::vector<TimePoint>{start, start, start}));
}

TEST_F(EventLoopTest, HookMayAddAHook) {
  int added_calls = 0;
  bool added = false;
  loop_->on_turn([&](TimePoint) {
    if (!added) {
      added = true;
      for (int i = 0; i < 100; ++i) {
        loop_->on_turn([&](TimePoint) {
          ++added_calls;
          return kNever;
        });
      }
    }
    return kNever;
  });
  run_turns(1);
  EXPECT_GE(added_calls, 100);
}

TEST_F(EventLoopTest, StopBeforeRunIsNotLost) {
  loop_->stop();
  EXPECT_TRUE(loop_->run().ok());
}

TEST_F(EventLoopTest, StopFromAnotherThreadWakesALoopThatWaitsForEver) {
  now_every_turn_ = false;
  std::thread stopper([this] { loop_->stop(); });
  EXPECT_TRUE(loop_->run().ok());
  stopper.join();
}

TEST(EventLoop, WakesForTheEarliestHookAndNotBefore) {
  const SystemClock clock;
  auto loop = EventLoop::create(clock).value();
  const TimePoint due = clock.now() + milliseconds(3);
  std::vector<TimePoint> turns;
  loop->on_turn([&](TimePoint now) {
    turns.push_back(now);
    if (now >= due) {
      loop->stop();
    }
    return due;
  });
  loop->on_turn([](TimePoint now) { return now + std::chrono::hours(10'000); });
  loop->on_turn([](TimePoint) { return kNever; });
  ASSERT_TRUE(loop->run().ok());
  // The turn that is due, those that a signal or stop() brought, and not one per millisecond.
  EXPECT_LE(turns.size(), 4U);
  EXPECT_GE(turns.back(), due);
}

}  // namespace
}  // namespace pgwalship
