// The archive on one node: a directory of <name>.gz files that are put once and never change.
// This is the only place that makes something durable, in this order (docs/durability.md has the
// same numbers):
//   (1) temporary file, created exclusively, in the archive's file system
//   (2) write            (3) verify length, checksum and header against what was announced
//   (4) fsync the file   (5) link it into place, refusing to overwrite
//   (6) fsync the directory   (7) only now tell anybody
// When the name is taken at (5) the contents are compared uncompressed: identical is fsynced and is
// success; so are the same records with another unused tail, of which the present copy stays;
// different is kConflict: the new bytes go to quarantine, the old stay; a present copy that does
// not verify goes to quarantine and the new one takes its place.
//
// Several processes work on one archive at a time (the daemon, a receiver per peer): nothing here
// relies on being alone. A store may be used by several threads; one StagedFile belongs to one.
#pragma once

#include "base/file_system.h"
#include "base/result.h"
#include "wal/archive_file.h"
#include "wal/archive_layout.h"
#include "wal/segment_difference.h"
#include "wal/segment_name.h"
#include "wal/staged_file.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace pgwalship {

// kSameRecords: the name has other content, which stays, but differs only behind its last record:
// recovery does the same with either (wal/segment_difference.h).
enum class PutOutcome { kStored, kIdentical, kSameRecords };

// A content in quarantine beside the archive's.
struct ConflictFacts {
  FileFacts kept;  // the archive's
  std::uint64_t kept_file_bytes = 0;
  FileFacts refused;
  std::uint64_t refused_file_bytes = 0;
  Difference difference;
};

struct StoredFile {
  WalName name;
  std::uint64_t bytes = 0;
  WallTime modified{};
};

class ArchiveStore {
 public:
  struct Options {
    std::string directory;
    std::uint64_t minimum_free_bytes = 0;  // puts are refused with kNoSpace below it
    std::uint64_t seed = 0;                // for names of temporary files; unique per process
  };

  ArchiveStore(FileSystem& file_system, Options options);
  ArchiveStore(const ArchiveStore&) = delete;
  ArchiveStore& operator=(const ArchiveStore&) = delete;

  // Makes the directories and removes what dead writers left in tmp/. Call once, before the rest.
  Result<void> prepare();

  // kIo when the path names another directory than at prepare(): an unmounted file system's, say.
  Result<void> check_directory() const;

  // (1). kNoSpace below minimum_free_bytes.
  // Reserve::kUse: a recovery waits for this file, minimum_free_bytes or not.
  enum class Reserve { kKeep, kUse };
  Result<std::unique_ptr<StagedFile>> stage(const WalName& name, Reserve reserve = Reserve::kKeep);

  // (3) to (6). On success the content is durable under its name. What the staged bytes must be:
  // Content::kVerify also unpacks it and compares its hash with what its header claims: for a copy
  // that lay on a disk before it came here.
  enum class Content { kTrusted, kVerify };
  struct Expected {
    std::uint64_t file_bytes = 0;
    std::uint32_t file_crc32 = 0;
    Content content = Content::kTrusted;
  };
  // kCorrupt: the staged bytes are not what was announced (length, checksum, header, name,
  // trailer's length). kConflict: other content has the name; the message gives both hashes, and
  // the staged bytes are kept in quarantine. kInvalid: a foreign system identifier, or a legacy
  // file whose content does not fit its name. kRetry: another process is replacing a corrupt copy
  // right now. The staged file is used up either way, and gone unless it was stored or quarantined.
  Result<PutOutcome> commit(StagedFile& staged, const Expected& expected);

  // kNotFound; kCorrupt when the header cannot be read, and also when the copy was bad, is in
  // quarantine, and has no successor yet: it was here, so this is no "absent" (G5). The content is
  // not verified. The same holds for the next two.
  Result<ArchiveFile> open(const WalName& name) const;
  // Reads all of it: hash against the facts (when there are any), gzip trailer, raw length.
  // The facts of a legacy file are computed. kNotFound, kCorrupt.
  Result<FileFacts> verify(const WalName& name) const;
  // The same, and the file for who sends it on.
  Result<VerifiedFile> open_verified(const WalName& name) const;
  // Verifies and hands out the raw content piece by piece; kCorrupt may come after pieces went out.
  Result<FileFacts> read_raw(const WalName& name, const RawSink& sink) const;
  // On success the name holds exactly this content, verified and durable: a put of it may be
  // acknowledged without its bytes (H4). kNotFound, kCorrupt, kConflict.
  Result<void> confirm(const WalName& name, const Sha256& content);
  // Moves a present copy to quarantine when it fails to verify. kNotFound; kAlreadyExists when the
  // copy is good and stays; kRetry when another process is doing the same.
  Result<void> quarantine_corrupt(const WalName& name);

  // Everything under a valid name, in archiving order. Other files in the directory are ignored.
  Result<std::vector<WalName>> list() const;
  // Files in quarantine, by their names there (docs/durability.md).
  Result<std::vector<std::string>> quarantined() const;

  // Conflicts, in wal/archive_conflict.cc. Those that nobody has decided, by name.
  using Quarantined = ArchiveLayout::Quarantined;
  Result<std::vector<Quarantined>> conflicts() const;
  // As what quarantine holds that content of a name; never kCorrupt.
  std::optional<Quarantined::Kind> quarantined_as(const WalName& name, const Sha256& content) const;
  // Reads both contents and compares them. kNotFound, kCorrupt.
  Result<ConflictFacts> compare(const Quarantined& refused) const;
  // Both decide for one content of the name and durably keep all others in quarantine, as resolved;
  // nothing is lost at any moment. kNotFound, kCorrupt; kRetry when another process works on the
  // name. For an operator alone: the second one changes what is under a name.
  Result<void> keep_archived(const WalName& name);
  Result<void> keep_refused(const Quarantined& chosen);

  // The cluster's system identifier: pinned by the first file that has one, 0 before that.
  Result<std::uint64_t> system_id() const;
  // kInvalid when a file of that identifier (0: it has none) belongs to another cluster.
  Result<void> check_system_id(const WalName& name, std::uint64_t system_id) const;

  // Whether this archive was once made complete: before that a node that is new or was replaced
  // counts neither towards a quorum nor as evidence of absence (H42).
  bool reconciled() const;
  // `from`: down to which position. Durable on return; the first stays. With the mark of what had
  // vanished before it was compared it is whole again as well, unless more has vanished since.
  Result<void> mark_reconciled(SegmentPosition from = 0, std::uint64_t vanished_mark = 0);
  // Below it the absence of a file is no evidence that it never was here: it may have expired, or
  // have been lost with the archive before this one.
  Result<SegmentPosition> evidence_from() const;

  // What other hands took away, in wal/archive_vanished.cc.
  struct Vanished {
    SegmentPosition up_to = 0;  // so far anything may have been here
    std::uint64_t mark = 0;     // another one each time; 0: nothing has vanished
  };
  Result<Vanished> vanished() const;
  // Of these names, those that are not there although nothing here let them go; that is durably
  // recorded on return. kRetry when another process is at it.
  Result<std::vector<WalName>> note_vanished(std::vector<WalName> names);
  // What it says that a name is not here: that it never was; or nothing.
  enum class Absence { kNeverHere, kExpired, kVanished };
  Result<Absence> absence(const WalName& name) const;

  // Retention, in wal/archive_removal.cc. Every name below the floor has expired here and is not
  // taken again from a peer; 0 when none has.
  Result<SegmentPosition> floor() const;
  // Durable on return; a lower one is ignored. kRetry when another process is at it.
  Result<void> raise_floor(SegmentPosition floor);
  // The oldest position that this node's own server needs from an archive, 0 when that is not
  // known: recorded here so that a receiver can tell peers while the daemon is down.
  Result<SegmentPosition> needs() const;
  Result<void> record_needs(SegmentPosition needs);
  // As list(), with sizes and times: one stat(2) a file.
  Result<std::vector<StoredFile>> inventory() const;
  // Takes the names away, each under its lock; durable on return, with one fsync for all. kInvalid,
  // and nothing is removed, when one is not below the recorded floor. A name that is not there is
  // no error; `busy` ones were locked and stay.
  struct Removed {
    std::size_t files = 0;
    std::size_t busy = 0;
  };
  Result<Removed> remove_expired(std::span<const WalName> names);

  Result<std::uint64_t> free_bytes() const;
  // In wal/archive_probe.cc: what a put would do, with bytes of no name, and nothing stays of it;
  // what was read back. Fails as a put would. REQUIRES: some bytes, not many.
  Result<Bytes> probe(ByteView bytes);
  const std::string& directory() const { return layout_.directory(); }

 private:
  Result<void> check_reserve() const;
  Result<Bytes> write_probe(ByteView bytes);
  Result<PutOutcome> put(StagedFile& staged, const Expected& expected);
  Result<std::unique_ptr<File>> open_file(const WalName& name) const;
  Result<FileFacts> check_staged(StagedFile& staged, const Expected& expected) const;
  // Nothing: the name was given up meanwhile, try again.
  Result<std::optional<PutOutcome>> settle_taken_name(StagedFile& staged, const FileFacts& facts);
  Result<std::optional<PutOutcome>> settle_difference(StagedFile& staged, const FileFacts& ours,
                                                      const FileFacts& theirs);
  Result<void> keep_staged(const StagedFile& staged, const std::string& target);
  Error refuse(const StagedFile& staged, const FileFacts& ours, const FileFacts& theirs,
               const Difference* difference);
  Result<std::optional<PutOutcome>> persist_stored(const WalName& name);
  Result<std::optional<PutOutcome>> renew(const WalName& name, const File& unsynced);
  Result<void> move_to_quarantine(const WalName& name);
  Result<void> take_over(const Quarantined& chosen);
  Result<void> put_aside(const WalName& name, File& file, const FileFacts& facts);
  Result<void> settle_conflicts(const WalName& name, const FileFacts& kept);
  Result<void> pin_system_id(const WalName& name, std::uint64_t system_id);
  Result<void> pin(std::uint64_t system_id);
  Result<void> put_state_file(const std::string& path, std::string_view content);
  Result<void> forget_vanished(SegmentPosition from, std::uint64_t mark);
  Result<SegmentPosition> read_position(const std::string& path) const;
  Result<void> write_position(const std::string& path, SegmentPosition position);
  std::uint64_t next_unique();

  FileSystem& file_system_;  // constant after construction, as the next two
  const ArchiveLayout layout_;
  const Options options_;
  std::atomic<std::uint64_t> unique_count_ = 0;
  std::atomic<std::uint64_t> inode_ = 0;  // of the directory; 0 before prepare()
  std::atomic<std::uint64_t> device_ = 0;
  std::atomic<std::uint64_t> durable_system_id_ = 0;  // 0 until this process has seen it on disk
};

}  // namespace pgwalship
