// Virtual time and everything that is random: one seed decides all. Events run in the order of
// their times, then of their making. One thread.
#pragma once

#include "base/clock.h"
#include "base/random.h"
#include "tests/sim/fiber.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

namespace pgwalship::sim {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

class Schedule {
 public:
  explicit Schedule(std::uint64_t seed) : random_(seed) {}

  TimePoint now() const { return now_; }
  Random& random() { return random_; }
  Duration between(Duration low, Duration high);

  void at(TimePoint when, std::function<void()> event);
  void after(Duration delay, std::function<void()> event) { at(now_ + delay, std::move(event)); }
  // Runs the next event; false when there is none before `end` (it is `end` then).
  bool step(TimePoint end);

 private:
  Random random_;
  TimePoint now_{std::chrono::hours(1)};
  std::uint64_t next_number_ = 0;
  std::map<std::pair<TimePoint, std::uint64_t>, std::function<void()>> events_;
};

// The virtual time, for what asks a Clock.
class ScheduleClock final : public Clock {
 public:
  explicit ScheduleClock(const Schedule& schedule) : schedule_(schedule) {}
  TimePoint now() const override { return schedule_.now(); }
  WallTime wall() const override { return WallTime(); }

 private:
  const Schedule& schedule_;
};

// One process of the cluster: fibers that end when it is killed. What they run must come to its
// end without waiting once alive() is false; then nothing of the process is left.
class Process {
 public:
  explicit Process(Schedule& schedule) : schedule_(schedule) {}
  ~Process() { kill(); }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  bool alive() const { return alive_; }
  // All fibers have ended and all events are gone when it returns, with what they held.
  // REQUIRES: not inside a fiber.
  void kill();

  void spawn(std::function<void()> body);
  // Inside a fiber of this process. Returns early when the process is killed.
  void sleep(Duration duration);
  // An event of this process: nothing happens when it was killed before.
  void after(Duration delay, std::function<void()> event);
  Schedule& schedule() { return schedule_; }

  // For one fiber that waits for others.
  class Bell {
   public:
    // Waits until ring(), or returns at once when it rang before or the process was killed.
    void wait(Process& process);
    void ring();

   private:
    friend class Process;
    bool rung_ = false;
    std::function<void()> wake_;
  };

 private:
  struct Task {
    std::unique_ptr<Fiber> fiber;
    std::uint64_t naps = 0;  // a wake-up for an earlier nap is stale
  };

  using Events = std::map<std::uint64_t, std::function<void()>>;

  void resume(std::uint64_t number);
  // Wakes the current fiber from a nap that begins now, unless it was woken otherwise before.
  std::function<void()> make_alarm();
  std::uint64_t current() const;

  Schedule& schedule_;
  bool alive_ = true;
  std::map<std::uint64_t, Task> tasks_;
  std::uint64_t next_task_ = 0;
  // The schedule only knows their numbers: a dead process holds nothing.
  std::shared_ptr<Events> events_ = std::make_shared<Events>();
  std::uint64_t next_event_ = 0;
};

}  // namespace pgwalship::sim
