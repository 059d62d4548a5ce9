// One thread's loop over descriptors and one timer: epoll, level-triggered. The loop thread owns
// every object that its handlers touch; nothing else may touch them. `now` is read once per turn.
// Handlers must not block. All calls belong to the loop thread, except stop().
#pragma once

#include "base/clock.h"
#include "base/fd.h"

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>

namespace pgwalship {

// Bits for EventLoop::watch.
enum class Interest : std::uint32_t { kNone = 0, kRead = 1, kWrite = 2, kReadWrite = 3 };

class EventLoop {
 public:
  struct Ready {
    bool readable = false;  // also set at hang-up and error: the next read tells which
    bool writable = false;
  };
  using Handler = std::function<void(Ready)>;

  static Result<std::unique_ptr<EventLoop>> create(const Clock& clock);
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;
  ~EventLoop();

  // `fd` is borrowed and must be unwatched before it is closed. A handler may watch and unwatch
  // anything, itself included: a descriptor unwatched in this turn gets no further call.
  Result<void> watch(int fd, Interest interest, Handler handler);
  Result<void> change(int fd, Interest interest);
  void unwatch(int fd);

  // Called at the end of every turn, with `now`; returns when it wants to run again (kNever: only
  // after the next event). This is where a pure core gets its tick.
  void on_turn(std::function<TimePoint(TimePoint now)> hook);

  TimePoint now() const { return now_; }
  Result<void> run();  // until stop()
  void stop();         // any thread, and signal handlers

 private:
  struct Watch {
    Handler handler;
    std::uint64_t serial = 0;
    Interest interest = Interest::kNone;
  };

  EventLoop(const Clock& clock, Fd epoll, Fd wake);
  void dispatch(std::uint64_t serial, std::uint32_t bits);
  TimePoint run_hooks();

  const Clock& clock_;
  Fd epoll_;
  Fd wake_;
  TimePoint now_{};
  bool stopping_ = false;
  std::uint64_t last_serial_ = 0;
  std::map<int, std::shared_ptr<Watch>> watches_;            // shared with the handler that runs
  std::map<std::uint64_t, std::shared_ptr<Watch>> serials_;  // those in the epoll set
  std::deque<std::function<TimePoint(TimePoint)>> hooks_;    // a hook may add one while it runs
};

}  // namespace pgwalship
