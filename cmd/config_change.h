// Tells a process that goes on for long when its node's configuration has become another. One
// thread.
#pragma once

#include "base/clock.h"
#include "base/file_system.h"
#include "base/random.h"
#include "cmd/config.h"

namespace pgwalship {

class ConfigChange {
 public:
  // `running` is what the process began with. It and `file_system` are borrowed.
  ConfigChange(const FileSystem& file_system, const Config& running, std::uint64_t seed);

  // Looks at the file at most every few seconds, and reads it when it is another than before. True
  // some seconds, by chance, after [cluster], [archive] or [postgres] has changed. What cannot be
  // taken is no change: it may be half written.
  bool has_happened(TimePoint now);

 private:
  void look(TimePoint now);

  const FileSystem& file_system_;
  const Config& running_;
  Random random_;
  FileStat seen_;
  TimePoint look_at_{};
  TimePoint told_at_ = kNever;
};

}  // namespace pgwalship
