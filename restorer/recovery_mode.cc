#include "restorer/recovery_mode.h"

namespace pgwalship {
namespace {

enum class Signal { kPresent, kAbsent, kUnclear };

Signal look_for(const FileSystem& file_system, const std::string& path) {
  const Result<FileStat> found = file_system.stat(path);
  if (found.ok()) {
    return Signal::kPresent;
  }
  return found.error().code == Errc::kNotFound ? Signal::kAbsent : Signal::kUnclear;
}

}  // namespace

bool is_before_signal_files(const FileSystem& file_system, const std::string& directory) {
  return look_for(file_system, directory + "/recovery.conf") == Signal::kPresent;
}

RecoveryMode find_recovery_mode(const FileSystem& file_system, const std::string& directory) {
  if (is_before_signal_files(file_system, directory)) {
    return RecoveryMode::kRecovery;
  }
  const Signal standby = look_for(file_system, directory + "/standby.signal");
  if (standby == Signal::kPresent) {
    return RecoveryMode::kStandby;
  }
  const Signal recovery = look_for(file_system, directory + "/recovery.signal");
  return standby == Signal::kAbsent && recovery == Signal::kAbsent ? RecoveryMode::kManual
                                                                   : RecoveryMode::kRecovery;
}

}  // namespace pgwalship
