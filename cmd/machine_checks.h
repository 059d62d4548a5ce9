// Whether this machine has what the configuration names: directories, space, keys. Reads alone.
#pragma once

#include "base/file_system.h"
#include "cmd/acting_user.h"
#include "cmd/check_lines.h"
#include "cmd/config.h"
#include "cmd/postgres_checks.h"
#include "wal/gzip_choice.h"

#include <vector>

namespace pgwalship {

struct MachineChecks {
  std::vector<CheckLine> lines;
  ArchiveIdentity archive;
};

// As `user`, whom this process is.
MachineChecks machine_checks(const Config& config, const ActingUser& user, FileSystem& file_system,
                             GzipReader::Engine gzip = best_gzip_engine());

}  // namespace pgwalship
