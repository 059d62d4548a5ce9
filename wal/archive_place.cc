#include "wal/archive_place.h"

#include <charconv>
#include <cstdio>
#include <limits>
#include <string>

namespace pgwalship {
namespace {

constexpr std::uint8_t kPlain = 0;
constexpr std::uint8_t kBackupLabel = 1;
constexpr std::uint8_t kPartialSegment = 2;
constexpr std::size_t kBackupOffsetAt = 25;  // behind the segment's name and a dot
constexpr std::size_t kNameCharactersMax = 48;

std::uint32_t backup_offset(const std::string& text) {
  std::uint32_t value = 0;
  std::from_chars(text.data() + kBackupOffsetAt, text.data() + kBackupOffsetAt + 8, value, 16);
  return value;
}

}  // namespace

ArchivePlace ArchivePlace::of(const WalName& name) {
  switch (name.kind()) {
    case WalKind::kHistory:
      return {0, name.timeline(), kPlain, 0};
    case WalKind::kSegment:
      return {std::uint64_t{name.timeline()} + 1, name.position(), kPlain, 0};
    case WalKind::kBackup:
      return {std::uint64_t{name.timeline()} + 1, name.position(), kBackupLabel,
              backup_offset(name.text())};
    case WalKind::kPartial:
      return {std::uint64_t{name.timeline()} + 1, name.position(), kPartialSegment, 0};
  }
  CHECK(false);
}

std::optional<WalName> ArchivePlace::name() const {
  constexpr std::uint64_t kTimelineMax = std::numeric_limits<std::uint32_t>::max();
  const bool valid = lane == 0 ? position <= kTimelineMax && kind == kPlain
                               : lane - 1 <= kTimelineMax && kind <= kPartialSegment;
  if (!valid || (offset != 0 && kind != kBackupLabel)) {
    return std::nullopt;
  }
  char text[kNameCharactersMax];
  const auto low = static_cast<unsigned>(position & kTimelineMax);
  if (lane == 0) {
    std::snprintf(text, sizeof text, "%08X.history", low);
  } else {
    const int digits =
        std::snprintf(text, sizeof text, "%08X%08X%08X", static_cast<unsigned>(lane - 1),
                      static_cast<unsigned>(position >> 32U), low);
    char* const suffix = text + digits;
    const std::size_t room = sizeof text - static_cast<std::size_t>(digits);
    if (kind == kBackupLabel) {
      std::snprintf(suffix, room, ".%08X.backup", offset);
    } else if (kind == kPartialSegment) {
      std::snprintf(suffix, room, ".partial");
    }
  }
  return WalName::parse(text).value();
}

}  // namespace pgwalship
