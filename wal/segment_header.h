// What the first page of a WAL segment says about itself, and whether that fits its name (H11).
// Source: XLogLongPageHeaderData in PostgreSQL src/include/access/xlog_internal.h. The magic
// 0xDnnn changes with each major version: 0xD110 is PostgreSQL 15, 0xD075 is 9.3, the oldest that
// is read. Little-endian servers only, which is all that Debian 12 runs pgwalship on; a big-endian
// header is refused.
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "wal/segment_name.h"

#include <cstdint>

namespace pgwalship {

// sizeof(XLogLongPageHeaderData) on 64-bit servers.
inline constexpr std::size_t kLongPageHeaderBytes = 40;

struct SegmentHeader {
  std::uint16_t magic = 0;
  std::uint32_t timeline = 0;
  std::uint64_t page_lsn = 0;
  std::uint64_t system_id = 0;
  std::uint32_t segment_bytes = 0;
  std::uint32_t block_bytes = 0;
};

// `first_page` holds at least the first kLongPageHeaderBytes of the file; kInvalid when these are
// not a long page header of a server this can read.
Result<SegmentHeader> parse_segment_header(ByteView first_page);

// kInvalid, with both values in words, unless the header's address is the name's, the file has the
// header's segment size, and the header's timeline is not above the name's. A timeline's first
// segment may carry its parent's number. REQUIRES: name.is_wal().
Result<void> check_segment(const WalName& name, const SegmentHeader& header,
                           std::uint64_t file_bytes);

}  // namespace pgwalship
