// When will pg_wal's file system be full? PostgreSQL stops then, so the operator is told while
// there is time (G10, H17). Pure: samples go in, a state and at most one log line for each change
// come out.
//
// The rate is the median of the slopes between all pairs of samples in a window (Theil and Sen): a
// checkpoint that frees segments, or a file that somebody puts there and takes away, does not move
// it. What the newer half of the window does not show is over, and a young window looks only a few
// minutes ahead. Free space and the size of pg_wal are both looked at, and the faster one counts: a
// shared disk may be filled by others. Only the monotonic clock is used, so that a clock that is
// set is nothing.
#pragma once

#include "base/clock.h"
#include "base/log.h"

#include <cstdint>
#include <deque>
#include <optional>
#include <string>

namespace pgwalship {

struct PgWalSample {
  std::uint64_t free_bytes = 0;  // of the file system
  std::uint64_t wal_bytes = 0;   // of the segments in pg_wal
  std::uint64_t ready = 0;       // segments that wait to be archived
};

class PgWalForecast {
 public:
  enum class State {
    kUnknown,   // not watched for long enough; from the beginning, and after a pause
    kOk,        // not filling up, or full later than `warning`
    kWarning,   // full within `warning`
    kCritical,  // full within `critical`, or less than `critical_free_bytes` are free
  };
  struct Options {
    Duration warning = std::chrono::hours(24);
    Duration critical = std::chrono::hours(2);
    std::uint64_t critical_free_bytes = 0;
  };
  struct Line {
    LogLevel level;
    std::string text;
  };

  explicit PgWalForecast(Options options) : options_(options) {}

  // For the log, when the state changed to one that a person must know. It gets worse at once, and
  // better only after kCalm well within the better state (H48).
  std::optional<Line> take(const PgWalSample& sample, TimePoint now);

  // What the next sample is judged by.
  void set_limits(Duration warning, Duration critical) {
    options_.warning = warning;
    options_.critical = critical;
  }

  State state() const { return state_; }
  // Nothing when it is not filling up, or not known.
  std::optional<Duration> full_in() const { return full_in_; }
  double bytes_per_second() const { return rate_; }
  const std::optional<PgWalSample>& latest() const { return latest_; }

 private:
  struct Point {
    TimePoint at;
    double free;
    double wal;
  };

  void note(const PgWalSample& sample, TimePoint now);
  void estimate();
  Duration watched() const;  // how much of time the window has seen
  bool settled() const;
  State state_by(double factor) const;
  Line line_for(State before) const;

  Options options_;  // constant but for the two limits
  std::deque<Point> points_;
  std::optional<PgWalSample> latest_;
  State state_ = State::kUnknown;
  std::optional<Duration> full_in_;
  double rate_ = 0;  // bytes a second, never negative
  std::optional<TimePoint> calm_since_;
};

std::string_view to_word(PgWalForecast::State state);

}  // namespace pgwalship
