// Walks the records of one WAL segment from its first byte and finds where they end: everything
// after that is what the file held before (a recycled segment), or zeros. Records are checked as
// recovery checks them: page headers, length, the link to the record before, CRC-32C.
//
// Formats: PostgreSQL src/include/access/xlogrecord.h and xlog_internal.h; what makes a record
// invalid: src/backend/access/transam/xlogreader.c. Read are all page magics of PostgreSQL 12 to
// 17, which have the same layout; the segment's own first page says which one. Little-endian.
//
// Pure. Bytes come in pieces of any size; memory does not grow with them. Any bytes are allowed.
#pragma once

#include "base/bytes.h"
#include "wal/segment_header.h"

#include <array>
#include <cstdint>
#include <string_view>

namespace pgwalship {

class RecordWalk {
 public:
  enum class End {
    kNotYet,       // more bytes are wanted
    kContinued,    // the last record goes on in the next segment, and fills this one
    kFull,         // the last record ends where the segment ends
    kSwitch,       // a record that ends the segment early: the rest is unused by intention
    kZero,         // no length where the next record would start
    kBadLength,    // a length that no record has
    kBadPrevious,  // the next record does not name the one before: old content
    kBadChecksum,  // the next record fails its CRC-32C
    kBadPage,      // the page header is another page's (old content), or none
    kNoWal,        // the first page has no header that can be read
    kTruncated,    // the input ended within the segment
  };

  // May be called on after the end: the rest is ignored.
  void write(ByteView bytes);
  // No more bytes come.
  void finish();

  End end() const { return end_; }
  // The segment's address; 0 until its first page was read.
  std::uint64_t start_lsn() const { return start_lsn_; }
  // Behind the last byte that belongs to a record: of the last whole one, or the segment's end when
  // that one continues. What is before it decides what recovery does; what follows does not count.
  std::uint64_t records_end() const;
  // Whole records, checked; a record that began in the segment before is not one.
  std::uint64_t records() const { return records_; }
  std::uint64_t last_record() const { return last_record_; }  // LSN; 0: none

  // kContinued: LSN of the record that goes on; 0 when it began in the segment before, and else.
  std::uint64_t continued_record() const;
  // LSN of the last record that a crash cut off and the server gave up; 0: none.
  std::uint64_t given_up_record() const { return given_up_record_; }

  // What the next byte belongs to.
  struct Place {
    enum class Kind {
      kPageHeader,
      kBefore,   // a record that began in the segment before
      kRecord,   // starts at `record`
      kPadding,  // between two records; the next would start at `record`
      kUnused,   // after the end
    };
    Kind kind = Kind::kPageHeader;
    std::uint64_t record = 0;  // LSN; kPageHeader: of the record it interrupts, 0 if none
  };
  Place place() const;

 private:
  enum class Mode { kBetween, kBefore, kRecordHeader, kRecordBody };

  std::uint64_t lsn() const { return start_lsn_ + offset_; }
  bool in_record() const { return mode_ == Mode::kRecordHeader || mode_ == Mode::kRecordBody; }
  void stop(End end);
  std::size_t take(ByteView bytes);
  std::size_t take_page_header(ByteView bytes);
  bool read_first_page();
  void read_page_header();
  void enter_page(std::uint16_t flags, std::uint32_t continued_bytes);
  std::size_t take_record_header(ByteView bytes);
  void check_record_header();
  std::uint32_t record_length() const;
  void end_record();

  // From the first page.
  std::uint16_t magic_ = 0;
  std::uint64_t start_lsn_ = 0;
  std::uint32_t segment_bytes_ = 0;
  std::uint32_t block_bytes_ = 0;
  std::uint32_t page_timeline_ = 0;  // of the page before

  End end_ = End::kNotYet;
  std::uint64_t offset_ = 0;  // bytes that came
  std::array<std::byte, kLongPageHeaderBytes> page_header_{};
  std::size_t page_header_bytes_ = 0;  // of the current page's header that came
  bool page_header_read_ = false;

  Mode mode_ = Mode::kBetween;
  std::uint64_t record_start_ = 0;
  std::array<std::byte, 24> record_header_{};
  std::size_t record_header_bytes_ = 0;
  std::uint64_t left_ = 0;  // kBefore, and records whose length is known: bytes still to come
  std::uint32_t body_crc_ = 0;

  std::uint64_t last_record_ = 0;
  std::uint64_t whole_end_ = 0;  // behind the last whole record, or the first page's address
  std::uint64_t records_ = 0;
  std::uint64_t given_up_record_ = 0;
};

// What comes after the last record, in words: "zeros follow".
std::string_view to_words(RecordWalk::End end);

}  // namespace pgwalship
