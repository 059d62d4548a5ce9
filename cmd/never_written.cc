#include "cmd/never_written.h"

#include "wal/archive_survey.h"
#include "wal/segment_header.h"
#include "wal/timeline_history.h"

#include <array>
#include <memory>

namespace pgwalship {
namespace {

// Where a page's header has its address (XLogPageHeaderData, access/xlog_internal.h).
constexpr std::size_t kPageAddress = 8;
constexpr std::size_t kPageAddressEnd = 16;
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

Result<SegmentHeader> first_page(const File& file) {
  std::array<std::byte, kLongPageHeaderBytes> start{};
  TRY_ASSIGN(const std::size_t got, file.read_at(0, start));
  return parse_segment_header(ByteView(start).first(got));
}

// Does any page have an address in the segment that begins at `start`? A file that was written and
// whose disk lost its first page has others.
Result<bool> has_own_page(const File& file, const SegmentHeader& header, std::uint64_t start) {
  for (std::uint64_t at = 0; at < header.segment_bytes; at += header.block_bytes) {
    std::array<std::byte, kPageAddressEnd> page{};
    TRY_ASSIGN(const std::size_t got, file.read_at(at, page));
    if (got != page.size()) {
      return Error{Errc::kInvalid, "the file is shorter than a segment", ""};
    }
    ByteReader reader(page);
    reader.raw(kPageAddress);
    const std::uint64_t address = reader.u64();
    if (address >= start && address - start < header.segment_bytes) {
      return true;
    }
  }
  return false;
}

}  // namespace

std::optional<std::string> never_written(FileSystem& files, const ArchiveStore& store,
                                         const std::string& path, const WalName& name,
                                         std::uint64_t system_id) {
  if (name.kind() != WalKind::kSegment) {
    return std::nullopt;
  }
  const auto file = files.open(path);
  if (!file.ok()) {
    return std::nullopt;
  }
  const auto read = first_page(*file.value());
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
  const auto own = has_own_page(*file.value(), header, start);
  if (!own.ok() || own.value()) {
    return std::nullopt;
  }
  return "nothing to archive: the file was never written, it still holds the segment at " +
         lsn_text(header.page_lsn) + ", and timeline " + std::to_string(name.timeline()) +
         " was left at " + lsn_text(fork->lsn) + ", before it";
}

}  // namespace pgwalship
