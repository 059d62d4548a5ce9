// Mailbox<T>: the only thing that crosses threads. A bounded queue with an eventfd that is readable
// while the queue holds something, so that an epoll or poll loop can wait for it. Values are moved
// in and out; nothing is shared. Any thread may push; one thread pops.
#pragma once

#include "base/fd.h"

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>

namespace pgwalship {

// An eventfd in semaphore-less mode; see eventfd(2).
Fd make_eventfd();
void signal_eventfd(int fd);
void clear_eventfd(int fd);

template <typename T>
class Mailbox {
 public:
  explicit Mailbox(std::size_t capacity) : capacity_(capacity), event_(make_eventfd()) {}
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  // False when it is full or closed; the value is then untouched: back-pressure for the caller.
  bool try_push(T& value);
  // Waits for room; false when closed.
  bool push(T value);
  std::optional<T> try_pop();
  // Waits for a value; nothing once closed and empty.
  std::optional<T> pop();
  // No more pushes; waiting callers return.
  void close();

  // For poll and epoll: readable while there is something to pop.
  int event_fd() const { return event_.get(); }
  std::size_t size() const;

 private:
  void put(T&& value);      // with mutex_ held
  std::optional<T> take();  // with mutex_ held

  const std::size_t capacity_;
  Fd event_;  // constant after construction
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<T> queue_;  // guarded by mutex_
  bool closed_ = false;  // guarded by mutex_
};

}  // namespace pgwalship

#include "base/mailbox_inl.h"
