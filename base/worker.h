// One thread that runs jobs in the order they were given, for what may block: disks. A job runs on
// the worker's thread and returns its completion, which the owner's thread runs from drain():
// values cross, nothing is shared. Bounded: post() says no when the queue is full.
#pragma once

#include "base/mailbox.h"

#include <functional>
#include <memory>
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

 private:
  void run();

  Mailbox<Job> jobs_;
  Mailbox<Completion> done_;
  std::thread thread_;
};

}  // namespace pgwalship
