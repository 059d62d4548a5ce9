// What of an archive may go, and why the rest stays. Pure: what is known goes in, a plan comes out;
// ExpireRun asks the peers about it and carries it out.
//
// Everything is decided by position in the WAL, whatever the timeline: the plan has one floor, and
// what is below it goes. That is safe because positions only grow along a line of timelines: the
// WAL that a backup needs is never below its start, on whichever timeline it lies.
//
// The rules ([retention]); what goes must be let go by every one of them that is configured:
//   backups  keeps the newest N base backups of each line and all WAL from the oldest of them on. A
//            *line* is a timeline with its ancestors, each up to its fork; the lines that count are
//            the highest timeline's and that of this node's server. A backup counts when all its
//            segments are here. With fewer than N everything stays.
//   days     keeps what it takes to recover to any moment of the last D days: all WAL from the
//            newest backup on that was finished before that; without one, the files of that time,
//            and every backup.
//   size     is a limit on top: above it the oldest goes although `days` would keep it, but never
//            what a backup that `backups` keeps needs (without that rule: the newest backup of each
//            line), nor what a server needs. When it cannot be met the plan says so.
// Whatever the rules: history files stay, and so does all WAL from where a known server needs it.
//
// Time (H22): order comes from positions alone. A file counts as no older than any file before it
// in WAL order, and ages are counted back from the newest file, or from now when that is earlier.
// So a time that jumped back, one in the future and a clock that runs ahead can only keep more.
#pragma once

#include "wal/archive_store.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace pgwalship {

struct RetentionRules {
  std::optional<std::uint32_t> backups;
  std::optional<std::chrono::milliseconds> days;
  std::optional<std::uint64_t> size_bytes;

  bool any() const { return backups || days || size_bytes; }
};

// A backup label file: the name says where the backup starts.
struct KnownBackup {
  WalName name;
  SegmentPosition stop = 0;  // of the last segment it needs to be consistent; 0: not known
  std::string label;
};

// From one history file: the ancestors of a timeline, each with the position of the segment in
// which it was left.
struct KnownHistory {
  struct Ancestor {
    std::uint32_t timeline = 0;
    SegmentPosition left_at = 0;
  };
  std::uint32_t timeline = 0;
  std::vector<Ancestor> ancestors;
};

// A server that may still ask an archive for everything from there on.
struct ServerNeed {
  std::string who;
  SegmentPosition position = 0;
};

struct RetentionInputs {
  RetentionRules rules;
  std::vector<StoredFile> files;
  std::vector<KnownBackup> backups;
  std::vector<KnownHistory> histories;
  std::uint32_t segment_bytes = 0;               // 0: not known
  std::optional<std::uint32_t> server_timeline;  // of this node's server
  std::vector<ServerNeed> needs;
  std::vector<std::string> holds;  // why nothing at all may go, if anything
  std::optional<WallTime> now;     // nothing: the clock is not to be trusted
  SegmentPosition recorded_floor = 0;
};

struct RetentionPlan {
  SegmentPosition floor = 0;         // 0: nothing goes
  std::uint32_t segment_bytes = 0;   // 0: not known
  std::vector<StoredFile> expired;   // by position: what is below the floor
  std::vector<std::string> reasons;  // lines for a person: which rule keeps what
  bool size_unmet = false;           // the archive stays larger than `size`
};

RetentionPlan plan_retention(const RetentionInputs& inputs);

// Where the segments of that position start, for a person: an LSN; where the size of a segment is
// not known (0) the digits of their names.
std::string start_text(SegmentPosition position, std::uint32_t segment_bytes);

// "1.6 GB", powers of 1024.
std::string bytes_text(std::uint64_t bytes);

}  // namespace pgwalship
