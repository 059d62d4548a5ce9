// The page headers of one segment: is every page this segment's? A recycled file holds pages of an
// older one, until the server has written over them. Pure; bytes come in pieces of any size.
// Source: XLogPageHeaderData in PostgreSQL src/include/access/xlog_internal.h.
#pragma once

#include "base/bytes.h"
#include "wal/segment_header.h"

#include <array>
#include <cstdint>

namespace pgwalship {

class SegmentPages {
 public:
  explicit SegmentPages(const SegmentHeader& header)
      : start_lsn_(header.page_lsn), block_bytes_(header.block_bytes) {}

  void write(ByteView bytes);

  // Pages from the first one on that have their own address.
  std::uint64_t good() const { return good_; }
  // Pages that are neither good nor, behind the last good one, all zeros.
  std::uint64_t foreign() const { return foreign_; }
  std::uint64_t pages() const { return offset_ / block_bytes_; }

 private:
  bool is_own() const;  // the page at offset_, by its header
  void end_page();

  std::uint64_t start_lsn_;
  std::uint32_t block_bytes_;
  std::uint64_t offset_ = 0;
  std::uint64_t good_ = 0;
  std::uint64_t foreign_ = 0;
  bool is_zero_ = true;
  std::array<std::byte, 16> header_{};  // up to and including the address
};

}  // namespace pgwalship
