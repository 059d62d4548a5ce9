// Reads from an archive what the pictures of it are made of: its names, and the small files that
// say how timelines and base backups hang together. Reading only; blocks.
#pragma once

#include "wal/archive_coverage.h"
#include "wal/archive_index.h"
#include "wal/archive_store.h"
#include "wal/timeline_graph.h"

#include <cstdint>
#include <string>
#include <vector>

namespace pgwalship {

// What a server uses that was set up without --wal-segsize: for archives that do not say.
inline constexpr std::uint32_t kSegmentBytesDefault = 16U << 20;

struct ArchiveSurvey {
  std::uint32_t segment_bytes = kSegmentBytesDefault;
  std::vector<SegmentRun> runs;
  std::vector<HistoryFile> histories;
  std::vector<BackupFile> backups;
  std::vector<WalName> partials;

  TimelineGraph graph() const { return TimelineGraph(histories, runs, segment_bytes); }
};

// `sorted`: what store.list() gave. Costs the reading of each .history and .backup file; of the
// segments it opens one, or a few while these do not tell their size. What cannot be read is part
// of the answer.
ArchiveSurvey survey_archive(const ArchiveStore& store, const std::vector<WalName>& sorted);

// What an index tells of it, and which files say the rest.
struct ArchiveOutline {
  std::uint32_t segment_bytes = kSegmentBytesDefault;
  std::vector<SegmentRun> runs;
  std::vector<WalName> histories;
};
// Costs one step for each 256 segments.
ArchiveOutline outline_of(const ArchiveIndex& index);
// Reads the history files alone: without base backups and partial segments, and without looking at
// a name of a segment.
ArchiveSurvey survey_timelines(const ArchiveStore& store, ArchiveOutline outline);

// The whole content of a small archive file; kCorrupt when it has more than `bytes_max`.
Result<std::string> read_small_file(const ArchiveStore& store, const WalName& name,
                                    std::size_t bytes_max);

}  // namespace pgwalship
