// A Clock that stands still until the test moves it.
#pragma once

#include "base/clock.h"

namespace pgwalship {

class ManualClock final : public Clock {
 public:
  TimePoint now() const override { return now_; }
  WallTime wall() const override { return wall_; }

  void advance(Duration by) {
    now_ += by;
    wall_ += std::chrono::duration_cast<WallTime::duration>(by);
  }
  // The operator sets the clock: only the wall time jumps (H22).
  void set_wall(WallTime wall) { wall_ = wall; }

 private:
  TimePoint now_{std::chrono::hours(1)};
  WallTime wall_{std::chrono::hours(24) * 365 * 50};
};

}  // namespace pgwalship
