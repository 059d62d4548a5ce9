#include "archiver/retention_facts.h"

#include "wal/backup_label.h"
#include "wal/timeline_history.h"

namespace pgwalship {
namespace {

SegmentPosition position_at(std::uint64_t lsn, std::uint32_t segment_bytes) {
  return WalName::segment_at(1, lsn, segment_bytes).position();
}

Result<std::string> read_text(const ArchiveStore& store, const WalName& name, std::size_t limit) {
  std::string text;
  TRY(store.read_raw(name, [&](ByteView piece) -> Result<void> {
    if (text.size() + piece.size() > limit) {
      return Error{Errc::kCorrupt, "it is too long", ""};
    }
    text += as_text(piece);
    return {};
  }));
  return text;
}

// Of the newest segment: an older one may be of the time before an initdb with another size.
std::uint32_t segment_bytes_of(const ArchiveStore& store, const std::vector<StoredFile>& files) {
  for (std::size_t left = files.size(); left > 0; --left) {
    const StoredFile& file = files[left - 1];
    if (file.name.kind() != WalKind::kSegment) {
      continue;
    }
    const Result<ArchiveFile> opened = store.open(file.name);
    if (opened.ok() && opened.value().facts) {
      return opened.value().facts->segment_bytes;
    }
    const Result<FileFacts> legacy = store.verify(file.name);
    if (legacy.ok() && is_segment_size(legacy.value().raw_bytes)) {
      return static_cast<std::uint32_t>(legacy.value().raw_bytes);
    }
  }
  return 0;
}

KnownBackup read_backup(const ArchiveStore& store, const WalName& name,
                        std::uint32_t segment_bytes) {
  KnownBackup backup{name, 0, ""};
  const Result<std::string> text = read_text(store, name, kBackupLabelBytesMax);
  if (!text.ok()) {
    return backup;
  }
  const Result<BackupLabel> label = parse_backup_label(name, text.value());
  if (label.ok()) {
    backup.label = label.value().label;
    // One that ends on another timeline than it began on cannot be followed here.
    if (segment_bytes != 0 && label.value().stop_timeline == name.timeline()) {
      // A stop at the first byte of a segment needs nothing of it.
      backup.stop = position_at(label.value().stop_lsn - 1, segment_bytes);
    }
  }
  return backup;
}

}  // namespace

Result<RetentionInputs> read_retention_facts(const ArchiveStore& store) {
  RetentionInputs inputs;
  TRY_ASSIGN(inputs.files, store.inventory());
  TRY_ASSIGN(inputs.recorded_floor, store.floor());
  TRY_ASSIGN(const SegmentPosition needs, store.needs());
  if (needs != 0) {
    inputs.needs.push_back({"this node's server", needs});
  }
  inputs.segment_bytes = segment_bytes_of(store, inputs.files);
  for (const StoredFile& file : inputs.files) {
    if (file.name.kind() == WalKind::kBackup) {
      inputs.backups.push_back(read_backup(store, file.name, inputs.segment_bytes));
    } else if (file.name.kind() == WalKind::kHistory && inputs.segment_bytes != 0) {
      const Result<std::string> text = read_text(store, file.name, kTimelineHistoryBytesMax);
      if (!text.ok()) {
        continue;
      }
      const auto parsed = parse_timeline_history(file.name.timeline(), text.value());
      if (!parsed.ok()) {
        continue;
      }
      KnownHistory history{file.name.timeline(), {}};
      for (const TimelineFork& fork : parsed.value().forks) {
        history.ancestors.push_back({fork.parent, position_at(fork.lsn, inputs.segment_bytes)});
      }
      inputs.histories.push_back(std::move(history));
    }
  }
  return inputs;
}

}  // namespace pgwalship
