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
#include "wal/spool.h"

#include <memory>
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
  Error error;                  // unless kPlaced
  std::uint64_t raw_bytes = 0;  // of what was placed
};

// Takes it from the spool when it lies ready there: moves it into place, or, from another file
// system, copies it, verified once more.
PlacementResult place_from_archive(FileSystem& file_system, const ArchiveStore& store,
                                   const Spool& spool, const Clock& clock,
                                   const Placement& placement);

// The same for an archive file that comes piece by piece from elsewhere: it is collected beside the
// destination, as it came, and verified when it is whole. Signals are held back while this lives.
class StreamedPlacement {
 public:
  StreamedPlacement(FileSystem& file_system, const Clock& clock, Placement placement);
  ~StreamedPlacement();
  StreamedPlacement(const StreamedPlacement&) = delete;
  StreamedPlacement& operator=(const StreamedPlacement&) = delete;

  Result<void> begin();  // forgets what came before
  Result<void> append(ByteView piece);
  // kRetry when a signal wants to end the process: then this must go.
  Result<void> check_signals() const;
  PlacementResult finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace pgwalship
