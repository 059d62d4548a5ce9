#include "restorer/spool_keeper.h"

#include <algorithm>
#include <memory>
#include <tuple>
#include <vector>

namespace pgwalship {
namespace {

// An unpacked file that a client waited for is taken at once, or not at all.
constexpr std::chrono::seconds kClientPatience{5};
constexpr std::chrono::seconds kCleanInterval{5};

}  // namespace

Spool* SpoolKeeper::spool_for(const WalName& name, For whom, TimePoint now) const {
  const bool wanted = whom == For::kClient || prefetch_.unpacks(name, now);
  return wanted && name.kind() == WalKind::kSegment ? spool_ : nullptr;
}

void SpoolKeeper::add(const WalName& name, For whom, const std::string& path, TimePoint now) {
  if (!path.empty()) {
    kept_.emplace(path, Kept{name, whom, now});
    clean_at_ = std::min<TimePoint>(clean_at_, now + kCleanInterval);
  }
}

bool SpoolKeeper::keeps(const Kept& kept, TimePoint now) const {
  const Duration age = now - kept.since;
  return prefetch_.unpacks(kept.name, now) ? age < kSpoolFresh
                                           : age < kClientPatience && kept.whom == For::kClient;
}

// What a client has taken is not there any more, and no harm is done.
void SpoolKeeper::clean(TimePoint now) {
  auto paths = std::make_shared<std::vector<std::string>>();
  for (const auto& [path, kept] : kept_) {
    if (!keeps(kept, now)) {
      paths->push_back(path);
    }
  }
  const bool posted = paths->empty() || remover_.post([this, paths]() -> Worker::Completion {
    for (const std::string& path : *paths) {
      std::ignore = spool_->remove(path);
    }
    return [] {};
  });
  if (posted) {
    for (const std::string& path : *paths) {
      kept_.erase(path);
    }
  }
  clean_at_ = kept_.empty() ? kNever : now + kCleanInterval;
}

TimePoint SpoolKeeper::tick(TimePoint now) {
  if (now >= clean_at_) {
    clean(now);
  }
  return clean_at_;
}

}  // namespace pgwalship
