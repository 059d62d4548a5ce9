#include "base/worker.h"

#include <gtest/gtest.h>

#include <array>
#include <future>
#include <memory>
#include <poll.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace pgwalship {
namespace {

void wait_for_completion(const Worker& worker) {
  pollfd poll_fd{.fd = worker.event_fd(), .events = POLLIN, .revents = 0};
  CHECK(::poll(&poll_fd, 1, 60'000) == 1);
}

Worker::Completion nothing() {
  return [] {};
}

TEST(Worker, RunsJobsElsewhereAndCompletionsHereInOrder) {
  Worker worker(8);
  std::vector<int> order;
  std::vector<std::thread::id> job_threads(3);
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(worker.post([&order, &job_threads, i]() -> Worker::Completion {
      job_threads[static_cast<std::size_t>(i)] = std::this_thread::get_id();
      return [&order, i, owner = std::this_thread::get_id()] {
        EXPECT_NE(std::this_thread::get_id(), owner);
        order.push_back(i);
      };
    }));
  }
  while (order.size() < 3) {
    wait_for_completion(worker);
    worker.drain();
  }
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2}));
  EXPECT_NE(job_threads[0], std::this_thread::get_id());
  EXPECT_EQ(job_threads[0], job_threads[2]);
}

TEST(Worker, RefusesAJobWhenItsQueueIsFull) {
  std::promise<void> started;
  std::promise<void> go_on;
  auto may_go_on = go_on.get_future().share();
  Worker worker(2);
  ASSERT_TRUE(worker.post([&started, may_go_on] {
    started.set_value();
    may_go_on.wait();
    return nothing();
  }));
  started.get_future().wait();
  EXPECT_TRUE(worker.post(nothing));
  EXPECT_TRUE(worker.post(nothing));
  EXPECT_FALSE(worker.post(nothing));
  go_on.set_value();
}

TEST(Worker, DestructorFinishesTheRunningJob) {
  std::promise<void> started;
  std::promise<void> go_on;
  bool finished = false;
  std::thread releaser;
  {
    Worker worker(2);
    ASSERT_TRUE(worker.post([&] {
      started.set_value();
      go_on.get_future().wait();
      finished = true;
      return nothing();
    }));
    started.get_future().wait();
    releaser = std::thread([&go_on] { go_on.set_value(); });
  }
  EXPECT_TRUE(finished);
  releaser.join();
}

// The owner never drains: with room for one job the worker holds two completions, and waits with
// the third.
TEST(Worker, DestructorOfAFullWorkerDropsWhatIsQueuedAndReturns) {
  auto dropped = std::make_shared<bool>(true);
  std::array<std::promise<void>, 3> jobs_ran;
  {
    Worker worker(1);
    for (std::promise<void>& ran : jobs_ran) {
      ASSERT_TRUE(worker.post([&ran] {
        ran.set_value();
        return nothing();
      }));
      ran.get_future().wait();
    }
    ASSERT_TRUE(worker.post([dropped] {
      *dropped = false;
      return nothing();
    }));
  }
  EXPECT_TRUE(*dropped);
  EXPECT_EQ(dropped.use_count(), 1) << "what a dropped job captured goes with the worker";
}

TEST(Worker, TellsWhichJobItIsAt) {
  Worker worker(2);
  EXPECT_EQ(worker.activity().job, 0U);
  for (std::uint64_t number = 1; number <= 2; ++number) {
    std::promise<pid_t> began;
    std::promise<void> may_end;
    ASSERT_TRUE(worker.post([&] {
      began.set_value(::gettid());
      may_end.get_future().wait();
      return nothing();
    }));
    const pid_t thread = began.get_future().get();
    EXPECT_EQ(worker.activity().job, number);
    EXPECT_EQ(worker.activity().thread, thread);
    may_end.set_value();
    wait_for_completion(worker);
    worker.drain();
    EXPECT_EQ(worker.activity().job, 0U);
  }
}

TEST(Worker, DrainRunsOnlyWhatHasArrived) {
  Worker worker(8);
  int completions = 0;
  std::function<void()> post_again = [&] {
    ASSERT_TRUE(worker.post([&]() -> Worker::Completion {
      return [&] {
        ++completions;
        post_again();
      };
    }));
  };
  post_again();
  while (completions < 10) {
    const int before = completions;
    wait_for_completion(worker);
    worker.drain();
    EXPECT_EQ(completions, before + 1);
  }
}

}  // namespace
}  // namespace pgwalship
