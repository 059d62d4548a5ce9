#include "archiver/disk_facts.h"

#include "wal/data_directory.h"

#include <utility>

namespace pgwalship {

namespace {

std::string role_of(const FileSystem& file_system, const DataDirectory& directory) {
  const auto present = [&](const char* name) {
    return file_system.stat(directory.path() + "/" + name).ok();
  };
  if (!directory.running_server()) {
    return "stopped";
  }
  return present("standby.signal")    ? "standby"
         : present("recovery.signal") ? "recovering"
                                      : "primary";
}

// What a stopped server wanted to archive and the archive lacks is said: the next thing that
// happens to its data directory may be pg_rewind (H40).
void read_data_directory(FileSystem& file_system, const std::string& path,
                         const ArchiveStore& store, DiskFacts& facts) {
  const DataDirectory directory(file_system, path);
  facts.data_directory = path;
  facts.role = role_of(file_system, directory);
  const auto marks = directory.marks();
  if (!marks.ok()) {
    return;
  }
  const bool is_stopped = facts.role == "stopped";
  facts.ready_files = 0;
  std::uint64_t unarchived = 0;
  for (const ArchiveMark& mark : marks.value()) {
    if (mark.kind == ArchiveMark::Kind::kReady) {
      if (++*facts.ready_files == 1) {  // in archiving order, which is that of their marking
        const auto mark_file =
            file_system.stat(directory.archive_status() + "/" + mark.name.text() + ".ready");
        facts.oldest_ready =
            mark_file.ok() ? std::optional(mark_file.value().modified) : std::nullopt;
      }
      if (mark.name.kind() == WalKind::kSegment &&
          (!facts.first_ready || mark.name.timeline() > facts.first_ready->timeline())) {
        facts.first_ready = mark.name;
      }
      unarchived += is_stopped && !store.open(mark.name).ok() ? 1 : 0;
    }
  }
  if (is_stopped) {
    facts.unarchived_files = unarchived;
  }
}

}  // namespace

DiskFacts read_disk_facts(FileSystem& file_system, const ArchiveStore& store,
                          ArchiveOutline outline, const std::string& data_directory) {
  DiskFacts facts;
  facts.timelines = find_timeline_troubles(survey_timelines(store, std::move(outline)));
  if (const auto id = store.system_id(); id.ok()) {
    facts.system_id = id.value();
  }
  if (const auto same = store.check_directory(); !same.ok()) {
    facts.error = same.error().message;
  }
  facts.reconciled = store.reconciled();
  if (const auto vanished = store.vanished(); vanished.ok()) {
    facts.vanished = vanished.value().mark != 0;
  } else {
    facts.error = vanished.error().message;
  }
  if (const auto floor = store.floor(); floor.ok()) {
    facts.floor = floor.value();
  } else if (facts.error.empty()) {
    facts.error = floor.error().message;
  }
  if (auto quarantined = store.quarantined(); quarantined.ok()) {
    facts.quarantined = std::move(quarantined).value();
  }
  if (const auto free = store.free_bytes(); free.ok()) {
    facts.free_bytes = free.value();
  }
  if (!data_directory.empty()) {
    read_data_directory(file_system, data_directory, store, facts);
  }
  return facts;
}

}  // namespace pgwalship
