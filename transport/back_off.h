// How long to wait before the next try: doubles from min to max. Up to half of each pause is taken
// off by chance, so that nodes that lost the same peer do not all come back in step.
#pragma once

#include "base/random.h"

#include <algorithm>
#include <chrono>

namespace pgwalship {

class BackOff {
 public:
  struct Limits {
    std::chrono::milliseconds min{200};
    std::chrono::milliseconds max{5000};
  };

  BackOff(Limits limits, std::uint64_t seed) : limits_(limits), random_(seed), pause_(limits.min) {}

  std::chrono::milliseconds next() {
    const std::chrono::milliseconds pause = pause_;
    pause_ = std::min(pause_ * 2, limits_.max);
    return jittered(pause);
  }
  // For what will stay wrong until somebody changes something.
  std::chrono::milliseconds longest() { return jittered(limits_.max); }
  void reset() { pause_ = limits_.min; }

 private:
  std::chrono::milliseconds jittered(std::chrono::milliseconds pause) {
    const auto half = static_cast<std::uint64_t>(pause.count()) / 2;
    return pause - std::chrono::milliseconds(random_.below(half + 1));
  }

  const Limits limits_;
  Random random_;
  std::chrono::milliseconds pause_;
};

}  // namespace pgwalship
