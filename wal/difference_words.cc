// The difference between two contents of one name, as an operator reads it.
#include "wal/archive_layout.h"
#include "wal/segment_difference.h"

namespace pgwalship {
namespace {

std::string from(const FileFacts& facts) {
  return facts.origin.empty() ? "an unknown node" : facts.origin;
}

std::string timeline_text(const WalName& name) {
  return "timeline " + std::to_string(name.timeline());
}

enum class Origins { kTwo, kSame, kUnknown };

Origins origins_of(const FileFacts& kept, const FileFacts& refused) {
  if (kept.origin.empty() || refused.origin.empty()) {
    return Origins::kUnknown;
  }
  return kept.origin == refused.origin ? Origins::kSame : Origins::kTwo;
}

std::string cut_at(std::uint64_t lsn, RecordWalk::End end) {
  return lsn_text(lsn) + " (" + std::string(to_words(end)) + ")";
}

std::string history_verdict(const WalName& name, const Difference& d, const FileFacts& kept,
                            const FileFacts& refused) {
  const auto fork = [](const std::optional<Difference::Fork>& at) {
    return at ? "timeline " + std::to_string(at->parent) + " at " + at->lsn : "nowhere";
  };
  return timeline_text(name) + " was begun twice: the archive's, from " + from(kept) + ", leaves " +
         fork(d.kept_fork) + ", the refused one, from " + from(refused) + ", " +
         fork(d.refused_fork);
}

std::string verdict(const WalName& name, const Difference& d, const FileFacts& kept,
                    const FileFacts& refused) {
  const std::string both =
      "the archive's is from " + from(kept) + ", the refused one from " + from(refused);
  switch (d.kind) {
    case Difference::Kind::kIdentical:
      return "identical";
    case Difference::Kind::kSameRecords:
      return "the same records up to " + lsn_text(d.lsn) +
             ", only the unused rest of the segment differs: " + both;
    case Difference::Kind::kPrefix: {
      const bool kept_short = d.shorter == Side::kKept;
      const std::string end = cut_at(d.lsn, kept_short ? d.kept_end : d.refused_end);
      return kept_short
                 ? "the archive's, from " + from(kept) + ", ends at " + end +
                       ", the refused one, from " + from(refused) + ", is the same and goes on"
                 : "the refused one, from " + from(refused) + ", ends at " + end +
                       ", the archive's, from " + from(kept) + ", is the same and goes on";
    }
    case Difference::Kind::kDiverged:
      return "diverged " +
             (d.began_before ? "in a record that began before " + lsn_text(d.lsn)
                             : "at " + lsn_text(d.lsn)) +
             ": " + both;
    case Difference::Kind::kText:
      if (name.kind() == WalKind::kHistory && d.kept_fork != d.refused_fork) {
        return history_verdict(name, d, kept, refused);
      }
      return "line " + std::to_string(d.line) + " differs: '" + d.kept_line +
             "' in the archive's, from " + from(kept) + ", '" + d.refused_line +
             "' in the refused one, from " + from(refused);
    case Difference::Kind::kUnknown:
      break;
  }
  return "byte " + std::to_string(d.first_byte) +
         " is the first that differs; what that means cannot be told from the records: " + both;
}

std::string diverged_cause(const WalName& name, const Difference& d, const FileFacts& kept,
                           const FileFacts& refused) {
  const std::string timeline = timeline_text(name);
  const std::string two =
      "two servers wrote " + timeline +
      ": two primaries at once (a failover without fencing), or restart_on_promote=true of the "
      "pgsql resource agent, which makes a standby primary without a new timeline";
  const std::string one =
      "its data directory was set back (a snapshot, an old backup, pg_resetwal), or a clone of it "
      "archives into the same place";
  std::string cause;
  switch (origins_of(kept, refused)) {
    case Origins::kTwo:
      cause = two;
      break;
    case Origins::kSame:
      cause = from(kept) + " wrote this part of " + timeline + " twice: " + one;
      break;
    case Origins::kUnknown:
      cause = two + "; or one server did it twice: " + one;
      break;
  }
  if (d.unfinished) {
    cause +=
        "; or, as that record is not whole in one of them, a PostgreSQL before 12.9, 13.5 or 14.1 "
        "archived the segment before the record was safe, crashed, and wrote another";
  }
  return cause;
}

std::string prefix_cause(const Difference& d) {
  const RecordWalk::End end = d.shorter == Side::kKept ? d.kept_end : d.refused_end;
  if (end == RecordWalk::End::kBadChecksum) {
    return "the shorter one was damaged before it was archived, or archived before it was finished";
  }
  return "the shorter one was archived before it was finished: by hand or by a script from a "
         "standby's or a stopped server's pg_wal, or by a PostgreSQL before 12.9, 13.5 or 14.1 "
         "that crashed then";
}

std::string cause(const WalName& name, const Difference& d, const FileFacts& kept,
                  const FileFacts& refused) {
  switch (d.kind) {
    case Difference::Kind::kIdentical:
      return "";
    case Difference::Kind::kSameRecords:
      return "two servers archived it, and their files had held other segments before";
    case Difference::Kind::kPrefix:
      return prefix_cause(d);
    case Difference::Kind::kDiverged:
      return diverged_cause(name, d, kept, refused);
    case Difference::Kind::kText:
      break;
    case Difference::Kind::kUnknown:
      return "content that is no WAL PostgreSQL would replay, damage before it was archived, or an "
             "unfinished file";
  }
  if (name.kind() == WalKind::kHistory) {
    return "two servers were promoted to " + timeline_text(name) +
           " without seeing each other's history file: two primaries, or a promotion while the "
           "archive could not be reached";
  }
  return "two base backups that started in the same place, or a backup label that was edited";
}

std::string next_step(const WalName& name, const Difference& d, const FileFacts& refused) {
  const std::string hash = refused.sha256.hex().substr(0, ArchiveLayout::kHashDigits);
  const std::string resolve = "`pgwalship conflicts resolve " + name.text();
  const std::string either = resolve + " --keep archive` or `--keep " + hash + "`";
  switch (d.kind) {
    case Difference::Kind::kIdentical:
      return "";
    case Difference::Kind::kSameRecords:
      return "nothing: recovery does the same with either";
    case Difference::Kind::kPrefix:
      return d.shorter == Side::kKept
                 ? "keep the longer one, unless its server was dropped: " + resolve + " --keep " +
                       hash + "`"
                 : "keep the archive's: " + resolve + " --keep archive`";
    case Difference::Kind::kDiverged:
      return "decide which server's history goes on; stop the other, save what only it has with "
             "`pgwalship rescue`, rebuild it with pg_rewind or pg_basebackup; then " +
             either;
    case Difference::Kind::kText:
      if (name.kind() == WalKind::kHistory) {
        return "decide which of the two promoted servers goes on; stop the other and rebuild it; "
               "then " +
               either;
      }
      return "keep the one whose base backup is kept: " + either;
    case Difference::Kind::kUnknown:
      break;
  }
  return "look at both with pg_waldump, then " + either;
}

}  // namespace

DifferenceWords describe(const WalName& name, const Difference& difference, const FileFacts& kept,
                         const FileFacts& refused) {
  return DifferenceWords{verdict(name, difference, kept, refused),
                         cause(name, difference, kept, refused),
                         next_step(name, difference, refused)};
}

std::string_view to_word(Difference::Kind kind) {
  switch (kind) {
    case Difference::Kind::kIdentical:
      return "identical";
    case Difference::Kind::kSameRecords:
      return "same_records";
    case Difference::Kind::kPrefix:
      return "prefix";
    case Difference::Kind::kDiverged:
      return "diverged";
    case Difference::Kind::kText:
      return "text";
    case Difference::Kind::kUnknown:
      return "unknown";
  }
  return "";
}

}  // namespace pgwalship
