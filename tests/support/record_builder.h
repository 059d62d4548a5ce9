// WAL segments with records that recovery would accept, made by a different way than they are read:
// one long stream of records is laid out first, then cut into pages.
#pragma once

#include "base/bytes.h"
#include "tests/support/segment_builder.h"

#include <cstdint>
#include <vector>

namespace pgwalship {

class RecordBuilder {
 public:
  struct Options {
    SegmentSpec segment{};         // `seed` is of nothing here
    std::uint16_t magic = 0xD110;  // PostgreSQL 15
    std::uint32_t block_bytes = 8192;
    std::uint64_t previous = 0;         // of the first record
    std::uint32_t continued_bytes = 0;  // of a record that began in the segment before
  };
  explicit RecordBuilder(Options options);

  // Appends a record with a body made from the seed; gives its LSN. What does not fit is cut off
  // at the segment's end: the record then goes on in the next one.
  std::uint64_t add(std::size_t body_bytes, std::uint64_t seed);
  std::uint64_t add_switch();
  // Behind the last byte of the last record.
  std::uint64_t end() const;
  // As after a crash: of the last record only what is on its first page was written, it is given
  // up, and the next one starts on a new page that says so.
  void overwrite_last();
  // The segment, with zeros after the last record, or with pages that an older segment left there.
  Bytes build() const;
  Bytes build_recycled(std::uint64_t seed) const;

 private:
  std::uint64_t append(std::uint8_t manager, std::uint8_t info, ByteView body);
  void put_record_bytes(ByteView bytes);
  void start_page(std::uint64_t continued);

  const Options options_;
  Bytes segment_;
  std::size_t offset_ = 0;  // behind the last byte that was put
  std::uint64_t previous_ = 0;
  std::uint64_t before_previous_ = 0;
  bool overwritten_ = false;
};

}  // namespace pgwalship
