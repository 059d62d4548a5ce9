#include "cmd/config_change.h"

namespace pgwalship {
namespace {

constexpr std::chrono::seconds kLookInterval{5};

}  // namespace

ConfigChange::ConfigChange(const FileSystem& file_system, const Config& running)
    : file_system_(file_system), running_(running) {}

bool ConfigChange::has_happened(TimePoint now) {
  if (now < look_at_) {
    return false;
  }
  look_at_ = now + kLookInterval;
  const Result<FileStat> stat = file_system_.stat(running_.path);
  if (!stat.ok() || stat.value() == seen_) {
    return false;
  }
  seen_ = stat.value();
  const Result<Config> fresh = load_config(running_.path);
  return fresh.ok() && fresh.value().values != running_.values;
}

}  // namespace pgwalship
