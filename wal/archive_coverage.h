// What an archive is good for: its gaps, and for each base backup how far it can be recovered on
// which timeline. Pure.
#pragma once

#include "wal/backup_label.h"
#include "wal/timeline_graph.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace pgwalship {

// Segments that are missing between others of one line of recovery. What is missing before the
// oldest segment of a line was expired, and is no gap.
struct ArchiveGap {
  SegmentRun run;
  enum class Branch {
    kNeeded,     // every recovery past it stops there
    kAbandoned,  // it lies beyond the last fork of its timeline: only a recovery that stays on it
  };
  Branch branch = Branch::kNeeded;
};

// What the archive holds under one .backup name.
struct BackupFile {
  WalName name;
  std::optional<BackupLabel> label;
  std::string unreadable = {};  // why there is no label
};

// From the backup's stop LSN, where it is consistent, to `to`, the first byte that cannot be had.
struct RecoverySpan {
  std::uint32_t timeline = 0;  // recovery_target_timeline
  std::uint64_t to = 0;
  std::uint32_t reached = 0;  // the timeline of the last byte: an ancestor when a gap comes first
  // What stops it: segments that are missing though later ones are there. Without it, the WAL ends.
  std::optional<SegmentRun> gap = {};
  bool only_partial = false;  // the next segment is there as .partial, which recovery does not read
};

struct BackupCoverage {
  enum class State {
    kRecoverable,  // along at least one timeline
    kExpired,      // it is older than everything that its line still has
    kBroken,       // segments that it needs to be consistent are missing
    kUnreadable,   // its .backup file is
  };
  BackupFile backup;
  State state = State::kUnreadable;
  // Where the line of each span ends, or where it is abandoned later than it was left; rising.
  std::vector<RecoverySpan> spans = {};
  std::vector<SegmentRun> missing = {};  // kExpired, kBroken: of what it needs to be consistent
  // Where recovery_target_timeline = 'latest' leads, and whether it descends from this backup: when
  // not, PostgreSQL refuses to start.
  std::uint32_t latest = 0;
  bool latest_descends = false;
};
// "recoverable", ...: for JSON.
std::string_view to_word(BackupCoverage::State state);

struct ArchiveCoverage {
  std::vector<ArchiveGap> gaps;         // by timeline and position
  std::vector<BackupCoverage> backups;  // as given
  std::vector<WalName> partials;        // as given
};

ArchiveCoverage cover_archive(const TimelineGraph& graph, const std::vector<WalName>& partials,
                              const std::vector<BackupFile>& backups);

}  // namespace pgwalship
