// Tells a process that goes on for long when its configuration has become another. One thread.
#pragma once

#include "base/clock.h"
#include "base/file_system.h"
#include "cmd/config.h"

namespace pgwalship {

class ConfigChange {
 public:
  // `running` is what the process began with. It and `file_system` are borrowed.
  ConfigChange(const FileSystem& file_system, const Config& running);

  // Looks at the file at most every few seconds, and reads it when it is another than before. False
  // as long as what it says is the same, or cannot be taken: it may be half written.
  bool has_happened(TimePoint now);

 private:
  const FileSystem& file_system_;
  const Config& running_;
  FileStat seen_;
  TimePoint look_at_{};
};

}  // namespace pgwalship
