#include "cmd/config_change.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace pgwalship {
namespace {

constexpr std::chrono::seconds kLookInterval{5};
// Configuration management changes all nodes at once, and each would lose all its peers at once.
constexpr std::uint64_t kDelayMillisecondsMax = 5000;
// The rest of the file is nothing to those who are served.
constexpr std::array<std::string_view, 3> kSections{"[cluster] ", "[archive] ", "[postgres] "};

bool same_here(const Config& one, const Config& other) {
  return std::ranges::all_of(config_keys(), [&](const std::string& key) {
    const auto value = [&](const Config& config) {
      const auto found = config.values.find(key);
      return found == config.values.end() ? std::string() : found->second;
    };
    const bool counts = std::ranges::any_of(
        kSections, [&](std::string_view section) { return key.starts_with(section); });
    return !counts || value(one) == value(other);
  });
}

}  // namespace

ConfigChange::ConfigChange(const FileSystem& file_system, const Config& running, std::uint64_t seed)
    : file_system_(file_system), running_(running), random_(seed) {}

bool ConfigChange::has_happened(TimePoint now) {
  if (now >= look_at_) {
    look_at_ = now + kLookInterval;
    look(now);
  }
  return now >= told_at_;
}

void ConfigChange::look(TimePoint now) {
  const Result<FileStat> stat = file_system_.stat(running_.path);
  if (!stat.ok() || stat.value() == seen_) {
    return;
  }
  seen_ = stat.value();
  const Result<Config> fresh = load_config(running_.path);
  if (!fresh.ok()) {
    return;
  }
  if (same_here(fresh.value(), running_)) {
    told_at_ = kNever;
  } else if (told_at_ == kNever) {
    told_at_ = now + std::chrono::milliseconds(random_.below(kDelayMillisecondsMax));
  }
}

}  // namespace pgwalship
