// When the scrub reads its next file: evenly over a full pass, never faster than a quarter of the
// time that reading takes, and later while something more urgent goes on, though not for ever.
// Pure.
#pragma once

#include "base/clock.h"

#include <cstdint>
#include <optional>

namespace pgwalship {

// Of reading time so much is rest: a disk that is slow is left alone for longer.
inline constexpr int kScrubRest = 3;
// A recovery or a push goes first for so long; an archive that is always busy is read all the same.
inline constexpr std::chrono::seconds kScrubDeferMax{60};
inline constexpr std::chrono::seconds kScrubDeferStep{1};
// With nothing to read yet.
inline constexpr std::chrono::seconds kScrubIdle{60};
// After a start other things come first.
inline constexpr std::chrono::seconds kScrubStartDelay{60};

class ScrubPace {
 public:
  // `pass`: how long a full pass takes; 0: there is none.
  ScrubPace(Duration pass, TimePoint now);

  TimePoint next() const { return next_; }
  // Another length of a pass, from the next file on.
  void set_pass(Duration pass, TimePoint now);
  enum class Load { kIdle, kBusy };
  // Whether to read a file, now that next() has come.
  bool may_start(Load load, TimePoint now);
  // A file was read; the archive holds `files`.
  void done(std::uint64_t files, Duration took, TimePoint now);

 private:
  Duration pass_;
  TimePoint next_ = kNever;
  bool reading_ = false;  // from may_start() to done()
  std::optional<TimePoint> deferred_since_;
};

}  // namespace pgwalship
