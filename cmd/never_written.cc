#include "cmd/never_written.h"

#include "wal/archive_survey.h"
#include "wal/segment_header.h"
#include "wal/timeline_history.h"

#include <array>
#include <memory>

namespace pgwalship {
namespace {

// Timelines are numbered in a row; their histories are in the archive before their segments.
constexpr std::uint32_t kTimelinesMax = 1000;

// Where some later timeline left this one, at the latest.
std::optional<TimelineFork> last_fork(const ArchiveStore& store, std::uint32_t timeline) {
  std::optional<TimelineFork> last;
  for (std::uint32_t later = timeline + 1; later <= timeline + kTimelinesMax; ++later) {
    const auto text = read_small_file(store, WalName::history_of(later), kTimelineHistoryBytesMax);
    if (!text.ok()) {
      break;
    }
    const auto history = parse_timeline_history(later, text.value());
    if (!history.ok()) {
      continue;
    }
    for (const TimelineFork& fork : history.value().forks) {
      if (fork.parent == timeline && (!last || fork.lsn > last->lsn)) {
        last = fork;
      }
    }
  }
  return last;
}

Result<SegmentHeader> first_page(FileSystem& files, const std::string& path) {
  TRY_ASSIGN(const std::unique_ptr<File> file, files.open(path));
  std::array<std::byte, kLongPageHeaderBytes> start{};
  TRY_ASSIGN(const std::size_t got, file->read_at(0, start));
  return parse_segment_header(ByteView(start).first(got));
}

}  // namespace

std::optional<std::string> never_written(FileSystem& files, const ArchiveStore& store,
                                         const std::string& path, const WalName& name,
                                         std::uint64_t system_id) {
  if (name.kind() != WalKind::kSegment) {
    return std::nullopt;
  }
  const auto read = first_page(files, path);
  if (!read.ok() || read.value().system_id != system_id) {
    return std::nullopt;
  }
  const SegmentHeader& header = read.value();
  const std::uint64_t start = name.start_lsn(header.segment_bytes);
  if (header.page_lsn >= start || header.page_lsn % header.segment_bytes != 0) {
    return std::nullopt;
  }
  const auto fork = last_fork(store, name.timeline());
  if (!fork || fork->lsn > start) {
    return std::nullopt;
  }
  return "nothing to archive: the file was never written, it still holds the segment at " +
         lsn_text(header.page_lsn) + ", and timeline " + std::to_string(name.timeline()) +
         " was left at " + lsn_text(fork->lsn) + ", before it";
}

}  // namespace pgwalship
