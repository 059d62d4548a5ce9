// How long something took, counted in classes: what a monitoring system adds up over time. Fixed
// memory; never reset.
#pragma once

#include "base/clock.h"

#include <array>
#include <cstddef>
#include <cstdint>

namespace pgwalship {

class LatencyHistogram {
 public:
  // Upper bounds in seconds. A push on a local network takes 20 to 100 ms and ends at push-timeout
  // (15 s by default): about two classes for each doubling where it matters.
  static constexpr std::array<double, 14> kBounds{0.005, 0.01, 0.02, 0.05, 0.1,  0.2,  0.5,
                                                  1.0,   2.0,  5.0,  10.0, 15.0, 30.0, 60.0};

  void add(Duration duration) {
    const double seconds = std::chrono::duration<double>(duration).count();
    std::size_t at = 0;
    while (at < kBounds.size() && seconds > kBounds[at]) {
      ++at;
    }
    ++counts_[at];
    ++count_;
    sum_seconds_ += seconds;
  }

  // Of each class alone, not of it and those below; the last has no upper bound.
  const std::array<std::uint64_t, kBounds.size() + 1>& counts() const { return counts_; }
  std::uint64_t count() const { return count_; }
  double sum_seconds() const { return sum_seconds_; }

 private:
  std::array<std::uint64_t, kBounds.size() + 1> counts_{};
  std::uint64_t count_ = 0;
  double sum_seconds_ = 0;
};

}  // namespace pgwalship
