// Brings a file from the local archive to where PostgreSQL wants it: read, decompressed, verified
// (hash, gzip trailer, and a segment's header against its name), and only then moved to its place
// (G4). Until then it is `destination`.pgwalship beside it; what a killed process left under that
// name is taken away by the next one.
//
// SIGTERM, SIGINT, SIGQUIT and SIGHUP are held back while the temporary file exists, looked for
// after each piece, and act when it is gone (H34). One thread.
#pragma once

#include "base/clock.h"
#include "base/file_system.h"
#include "wal/archive_store.h"

#include <string>

namespace pgwalship {

struct Placement {
  WalName name;
  std::string destination;  // absolute; replaced when it exists
  TimePoint deadline = kNever;
};

// What the archive itself could not give is `kMissing` and `kUnusable`; where the fault lies with
// the destination (no space, no directory, a signal, the deadline) it is `kFailed`.
struct PlacementResult {
  enum class Outcome {
    kPlaced,
    kMissing,     // the archive does not hold it
    kCorrupt,     // the archive's copy is bad, or is not what its name says
    kUnreadable,  // the archive's copy may be good, but cannot be read
    kFailed,      // the copy is good as far as it was read; the destination is the problem
  };
  Outcome outcome = Outcome::kPlaced;
  Error error;  // unless kPlaced
};

PlacementResult place_from_archive(FileSystem& file_system, const ArchiveStore& store,
                                   const Clock& clock, const Placement& placement);

}  // namespace pgwalship
