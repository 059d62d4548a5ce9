#include "archiver/retention_schedule.h"

#include <algorithm>

namespace pgwalship {
namespace {

// A daemon that just started knows little of its peers yet, and may be restarted again soon.
constexpr std::chrono::minutes kFirstRunMax{10};
// NTP slews by 500 ppm at most, two seconds an hour; a leap second is one.
constexpr std::chrono::seconds kStep{60};
constexpr std::chrono::hours kDistrust{24};

}  // namespace

RetentionSchedule::RetentionSchedule(std::optional<Duration> interval, TimePoint now)
    : interval_(interval) {
  if (interval_) {
    next_ = now + std::min<Duration>(*interval_, kFirstRunMax);
  }
}

void RetentionSchedule::ran(TimePoint now) {
  if (interval_) {
    next_ = now + *interval_;
  }
}

void ClockWatch::note(TimePoint now, WallTime wall) {
  if (last_) {
    const auto walled = std::chrono::duration_cast<Duration>(wall - last_->wall);
    const Duration passed = now - last_->now;
    if (walled > passed + kStep || walled < passed - kStep) {
      stepped_at_ = now;
    }
  }
  last_ = Reading{now, wall};
}

bool ClockWatch::trusted(TimePoint now) const {
  return !stepped_at_ || now - *stepped_at_ >= kDistrust;
}

}  // namespace pgwalship
