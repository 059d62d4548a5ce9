#include "wal/archive_survey.h"

#include "wal/segment_header.h"

#include <utility>

namespace pgwalship {
namespace {

// A segment that does not say how large it is is damaged: a few of those do not follow each other.
constexpr int kSegmentsAskedMax = 8;

// From its description, or of a legacy file from its first page; 0 when it does not say.
std::uint32_t segment_bytes_of(const ArchiveStore& store, const WalName& name) {
  const Result<ArchiveFile> file = store.open(name);
  if (!file.ok()) {
    return 0;
  }
  if (file.value().facts) {
    return file.value().facts->segment_bytes;
  }
  Bytes start;
  const Result<FileFacts> facts = store.read_raw(name, [&start](ByteView raw) -> Result<void> {
    start.insert(start.end(), raw.begin(), raw.end());
    return start.size() < kLongPageHeaderBytes
               ? Result<void>()
               : Error{Errc::kAlreadyExists, "the first page has been read", ""};
  });
  static_cast<void>(facts);  // it ends in an error either way
  const Result<SegmentHeader> header = parse_segment_header(start);
  return header.ok() && is_segment_size(header.value().segment_bytes) ? header.value().segment_bytes
                                                                      : 0;
}

std::uint32_t find_segment_bytes(const ArchiveStore& store, const std::vector<WalName>& sorted) {
  int asked = 0;
  for (auto name = sorted.rbegin(); name != sorted.rend() && asked < kSegmentsAskedMax; ++name) {
    if (name->kind() != WalKind::kSegment) {
      continue;
    }
    ++asked;
    if (const std::uint32_t bytes = segment_bytes_of(store, *name); bytes != 0) {
      return bytes;
    }
  }
  return kSegmentBytesDefault;
}

HistoryFile read_history(const ArchiveStore& store, const WalName& name) {
  Result<std::string> text = read_small_file(store, name, kTimelineHistoryBytesMax);
  return text.ok() ? HistoryFile{name.timeline(), std::move(text).value()}
                   : HistoryFile{name.timeline(), "", text.error().message};
}

BackupFile read_backup(const ArchiveStore& store, const WalName& name) {
  const Result<std::string> text = read_small_file(store, name, kBackupLabelBytesMax);
  if (!text.ok()) {
    return BackupFile{name, std::nullopt, text.error().message};
  }
  Result<BackupLabel> label = parse_backup_label(name, text.value());
  return label.ok() ? BackupFile{name, std::move(label).value()}
                    : BackupFile{name, std::nullopt, label.error().message};
}

}  // namespace

Result<std::string> read_small_file(const ArchiveStore& store, const WalName& name,
                                    std::size_t bytes_max) {
  std::string text;
  TRY_ASSIGN(const FileFacts facts, store.read_raw(name, [&](ByteView raw) -> Result<void> {
    if (text.size() + raw.size() > bytes_max) {
      return Error{Errc::kCorrupt,
                   "'" + name.text() + "' has more than " + std::to_string(bytes_max) + " bytes",
                   ""};
    }
    text += as_text(raw);
    return {};
  }));
  static_cast<void>(facts);
  return text;
}

ArchiveSurvey survey_archive(const ArchiveStore& store, const std::vector<WalName>& sorted) {
  ArchiveSurvey survey;
  survey.segment_bytes = find_segment_bytes(store, sorted);
  survey.runs = segment_runs(sorted, survey.segment_bytes);
  for (const WalName& name : sorted) {
    switch (name.kind()) {
      case WalKind::kSegment:
        break;
      case WalKind::kPartial:
        survey.partials.push_back(name);
        break;
      case WalKind::kHistory:
        survey.histories.push_back(read_history(store, name));
        break;
      case WalKind::kBackup:
        survey.backups.push_back(read_backup(store, name));
        break;
    }
  }
  return survey;
}

ArchiveOutline outline_of(const ArchiveIndex& index) {
  ArchiveOutline outline;
  if (is_segment_size(index.segment_bytes())) {
    outline.segment_bytes = index.segment_bytes();
  }
  const auto number = [&](const std::string& name) {
    return segment_number(WalName::parse(name).value(), outline.segment_bytes);
  };
  for (const ArchiveIndex::Run& run : index.runs()) {
    outline.runs.push_back({run.timeline, number(run.first), number(run.last)});
  }
  index.visit({.first = {}, .last = {.lane = 1}}, 0,
              [&](const ArchivePlace& place, const ArchiveIndex::Entry&) {
                if (std::optional<WalName> name = place.name()) {
                  outline.histories.push_back(std::move(*name));
                }
                return ArchiveIndex::Visit::kGoOn;
              });
  return outline;
}

ArchiveSurvey survey_timelines(const ArchiveStore& store, ArchiveOutline outline) {
  ArchiveSurvey survey;
  survey.segment_bytes = outline.segment_bytes;
  survey.runs = std::move(outline.runs);
  for (const WalName& name : outline.histories) {
    survey.histories.push_back(read_history(store, name));
  }
  return survey;
}

}  // namespace pgwalship
