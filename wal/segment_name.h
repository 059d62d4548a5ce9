// The names PostgreSQL archives, and nothing else:
//     [0-9A-F]{24}                     a segment        000000010000000A000000FF
//     the same + .partial              the last, unfinished segment of a timeline that ended
//     the same + .[0-9A-F]{8}.backup   a backup label file
//     [0-9A-F]{8}.history              a timeline's history
// Source: PostgreSQL src/include/access/xlog_internal.h (IsXLogFileName and its neighbours).
// A WalName is always valid: it is made by parse(), segment_at() and history_of() alone.
// That makes it safe to build a path from it.
#pragma once

#include "base/result.h"

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace pgwalship {

enum class WalKind { kSegment, kPartial, kBackup, kHistory };

// Segment sizes that initdb --wal-segsize accepts, in bytes: powers of two from 1 MiB to 1 GiB.
inline constexpr std::uint32_t kSegmentBytesMin = 1U << 20;
inline constexpr std::uint32_t kSegmentBytesMax = 1U << 30;
bool is_segment_size(std::uint64_t bytes);

// A place in the WAL, whatever the timeline: log << 32 | seg, as in a segment's name. An archive's
// *floor* is the position of the oldest segment that it keeps; 0: it keeps everything.
using SegmentPosition = std::uint64_t;
// The last sixteen digits of that segment's name: "0000000A00000001".
std::string position_text(SegmentPosition position);

class WalName {
 public:
  // kInvalid with the reason and a hint for anything that is not one of the four forms.
  static Result<WalName> parse(std::string_view text);
  // The segment of `timeline` that holds byte `lsn`. REQUIRES: is_segment_size(segment_bytes).
  static WalName segment_at(std::uint32_t timeline, std::uint64_t lsn, std::uint32_t segment_bytes);

  // "0000001F.history".
  static WalName history_of(std::uint32_t timeline);

  const std::string& text() const { return text_; }
  WalKind kind() const { return kind_; }
  std::uint32_t timeline() const { return timeline_; }
  // kSegment, kPartial, kBackup: the middle and the last eight digits of the segment's name.
  std::uint32_t log() const { return log_; }
  std::uint32_t seg() const { return seg_; }
  SegmentPosition position() const { return SegmentPosition{log_} << 32U | seg_; }
  // Whether an archive with that floor has expired it. History files are always kept.
  bool is_below(SegmentPosition floor) const {
    return kind_ != WalKind::kHistory && position() < floor;
  }
  bool is_wal() const { return kind_ == WalKind::kSegment || kind_ == WalKind::kPartial; }
  // The LSN of the segment's first byte. REQUIRES: kind is not kHistory.
  std::uint64_t start_lsn(std::uint32_t segment_bytes) const;
  // The segment after this one on the same timeline. REQUIRES: kind is kSegment.
  WalName next(std::uint32_t segment_bytes) const;

  // Order of archiving: history files first, then by timeline and position (H20).
  friend std::strong_ordering operator<=>(const WalName& a, const WalName& b);
  friend bool operator==(const WalName& a, const WalName& b) { return a.text_ == b.text_; }

 private:
  WalName() = default;

  std::string text_;
  WalKind kind_ = WalKind::kSegment;
  std::uint32_t timeline_ = 0;
  std::uint32_t log_ = 0;
  std::uint32_t seg_ = 0;
};

// "A/FF000000", as PostgreSQL writes an LSN.
std::string lsn_text(std::uint64_t lsn);

}  // namespace pgwalship
