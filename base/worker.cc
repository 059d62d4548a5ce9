#include "base/worker.h"

#include <unistd.h>
#include <utility>

namespace pgwalship {

// done_ holds a completion of every job that can be waiting or running, so the thread waits for the
// owner only when the owner goes on posting without draining: that is the back-pressure. It is no
// deadlock, because the owner never waits for the thread: post() does not block, and the destructor
// closes done_ first.
Worker::Worker(std::size_t capacity)
    : jobs_(capacity), done_(capacity + 1), thread_([this] { run(); }) {}

// done_ first: the thread gives up when it cannot hand over a completion, and then takes no
// further job although jobs_ still holds some.
Worker::~Worker() {
  done_.close();
  jobs_.close();
  thread_.join();
}

bool Worker::post(Job job) {
  return jobs_.try_push(job);
}

// Only those that are there now: a completion may post the next job, and must not keep the owner
// here for ever.
void Worker::drain() {
  for (std::size_t waiting = done_.size(); waiting > 0; --waiting) {
    if (auto completion = done_.try_pop()) {
      (*completion)();
    }
  }
}

void Worker::run() {
  kernel_thread_ = ::gettid();
  std::uint64_t number = 0;
  while (auto job = jobs_.pop()) {
    job_ = ++number;
    Completion completion = (*job)();
    job.reset();  // what it captured goes before its completion can run
    job_ = 0;
    if (!done_.push(std::move(completion))) {
      return;
    }
  }
}

}  // namespace pgwalship
