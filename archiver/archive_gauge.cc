#include "archiver/archive_gauge.h"

#include "wal/archive_scan.h"

#include <algorithm>

namespace pgwalship {
namespace {

// The directory is read, without a look at its files: a million take some tenths of a second.
constexpr std::chrono::minutes kInterval{5};
constexpr std::size_t kObstaclesMax = 16;

}  // namespace

TimePoint ArchiveGauge::tick(TimePoint now) {
  if (next_ <= now) {
    next_ = now + kInterval;
    const auto look = [this]() -> Worker::Completion {
      const auto found = find_obstacles(archive_);
      return [this, found] {
        looking_ = false;
        if (found.ok()) {
          view_.obstacles = found.value();
          view_.obstacles.resize(std::min(view_.obstacles.size(), kObstaclesMax));
        }
      };
    };
    looking_ = looking_ || quiet_.post(look);  // one at a time
  }
  return next_;
}

}  // namespace pgwalship
