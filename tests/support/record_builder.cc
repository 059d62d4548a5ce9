#include "tests/support/record_builder.h"

#include "base/check.h"
#include "base/random.h"

#include <algorithm>
#include <cstring>

namespace pgwalship {
namespace {

constexpr std::size_t kShortHeaderBytes = 24;
constexpr std::size_t kLongHeaderBytes = 40;

// Bit by bit, from the polynomial: not the way of the code under test.
std::uint32_t castagnoli(ByteView bytes) {
  std::uint32_t crc = 0xFFFFFFFFU;
  for (const std::byte byte : bytes) {
    crc ^= std::to_integer<std::uint32_t>(byte);
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82F63B78U : 0);
    }
  }
  return ~crc;
}

Bytes noise(std::size_t size, std::uint64_t seed) {
  Random random(seed);
  Bytes bytes(size);
  std::generate(bytes.begin(), bytes.end(),
                [&] { return static_cast<std::byte>(random.next() & 0xFF); });
  return bytes;
}

}  // namespace

RecordBuilder::RecordBuilder(Options options)
    : options_(options), segment_(options.segment.segment_bytes), previous_(options.previous) {
  start_page(options_.continued_bytes);
  Bytes rest = noise(options_.continued_bytes, 99);
  put_record_bytes(rest);
}

std::uint64_t RecordBuilder::end() const {
  return options_.segment.lsn + offset_;
}

std::uint64_t RecordBuilder::add(std::size_t body_bytes, std::uint64_t seed) {
  return append(10, 0, noise(body_bytes, seed));
}

std::uint64_t RecordBuilder::add_switch() {
  return append(0, 0x40, {});
}

void RecordBuilder::overwrite_last() {
  const std::size_t start = previous_ - options_.segment.lsn;
  const std::size_t page = start / options_.block_bytes * options_.block_bytes;
  CHECK(offset_ > page + options_.block_bytes);  // it reaches into the next page
  previous_ = before_previous_;
  overwritten_ = true;
  offset_ = page + options_.block_bytes;
  std::fill(segment_.begin() + static_cast<std::ptrdiff_t>(offset_), segment_.end(), std::byte{0});
}

std::uint64_t RecordBuilder::append(std::uint8_t manager, std::uint8_t info, ByteView body) {
  offset_ = std::min((offset_ + 7) / 8 * 8, segment_.size());
  if (offset_ < segment_.size() && offset_ % options_.block_bytes == 0) {
    start_page(0);
  }
  const std::uint64_t lsn = end();
  ByteWriter record;
  record.u32(static_cast<std::uint32_t>(kShortHeaderBytes + body.size()));
  record.u32(7);
  record.u64(previous_);
  record.u8(info);
  record.u8(manager);
  record.u16(0);
  ByteWriter summed;
  summed.raw(body);
  summed.raw(record.view());
  record.u32(castagnoli(summed.view()));
  record.raw(body);
  put_record_bytes(record.view());
  before_previous_ = previous_;
  previous_ = lsn;
  return lsn;
}

void RecordBuilder::put_record_bytes(ByteView bytes) {
  while (!bytes.empty() && offset_ < segment_.size()) {
    if (offset_ % options_.block_bytes == 0) {
      start_page(bytes.size());
    }
    const std::size_t left = options_.block_bytes - offset_ % options_.block_bytes;
    const std::size_t now = std::min(left, bytes.size());
    std::memcpy(segment_.data() + offset_, bytes.data(), now);
    offset_ += now;
    bytes = bytes.subspan(now);
  }
}

void RecordBuilder::start_page(std::uint64_t continued) {
  ByteWriter header;
  const bool first = offset_ == 0;
  header.u16(options_.magic);
  header.u16(static_cast<std::uint16_t>((first ? 2 : 0) | (continued > 0 ? 1 : 0) |
                                        (overwritten_ ? 8 : 0)));
  header.u32(options_.segment.timeline);
  header.u64(end());
  header.u32(static_cast<std::uint32_t>(continued));
  header.u32(0);
  if (first) {
    header.u64(options_.segment.system_id);
    header.u32(options_.segment.segment_bytes);
    header.u32(options_.block_bytes);
  }
  CHECK(header.size() == (first ? kLongHeaderBytes : kShortHeaderBytes));
  std::memcpy(segment_.data() + offset_, header.view().data(), header.size());
  offset_ += header.size();
  overwritten_ = false;
}

Bytes RecordBuilder::build() const {
  return segment_;
}

Bytes RecordBuilder::build_recycled(std::uint64_t seed) const {
  SegmentSpec older = options_.segment;
  older.lsn -= older.segment_bytes;
  older.seed = seed;
  Bytes segment = build_segment(older);
  std::copy_n(segment_.begin(), offset_, segment.begin());
  return segment;
}

}  // namespace pgwalship
