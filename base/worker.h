// One thread that runs jobs in the order they were given, for what may block: disks. A job runs on
// the worker's thread and returns its completion, which the owner's thread runs from drain():
// values cross, nothing is shared. Bounded: post() says no when the queue is full.
#pragma once

#include "base/mailbox.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <sys/types.h>
#include <thread>

namespace pgwalship {

class Worker {
 public:
  using Completion = std::function<void()>;
  using Job = std::function<Completion()>;

  explicit Worker(std::size_t capacity);
  // Finishes the job that runs, drops the queued ones.
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // False when `capacity` jobs wait already.
  [[nodiscard]] bool post(Job job);
  // Readable while completions wait.
  int event_fd() const { return done_.event_fd(); }
  // Runs the completions that have arrived; owner's thread.
  void drain();

  // What the thread is at, for whoever watches over it; any thread.
  struct Activity {
    std::uint64_t job = 0;  // counted from 1; 0: it waits for a job, or for its owner to drain
    pid_t thread = 0;       // 0: it has not begun to run
  };
  Activity activity() const { return {job_, kernel_thread_}; }

 private:
  void run();

  Mailbox<Job> jobs_;
  Mailbox<Completion> done_;
  std::atomic<std::uint64_t> job_{0};
  std::atomic<pid_t> kernel_thread_{0};
  std::thread thread_;
};

}  // namespace pgwalship
