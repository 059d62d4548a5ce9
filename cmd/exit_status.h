// Every exit code that something else reads: PostgreSQL, sshd, a person's script. They are API;
// the man page repeats this table.
//
// archive_command (PostgreSQL: pgarch.c, shell_archive.c; "Continuous Archiving", 26.3.1):
//   0 lets PostgreSQL recycle the segment; 1 to 125 is a failure that it counts, logs and tries
//   again; above 125, or a signal, makes the archiver process exit and restart, and the failure is
//   not counted in pg_stat_archiver. So `push` never ends above 125 (H13).
//
// restore_command (PostgreSQL: xlogarchive.c, RestoreArchivedFile):
//   0 is "it is there", and the file must have the right size; 1 to 125 is "it is not in the
//   archive", whatever the number means to us: point-in-time recovery ENDS there; above 125 stops
//   the server's recovery with FATAL. So where a mistake must not end a recovery (recovery.signal
//   alone; README, "Exit codes") every failure that is not a proven absence is kStop: a wrong
//   command line and a wrong configuration, too. Elsewhere those are kUsage.
#pragma once

#include "base/result.h"

namespace pgwalship {

enum class PushExit : int {
  kDurable = 0,   // on this node and on the quorum
  kRetry = 1,     // a peer, the quorum, the deadline, the daemon: PostgreSQL tries again
  kUsage = 2,     // command line, configuration, name or header: trying again will not help
  kConflict = 3,  // other content has this name: somebody must look
  kNoSpace = 4,   // on a disk that the quorum needs
};

enum class FetchExit : int {
  kFound = 0,     // verified and in place
  kNotThere = 1,  // proven absent; or not found where a failure only means "ask again"
  kUsage = 2,     // command line or configuration; PostgreSQL reads it as kNotThere
  kStop = 255,    // not found and not proven absent, or corrupt: recovery must not go on
};

// archive_cleanup_command (PostgreSQL: shell_archive.c): anything but 0 is a warning in its log.
enum class ExpireExit : int {
  kDone = 0,    // what the rules let go is gone, which may be nothing
  kFailed = 1,  // the daemon, the archive
  kUsage = 2,   // command line or configuration
  kHeld = 3,    // something that the rules let go had to stay: a peer, the quorum; not of `cleanup`
};

// What a failed push ends with.
constexpr PushExit push_exit(Errc code) {
  switch (code) {
    case Errc::kInvalid:
      return PushExit::kUsage;
    case Errc::kConflict:
      return PushExit::kConflict;
    case Errc::kNoSpace:
      return PushExit::kNoSpace;
    case Errc::kNotFound:
    case Errc::kAlreadyExists:
    case Errc::kRetry:
    case Errc::kTimeout:
    case Errc::kProtocol:
    case Errc::kCorrupt:
    case Errc::kIo:
      return PushExit::kRetry;
  }
  return PushExit::kRetry;  // a code that a newer daemon knows
}

constexpr int to_status(PushExit exit) {
  return static_cast<int>(exit);
}
constexpr int to_status(FetchExit exit) {
  return static_cast<int>(exit);
}
constexpr int to_status(ExpireExit exit) {
  return static_cast<int>(exit);
}

}  // namespace pgwalship
