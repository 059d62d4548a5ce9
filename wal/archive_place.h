// A WalName as numbers: where it stands in archiving order. The same order as WalName's, without
// the text, for what keeps or sends many of them (wal/archive_index.h, docs/protocol.md).
#pragma once

#include "wal/segment_name.h"

#include <compare>
#include <cstdint>
#include <optional>

namespace pgwalship {

struct ArchivePlace {
  // 0: history files, which come first; else the timeline + 1.
  std::uint64_t lane = 0;
  // Of a history file its timeline; else the position of the segment.
  SegmentPosition position = 0;
  // 0 a segment or history file, 1 a backup label file, 2 a partial segment.
  std::uint8_t kind = 0;
  // The eight digits in the name of a backup label file; else 0.
  std::uint32_t offset = 0;

  static ArchivePlace of(const WalName& name);
  // Nothing when no name stands there (a cut between places, or nonsense that a peer sent).
  std::optional<WalName> name() const;
  bool is_below(SegmentPosition floor) const { return lane != 0 && position < floor; }

  friend auto operator<=>(const ArchivePlace&, const ArchivePlace&) = default;
};

// After the last place of any name.
inline constexpr ArchivePlace kPlacesEnd{.lane = (std::uint64_t{1} << 32U) + 1};

}  // namespace pgwalship
