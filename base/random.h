// A seeded generator: jitter of the back-off, names of temporary files, and the simulator's dice.
// Not for secrets.
#pragma once

#include <cstdint>
#include <random>

namespace pgwalship {

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}

  std::uint64_t next() { return engine_(); }
  // Uniform in [0, bound); bound must not be 0.
  std::uint64_t below(std::uint64_t bound) { return engine_() % bound; }
  // True once in `n` on average.
  bool one_in(std::uint64_t n) { return below(n) == 0; }

 private:
  std::mt19937_64 engine_;
};

}  // namespace pgwalship
