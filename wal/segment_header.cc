#include "wal/segment_header.h"

#include <bit>
#include <cstdio>
#include <string>

namespace pgwalship {
namespace {

// PostgreSQL 9.3 was the first with the page address as one 64-bit number.
constexpr std::uint16_t kMagicMin = 0xD075;
constexpr std::uint16_t kMagicMax = 0xDFFF;
constexpr std::uint16_t kLongHeaderFlag = 0x0002;  // XLP_LONG_HEADER

std::string hex_text(std::uint32_t value) {
  char text[11];
  std::snprintf(text, sizeof text, "0x%04X", value);
  return text;
}

bool is_block_size(std::uint32_t bytes) {
  return std::has_single_bit(bytes) && bytes >= 1024 && bytes <= 65536;
}

Error no_header(const std::string& reason) {
  return Error{Errc::kInvalid, "the file does not start like a WAL segment: " + reason,
               "only finished segments of a little-endian PostgreSQL 9.3 or later are archived"};
}

}  // namespace

Result<SegmentHeader> parse_segment_header(ByteView first_page) {
  ByteReader reader(first_page);
  SegmentHeader header;
  header.magic = reader.u16();
  const std::uint16_t flags = reader.u16();
  header.timeline = reader.u32();
  header.page_lsn = reader.u64();
  reader.raw(8);  // length of a continued record, padding
  header.system_id = reader.u64();
  header.segment_bytes = reader.u32();
  header.block_bytes = reader.u32();
  if (!reader.ok()) {
    return no_header("it is shorter than a page header");
  }
  if (header.magic < kMagicMin || header.magic > kMagicMax) {
    const auto swapped = static_cast<std::uint16_t>(header.magic << 8 | header.magic >> 8);
    const bool big_endian = swapped >= kMagicMin && swapped <= kMagicMax;
    return no_header("its magic number is " + hex_text(header.magic) +
                     (big_endian ? ", that of a big-endian server" : ""));
  }
  if ((flags & kLongHeaderFlag) == 0) {
    return no_header("its first page has no long header");
  }
  if (!is_segment_size(header.segment_bytes)) {
    return no_header("its header gives a segment size of " + std::to_string(header.segment_bytes));
  }
  if (!is_block_size(header.block_bytes)) {
    return no_header("its header gives a block size of " + std::to_string(header.block_bytes));
  }
  if (header.system_id == 0 || header.timeline == 0) {
    return no_header("its header has no system identifier or no timeline");
  }
  return header;
}

Result<void> check_segment(const WalName& name, const SegmentHeader& header,
                           std::uint64_t file_bytes) {
  CHECK(name.is_wal());
  const std::string who = "'" + name.text() + "'";
  const std::uint64_t segments_per_log = (std::uint64_t{1} << 32) / header.segment_bytes;
  if (name.seg() >= segments_per_log) {
    return Error{Errc::kInvalid,
                 who + " cannot exist with the header's segment size of " +
                     std::to_string(header.segment_bytes) + " bytes",
                 "the file has another file's name"};
  }
  if (header.page_lsn != name.start_lsn(header.segment_bytes)) {
    return Error{Errc::kInvalid,
                 who + " should start at " + lsn_text(name.start_lsn(header.segment_bytes)) +
                     ", but its first page is for " + lsn_text(header.page_lsn),
                 "a recycled file that was not written yet, or a file under another's name"};
  }
  if (file_bytes != header.segment_bytes) {
    return Error{Errc::kInvalid,
                 who + " has " + std::to_string(file_bytes) + " bytes, but its header says " +
                     std::to_string(header.segment_bytes),
                 "the file is not finished, or was cut short when it was copied"};
  }
  if (header.timeline > name.timeline()) {
    return Error{Errc::kInvalid,
                 who + " is of timeline " + std::to_string(name.timeline()) +
                     ", but its first page is of timeline " + std::to_string(header.timeline),
                 "the file has another file's name"};
  }
  return {};
}

}  // namespace pgwalship
