// Two times that never mix. Deadlines, back-off and ages use the monotonic one; wall time is for
// people to read and decides nothing (H22). The loop reads the clock once per turn and passes `now`
// down, so that what decides can run in virtual time.
#pragma once

#include <chrono>

namespace pgwalship {

using TimePoint = std::chrono::steady_clock::time_point;
using Duration = std::chrono::steady_clock::duration;
using WallTime = std::chrono::system_clock::time_point;

inline constexpr TimePoint kNever = TimePoint::max();

class Clock {
 public:
  virtual ~Clock() = default;
  virtual TimePoint now() const = 0;
  virtual WallTime wall() const = 0;
};

class SystemClock final : public Clock {
 public:
  TimePoint now() const override;
  WallTime wall() const override;
};

}  // namespace pgwalship
