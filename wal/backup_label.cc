#include "wal/backup_label.h"

#include "wal/lsn.h"

#include <algorithm>
#include <map>
#include <optional>

namespace pgwalship {
namespace {

constexpr std::size_t kShownCharactersMax = 128;
constexpr std::string_view kLabel = "LABEL";

using Lines = std::map<std::string_view, std::string_view, std::less<>>;

// A label may hold line breaks and so forge lines. All it forges comes after "LABEL:", so for keys
// that PostgreSQL writes before it the first line counts, and for those that it writes behind it
// the last.
Lines read_lines(std::string_view text) {
  Lines lines;
  bool behind_label = false;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::size_t colon = line.find(": ");
    if (colon == std::string_view::npos) {
      continue;
    }
    const std::string_view key = line.substr(0, colon);
    const std::string_view value = line.substr(colon + 2);
    const bool written_behind = key == "START TIMELINE" || key.starts_with("STOP TIME");
    if (written_behind && behind_label) {
      lines[key] = value;
    } else if (!written_behind) {
      lines.emplace(key, value);
    }
    behind_label = behind_label || key == kLabel;
  }
  return lines;
}

std::string_view value_of(const Lines& lines, std::string_view key) {
  const auto found = lines.find(key);
  return found == lines.end() ? std::string_view() : found->second;
}

Error corrupt(const WalName& name, const std::string& what) {
  return Error{Errc::kCorrupt, "backup file '" + name.text() + "': " + what, ""};
}

struct Location {
  std::uint64_t lsn = 0;
  std::string_view file;  // the segment's name
};

// "0/2000028 (file 000000010000000000000002)"
Result<Location> read_location(const WalName& name, const Lines& lines, std::string_view key) {
  constexpr std::string_view kFile = " (file ";
  const std::string_view value = value_of(lines, key);
  const std::size_t file = value.find(kFile);
  if (value.empty()) {
    return corrupt(name, "it has no line '" + std::string(key) + "'");
  }
  const auto lsn = parse_lsn(value.substr(0, std::min(file, value.size())));
  if (!lsn || file == std::string_view::npos || !value.ends_with(')')) {
    return corrupt(name, "'" + std::string(key) + ": " + one_line(value, kShownCharactersMax) +
                             "' is no location");
  }
  std::string_view segment = value.substr(file + kFile.size());
  segment.remove_suffix(1);
  return Location{*lsn, segment};
}

// The name is <segment>.<offset in the segment>.backup; the segment size is not known here.
bool fits_name(const WalName& name, const Location& start) {
  const std::string_view text = name.text();
  if (start.file != text.substr(0, 24) || start.lsn >> 32 != name.log()) {
    return false;
  }
  const auto offset = parse_lsn("0/" + std::string(text.substr(25, 8))).value_or(0);
  const std::uint64_t low = start.lsn & 0xFFFFFFFFU;
  if (offset > low) {
    return false;
  }
  const std::uint64_t segment_start = low - offset;
  return name.seg() == 0
             ? segment_start == 0
             : segment_start % name.seg() == 0 && is_segment_size(segment_start / name.seg());
}

Result<std::uint32_t> read_timeline(const WalName& name, const Lines& lines, std::string_view key) {
  const std::string_view value = value_of(lines, key);
  if (value.empty()) {
    return name.timeline();
  }
  const auto timeline = parse_timeline(value);
  if (!timeline) {
    return corrupt(name, "'" + std::string(key) + ": " + one_line(value, kShownCharactersMax) +
                             "' is no timeline");
  }
  return *timeline;
}

}  // namespace

Result<BackupLabel> parse_backup_label(const WalName& name, std::string_view text) {
  CHECK(name.kind() == WalKind::kBackup);
  if (text.size() > kBackupLabelBytesMax) {
    return corrupt(name,
                   "it has " + std::to_string(text.size()) + " bytes, which no backup writes");
  }
  const Lines lines = read_lines(text);
  TRY_ASSIGN(const Location start, read_location(name, lines, "START WAL LOCATION"));
  TRY_ASSIGN(const Location stop, read_location(name, lines, "STOP WAL LOCATION"));
  if (!fits_name(name, start)) {
    return corrupt(name, "its start " + lsn_text(start.lsn) + " is not where its name says");
  }
  if (stop.lsn < start.lsn) {
    return corrupt(
        name, "it stops at " + lsn_text(stop.lsn) + ", before its start " + lsn_text(start.lsn));
  }
  BackupLabel label;
  label.start_lsn = start.lsn;
  label.stop_lsn = stop.lsn;
  TRY_ASSIGN(label.start_timeline, read_timeline(name, lines, "START TIMELINE"));
  TRY_ASSIGN(label.stop_timeline, read_timeline(name, lines, "STOP TIMELINE"));
  if (label.start_timeline != name.timeline()) {
    return corrupt(name, "it starts on timeline " + std::to_string(label.start_timeline) +
                             ", which is not its name's");
  }
  label.checkpoint_lsn = parse_lsn(value_of(lines, "CHECKPOINT LOCATION")).value_or(0);
  label.start_time = one_line(value_of(lines, "START TIME"), kShownCharactersMax);
  label.stop_time = one_line(value_of(lines, "STOP TIME"), kShownCharactersMax);
  label.label = one_line(value_of(lines, kLabel), kShownCharactersMax);
  label.method = one_line(value_of(lines, "BACKUP METHOD"), kShownCharactersMax);
  label.from = one_line(value_of(lines, "BACKUP FROM"), kShownCharactersMax);
  return label;
}

}  // namespace pgwalship
