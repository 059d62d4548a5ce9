// What the Shipper hears and what it asks for: its events and actions.
#pragma once

#include "base/clock.h"
#include "base/journal.h"
#include "base/result.h"
#include "topology/node_list.h"
#include "wal/archive_store.h"
#include "wal/differences.h"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace pgwalship {

using PushId = std::uint64_t;
using TransferId = std::uint64_t;

// Whether the archive here has a file of that name when a push is staged, other than one whose
// header gives the push's own hash.
enum class LocalName { kFree, kTaken };

struct PushSubmitted {  // a client's file is staged whole
  PushId push;
  WalName name;
  Sha256 sha256;
  TimePoint deadline;
  // A taken name goes to the peers only when the local archive has called it identical: other
  // content must not get ahead of the conflict (G2).
  LocalName local_name;
};
struct LocalStored {
  PushId push;
  Result<PutOutcome> result;
};
struct PeerGreeted {
  NodeId peer;
  bool reconciled;
};
struct PeerLost {
  NodeId peer;
  std::string reason;
  std::string hint = {};  // what can be done about it
};
struct FileAnswered {
  NodeId peer;
  TransferId transfer;
  Result<PutOutcome> result;
};
enum class PullFault { kPeer, kHere };  // who could not; meaningful with an error
struct FilePulled {                     // the file is here, durable and verified; or why not
  TransferId transfer;
  Result<PutOutcome> result;  // kIdentical: it had come meanwhile
  PullFault fault = PullFault::kPeer;
};
struct Compared {  // how the archives differ, or why that could not be found out
  NodeId peer;
  bool self_reconciled;  // before this archive was looked at
  Result<Differences> differences;
  std::optional<bool> peer_reconciled = {};  // as the peer says now; its greeting may be old
  // Of both archives the higher: below it an absence is no evidence (ArchiveStore::evidence_from).
  SegmentPosition evidence_from = 0;
  // What had vanished from either (ArchiveStore::Vanished) before it was looked at; 0: nothing.
  std::uint64_t self_vanished = 0;
  std::uint64_t peer_vanished = 0;
};
struct ReconciledAnswered {
  NodeId peer;
  Result<void> result;
};
struct PgWalSpace {  // free bytes of the file system of this node's pg_wal
  std::uint64_t free_bytes;
};
// Files came into the archive here, or left it, by other hands than this Shipper's.
struct ArchiveGrew {};
// An operator does not want to wait for the next comparison.
struct CompareNow {
  NodeId peer;
};
struct Tick {};

// Who answered so cannot store anything, as opposed to one file.
constexpr bool is_refusal(Errc code) {
  return code == Errc::kNoSpace || code == Errc::kIo || code == Errc::kInvalid;
}

using ShipperEvent =
    std::variant<PushSubmitted, LocalStored, PeerGreeted, PeerLost, FileAnswered, FilePulled,
                 Compared, ReconciledAnswered, PgWalSpace, ArchiveGrew, CompareNow, Tick>;

struct StoreLocally {
  PushId push;
};
struct SendFile {
  NodeId peer;
  TransferId transfer;
  WalName name;
  std::optional<PushId> staged;  // from the staged file of this push; else from the archive
  bool fresh;
};
struct PullFile {  // into the archive here
  NodeId peer;
  TransferId transfer;
  WalName name;
  // The peer's content of a name that this archive has given to other content: what comes is kept
  // in quarantine, once.
  std::optional<Differences::Conflict> conflict;
};
struct Compare {
  NodeId peer;
};
struct TellReconciled {
  NodeId peer;
  SegmentPosition from;  // down to which it holds all that enough others hold
  std::uint64_t vanished = 0;
};
struct MarkReconciled {  // the archive here
  SegmentPosition from;
  std::uint64_t vanished = 0;
};
struct Reply {
  PushId push;
  Result<std::string> verdict;  // ok: the text is empty, or a warning to pass on
};
enum class Gravity { kInfo, kWarning, kError };
struct Report {  // a change of state, for the log
  Gravity gravity;
  std::string line;
  LogFields fields = {};
};
using ShipperAction = std::variant<StoreLocally, SendFile, PullFile, Compare, TellReconciled,
                                   MarkReconciled, Reply, Report>;
using ShipperActions = std::vector<ShipperAction>;

}  // namespace pgwalship
