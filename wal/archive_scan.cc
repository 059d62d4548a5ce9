#include "wal/archive_scan.h"

#include "base/posix_file_system.h"
#include "wal/archive_file.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

namespace pgwalship {
namespace {

// The entry of a file that could not be looked into now: it has this stamp, so that the next scan
// looks again.
constexpr std::uint64_t kNoStamp = 0;

struct Opened {
  ArchiveIndex::Entry entry;
  std::uint32_t segment_bytes = 0;
};

// What the header says. kNotFound when the file has gone; other failures give an unknown content.
Result<Opened> open_file(FileSystem& file_system, const ArchiveLayout& layout,
                         const WalName& name) {
  Opened opened;
  const Result<std::unique_ptr<File>> file = file_system.open(layout.file(name));
  if (!file.ok()) {
    return file.error().code == Errc::kNotFound ? Result<Opened>(file.error())
                                                : Result<Opened>(opened);
  }
  const Result<FileStat> stat = file.value()->stat();
  const auto facts = read_facts(*file.value(), name);
  if (!stat.ok() || (!facts.ok() && facts.error().code != Errc::kCorrupt)) {
    return opened;
  }
  opened.entry.stamp = file_stamp(stat.value());
  opened.entry.file_bytes = static_cast<std::uint32_t>(
      std::min<std::uint64_t>(stat.value().size, std::numeric_limits<std::uint32_t>::max()));
  if (facts.ok() && facts.value()) {
    opened.entry.key = ContentKey::of(facts.value()->sha256);
    opened.segment_bytes = facts.value()->segment_bytes;
  }
  return opened;
}

}  // namespace

std::uint64_t file_stamp(const FileStat& stat) {
  std::uint64_t stamp = 0;
  for (const std::uint64_t word :
       {stat.inode, stat.size,
        static_cast<std::uint64_t>(stat.modified.time_since_epoch().count())}) {
    stamp = (stamp ^ word) * 0x9FB21C651E98DF25U;
    stamp ^= stamp >> 28U;
  }
  return stamp == kNoStamp ? 1 : stamp;
}

Result<ArchiveScan> scan_archive(FileSystem& file_system, const ArchiveLayout& layout,
                                 const ArchiveIndex& known) {
  ArchiveScan scan;
  scan.index.set_segment_bytes(known.segment_bytes());
  std::vector<ArchivePlace> changed;
  TRY(file_system.visit_files(
      layout.directory(), [&](std::string_view file_name, const FileStat& stat) {
        const std::optional<WalName> name = ArchiveLayout::name_of_file(file_name);
        if (!name) {
          return;
        }
        const ArchivePlace place = ArchivePlace::of(*name);
        const auto entry = known.find(place);
        if (entry && entry->stamp == file_stamp(stat)) {
          scan.index.put(place, *entry);
        } else {
          changed.push_back(place);
        }
      }));
  for (const ArchivePlace& place : changed) {
    const Result<Opened> opened = open_file(file_system, layout, *place.name());
    if (!opened.ok()) {
      continue;  // it has gone meanwhile
    }
    ++scan.headers_read;
    scan.index.put(place, opened.value().entry);
    if (opened.value().segment_bytes != 0) {
      scan.index.set_segment_bytes(opened.value().segment_bytes);
    }
  }
  return scan;
}

Result<std::vector<std::string>> find_obstacles(const std::string& archive) {
  TRY_ASSIGN(std::vector<std::string> names, list_others(archive));
  std::erase_if(names, [](const std::string& name) { return !ArchiveLayout::name_of_file(name); });
  std::sort(names.begin(), names.end());
  return names;
}

Result<FileLook> look_at_file(FileSystem& file_system, const ArchiveLayout& layout,
                              const WalName& name) {
  FileLook look;
  look.place = ArchivePlace::of(name);
  const Result<FileStat> stat = file_system.stat(layout.file(name));
  if (!stat.ok()) {
    return stat.error().code == Errc::kNotFound ? Result<FileLook>(look)
                                                : Result<FileLook>(stat.error());
  }
  if (const Result<Opened> opened = open_file(file_system, layout, name); opened.ok()) {
    look.entry = opened.value().entry;
    look.segment_bytes = opened.value().segment_bytes;
  }
  return look;
}

}  // namespace pgwalship
