#include "wal/segment_pages.h"

#include <algorithm>

namespace pgwalship {

void SegmentPages::write(ByteView bytes) {
  while (!bytes.empty()) {
    const std::size_t at = offset_ % block_bytes_;
    const ByteView piece = bytes.first(std::min<std::size_t>(bytes.size(), block_bytes_ - at));
    if (at < header_.size()) {
      const ByteView start = piece.first(std::min(piece.size(), header_.size() - at));
      std::copy(start.begin(), start.end(), header_.begin() + static_cast<std::ptrdiff_t>(at));
    }
    // Most pages are own, and need no look at each byte.
    if (at + piece.size() < header_.size() || !is_own()) {
      is_zero_ = is_zero_ && std::all_of(piece.begin(), piece.end(),
                                         [](std::byte byte) { return byte == std::byte{0}; });
    }
    bytes = bytes.subspan(piece.size());
    if (at + piece.size() == block_bytes_) {
      end_page();
    }
    offset_ += piece.size();
  }
}

bool SegmentPages::is_own() const {
  ByteReader reader(header_);
  reader.raw(8);  // magic, flags, timeline
  return reader.u64() == start_lsn_ + offset_ / block_bytes_ * block_bytes_;
}

// `offset_` is still within the page.
void SegmentPages::end_page() {
  if (is_own() && good_ == offset_ / block_bytes_) {
    ++good_;
  } else if (is_own() || !is_zero_) {
    ++foreign_;
  }
  is_zero_ = true;
}

}  // namespace pgwalship
