// When the daemon expires by itself, and whether the clock is good enough for the rule `days`.
// Pure.
#pragma once

#include "base/clock.h"

#include <optional>

namespace pgwalship {

class RetentionSchedule {
 public:
  // Without an interval it is never due.
  RetentionSchedule(std::optional<Duration> interval, TimePoint now);

  bool due(TimePoint now) const { return next_ <= now; }
  TimePoint next() const { return next_; }
  // A run begins, by itself or because somebody asked.
  void ran(TimePoint now);

 private:
  std::optional<Duration> interval_;
  TimePoint next_ = kNever;
};

// Compares the wall clock with the monotonic one. After a step neither the time before nor the one
// after is known to be right, and `days` has to wait until a person has had a day to see it (H22).
class ClockWatch {
 public:
  void note(TimePoint now, WallTime wall);
  bool trusted(TimePoint now) const;

 private:
  struct Reading {
    TimePoint now;
    WallTime wall;
  };
  std::optional<Reading> last_;
  std::optional<TimePoint> stepped_at_;
};

}  // namespace pgwalship
