#include "archiver/pg_wal_forecast.h"

#include "archiver/retention.h"
#include "base/words.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <vector>

namespace pgwalship {
namespace {

using Seconds = std::chrono::duration<double>;

// Ten minutes of samples every ten seconds: a stalled archive shows after half of it, and a
// checkpoint (five minutes by default) does not. All pairs of so many are 1,770.
constexpr std::size_t kPointsMax = 60;
// Fewer say nothing about a rate.
constexpr std::size_t kPointsMin = 6;
constexpr std::chrono::seconds kSpacing{5};
// Half of a full window. One that is shorter looks no further ahead than kReach times its own
// length: a server that is set up, copied or started writes much for a minute or two, and that is
// no trend. A disk that is full within minutes is told of after a minute all the same.
constexpr std::chrono::minutes kSettled{5};
constexpr double kReach = 10;
// After a longer pause the window is of another time.
constexpr std::chrono::minutes kPauseMax{5};
constexpr std::chrono::minutes kCalm{5};
// To get better it must be better by that much.
constexpr double kBetterFactor = 1.25;
// Slower than a segment in four hours is noise.
constexpr double kRateMin = 1024;

// The median of the slopes of all pairs from the point `first` on, in bytes a second.
template <typename Points, typename Value>
double median_slope(const Points& points, std::size_t first, Value value) {
  std::vector<double> slopes;
  slopes.reserve(points.size() * (points.size() - 1) / 2);
  for (std::size_t i = first; i < points.size(); ++i) {
    for (std::size_t j = i + 1; j < points.size(); ++j) {
      slopes.push_back((value(points[j]) - value(points[i])) /
                       Seconds(points[j].at - points[i].at).count());
    }
  }
  const auto middle = slopes.begin() + static_cast<std::ptrdiff_t>(slopes.size() / 2);
  std::nth_element(slopes.begin(), middle, slopes.end());
  return *middle;
}

// Upwards, and nothing that is over: the newer half of the window must show it as well.
template <typename Points, typename Value>
double growth(const Points& points, Value value) {
  return std::max(0.0, std::min(median_slope(points, 0, value),
                                median_slope(points, points.size() / 2, value)));
}

std::string time_text(Duration time) {
  const double minutes = Seconds(time).count() / 60;
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), minutes < 120 ? "%.0f min" : "%.1f h",
                minutes < 120 ? minutes : minutes / 60);
  return text.data();
}

}  // namespace

std::string_view to_word(PgWalForecast::State state) {
  switch (state) {
    case PgWalForecast::State::kUnknown:
      return "unknown";
    case PgWalForecast::State::kOk:
      return "ok";
    case PgWalForecast::State::kWarning:
      return "warning";
    case PgWalForecast::State::kCritical:
      return "critical";
  }
  return "unknown";
}

void PgWalForecast::note(const PgWalSample& sample, TimePoint now) {
  latest_ = sample;
  if (!points_.empty() && now - points_.back().at > kPauseMax) {
    points_.clear();
    full_in_.reset();
    rate_ = 0;
  }
  if (!points_.empty() && now - points_.back().at < kSpacing) {
    return;
  }
  points_.push_back(
      {now, static_cast<double>(sample.free_bytes), static_cast<double>(sample.wal_bytes)});
  if (points_.size() > kPointsMax) {
    points_.pop_front();
  }
}

void PgWalForecast::estimate() {
  full_in_.reset();
  rate_ = 0;
  if (points_.size() < kPointsMin) {
    return;
  }
  const double used = growth(points_, [](const Point& point) { return -point.free; });
  const double grown = growth(points_, [](const Point& point) { return point.wal; });
  rate_ = std::max(used, grown);
  if (rate_ < kRateMin) {
    return;
  }
  // Longer than ten years is as good as never, and fits a Duration.
  constexpr double kLongest = 10.0 * 365 * 86'400;
  const double seconds = std::min(static_cast<double>(latest_->free_bytes) / rate_, kLongest);
  if (!settled() && seconds > kReach * Seconds(watched()).count()) {
    return;
  }
  full_in_ = std::chrono::duration_cast<Duration>(Seconds(seconds));
}

Duration PgWalForecast::watched() const {
  return points_.empty() ? Duration{} : points_.back().at - points_.front().at;
}

bool PgWalForecast::settled() const {
  return watched() >= kSettled;
}

// `factor` above 1: what it takes to be called better.
PgWalForecast::State PgWalForecast::state_by(double factor) const {
  const auto within = [&](Duration limit) {
    return full_in_ && Seconds(*full_in_) < Seconds(limit) * factor;
  };
  if (static_cast<double>(latest_->free_bytes) <
          static_cast<double>(options_.critical_free_bytes) * factor ||
      within(options_.critical)) {
    return State::kCritical;
  }
  if (within(options_.warning)) {
    return State::kWarning;
  }
  return settled() ? State::kOk : State::kUnknown;
}

std::optional<PgWalForecast::Line> PgWalForecast::take(const PgWalSample& sample, TimePoint now) {
  note(sample, now);
  estimate();
  const State before = state_;
  const State worse = state_by(1);
  if (worse > state_) {
    state_ = worse;
    calm_since_.reset();
  } else if (const State better = state_by(kBetterFactor);
             better < state_ && better != State::kUnknown) {
    calm_since_ = calm_since_.value_or(now);
    if (now - *calm_since_ >= kCalm) {
      state_ = better;
      calm_since_.reset();
    }
  } else {
    calm_since_.reset();
  }
  const bool silent = state_ == before || (before == State::kUnknown && state_ == State::kOk);
  return silent ? std::nullopt : std::optional(line_for(before));
}

PgWalForecast::Line PgWalForecast::line_for(State before) const {
  std::string facts = bytes_text(latest_->free_bytes) + " free";
  if (full_in_) {
    facts += ", filling by " + bytes_text(static_cast<std::uint64_t>(rate_)) + " a second";
  }
  facts += ", " + counted(latest_->ready, "segment") + (latest_->ready == 1 ? " waits" : " wait") +
           " to be archived";
  const std::string when = full_in_ ? "the file system of pg_wal is full in " + time_text(*full_in_)
                                    : "the file system of pg_wal is nearly full";
  if (state_ == State::kOk) {
    return {LogLevel::kInfo, "the file system of pg_wal is no longer filling up: " + facts};
  }
  if (state_ < before) {
    return {LogLevel::kWarning, when + ", which is better than before: " + facts};
  }
  return {state_ == State::kCritical ? LogLevel::kError : LogLevel::kWarning,
          when + ": " + facts +
              "\nHINT: PostgreSQL stops when it is full. If segments wait, `pgwalship status` says "
              "why they are not archived; if none do, look at pg_replication_slots, wal_keep_size "
              "and what else lies on that disk. Never remove anything from pg_wal by hand"};
}

}  // namespace pgwalship
