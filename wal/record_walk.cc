#include "wal/record_walk.h"

#include "wal/digest.h"

#include <algorithm>

namespace pgwalship {
namespace {

constexpr std::size_t kShortPageHeaderBytes = 24;  // sizeof(XLogPageHeaderData), aligned
constexpr std::size_t kRecordHeaderBytes = 24;     // SizeOfXLogRecord
constexpr std::size_t kCrcOffset = 20;             // offsetof(XLogRecord, xl_crc)
constexpr std::size_t kPreviousEnd = 16;           // xl_prev is in the bytes before it
constexpr std::uint64_t kAlignment = 8;            // MAXIMUM_ALIGNOF
// Recovery allocates a record as a whole, and no allocation is above this (MaxAllocSize).
constexpr std::uint32_t kRecordBytesMax = 0x3FFFFFFF;

constexpr std::uint16_t kFirstIsContinued = 0x0001;    // XLP_FIRST_IS_CONTRECORD
constexpr std::uint16_t kLongHeader = 0x0002;          // XLP_LONG_HEADER
constexpr std::uint16_t kFirstIsOverwritten = 0x0008;  // XLP_FIRST_IS_OVERWRITE_CONTRECORD
constexpr std::uint16_t kAllFlags = 0x000F;            // XLP_ALL_FLAGS

constexpr std::byte kXlogManager{0};        // RM_XLOG_ID
constexpr std::byte kSwitchInfo{0x40};      // XLOG_SWITCH
constexpr std::byte kOwnInfoMask{0xF0};     // without XLR_INFO_MASK
constexpr std::size_t kInfoOffset = 16;     // offsetof(XLogRecord, xl_info)
constexpr std::size_t kManagerOffset = 17;  // offsetof(XLogRecord, xl_rmid)

std::size_t smaller(std::uint64_t a, std::uint64_t b) {
  return static_cast<std::size_t>(std::min(a, b));
}

}  // namespace

void RecordWalk::write(ByteView bytes) {
  while (!bytes.empty() && end_ == End::kNotYet) {
    bytes = bytes.subspan(take(bytes));
    if (end_ != End::kNotYet || !page_header_read_) {
      continue;
    }
    if (offset_ == segment_bytes_) {
      stop(mode_ == Mode::kBetween ? End::kFull : End::kContinued);
    } else if (offset_ % block_bytes_ == 0) {
      page_header_read_ = false;
      page_header_bytes_ = 0;
    }
  }
}

void RecordWalk::finish() {
  if (end_ == End::kNotYet) {
    stop(segment_bytes_ == 0 ? End::kNoWal : End::kTruncated);
  }
}

void RecordWalk::stop(End end) {
  end_ = end;
}

std::uint64_t RecordWalk::records_end() const {
  return end_ == End::kContinued ? start_lsn_ + segment_bytes_ : whole_end_;
}

std::uint64_t RecordWalk::continued_record() const {
  return end_ == End::kContinued && in_record() ? record_start_ : 0;
}

RecordWalk::Place RecordWalk::place() const {
  if (end_ != End::kNotYet) {
    return Place{Place::Kind::kUnused, 0};
  }
  if (!page_header_read_) {
    return Place{Place::Kind::kPageHeader, in_record() ? record_start_ : 0};
  }
  switch (mode_) {
    case Mode::kBefore:
      return Place{Place::Kind::kBefore, 0};
    case Mode::kRecordHeader:
    case Mode::kRecordBody:
      return Place{Place::Kind::kRecord, record_start_};
    case Mode::kBetween:
      break;
  }
  const std::uint64_t next = (lsn() + kAlignment - 1) / kAlignment * kAlignment;
  return Place{next == lsn() ? Place::Kind::kRecord : Place::Kind::kPadding, next};
}

// Takes at least one byte and at most the rest of the page; gives how many.
std::size_t RecordWalk::take(ByteView bytes) {
  if (!page_header_read_) {
    return take_page_header(bytes);
  }
  const std::uint64_t page_left = block_bytes_ - offset_ % block_bytes_;
  const ByteView page = bytes.first(smaller(bytes.size(), page_left));
  std::size_t taken = 0;
  switch (mode_) {
    case Mode::kBetween:
      if (offset_ % kAlignment == 0) {
        record_start_ = lsn();
        record_header_bytes_ = 0;
        mode_ = Mode::kRecordHeader;
        return take_record_header(page);
      }
      taken = smaller(kAlignment - offset_ % kAlignment, page.size());
      offset_ += taken;
      return taken;
    case Mode::kBefore:
      taken = smaller(left_, page.size());
      offset_ += taken;
      left_ -= taken;
      if (left_ == 0) {
        whole_end_ = lsn();
        mode_ = Mode::kBetween;
      }
      return taken;
    case Mode::kRecordHeader:
      return take_record_header(page);
    case Mode::kRecordBody:
      break;
  }
  taken = smaller(left_, page.size());
  body_crc_ = crc32c(body_crc_, page.first(taken));
  offset_ += taken;
  left_ -= taken;
  if (left_ == 0) {
    end_record();
  }
  return taken;
}

std::size_t RecordWalk::take_page_header(ByteView bytes) {
  const std::size_t whole = segment_bytes_ == 0 ? kLongPageHeaderBytes : kShortPageHeaderBytes;
  const std::size_t taken = smaller(whole - page_header_bytes_, bytes.size());
  std::copy_n(bytes.begin(), taken,
              page_header_.begin() + static_cast<std::ptrdiff_t>(page_header_bytes_));
  page_header_bytes_ += taken;
  offset_ += taken;
  if (page_header_bytes_ == whole) {
    read_page_header();
  }
  return taken;
}

void RecordWalk::read_page_header() {
  const bool first = segment_bytes_ == 0;
  if (first && !read_first_page()) {
    stop(End::kNoWal);
    return;
  }
  ByteReader reader(page_header_);
  const std::uint16_t magic = reader.u16();
  const std::uint16_t flags = reader.u16();
  const std::uint32_t timeline = reader.u32();
  const std::uint64_t address = reader.u64();
  const std::uint32_t continued_bytes = reader.u32();
  const bool is_long = (flags & kLongHeader) != 0;
  if (magic != magic_ || (flags & ~kAllFlags) != 0 || is_long != first ||
      address != lsn() - page_header_bytes_ || timeline < page_timeline_) {
    stop(End::kBadPage);
    return;
  }
  page_timeline_ = timeline;
  page_header_read_ = true;
  enter_page(flags, continued_bytes);
}

bool RecordWalk::read_first_page() {
  const Result<SegmentHeader> header = parse_segment_header(page_header_);
  if (!header.ok() || header.value().page_lsn % header.value().segment_bytes != 0) {
    return false;
  }
  magic_ = header.value().magic;
  start_lsn_ = header.value().page_lsn;
  whole_end_ = start_lsn_;
  segment_bytes_ = header.value().segment_bytes;
  block_bytes_ = header.value().block_bytes;
  return true;
}

void RecordWalk::enter_page(std::uint16_t flags, std::uint32_t continued_bytes) {
  const bool continued = (flags & kFirstIsContinued) != 0;
  const bool first = offset_ == kLongPageHeaderBytes;
  if (mode_ == Mode::kBetween) {
    if (continued && (!first || continued_bytes == 0)) {
      stop(End::kBadPage);
    } else if (continued) {
      left_ = continued_bytes;
      mode_ = Mode::kBefore;
    }
    return;
  }
  if ((flags & kFirstIsOverwritten) != 0) {
    // A crash left the record unfinished, and the server gave it up.
    given_up_record_ = in_record() ? record_start_ : 0;
    mode_ = Mode::kBetween;
    return;
  }
  const std::uint64_t expected =
      mode_ == Mode::kRecordHeader ? record_length() - record_header_bytes_ : left_;
  if (!continued || continued_bytes != expected) {
    stop(End::kBadPage);
  }
}

// Checks each field as soon as it is there: what follows the last record need not be whole.
std::size_t RecordWalk::take_record_header(ByteView bytes) {
  const std::size_t before = record_header_bytes_;
  const std::size_t taken = smaller(kRecordHeaderBytes - before, bytes.size());
  std::copy_n(bytes.begin(), taken, record_header_.begin() + static_cast<std::ptrdiff_t>(before));
  record_header_bytes_ += taken;
  offset_ += taken;
  const auto came = [&](std::size_t end) { return before < end && record_header_bytes_ >= end; };
  if (came(sizeof(std::uint32_t))) {
    const std::uint32_t length = record_length();
    if (length == 0) {
      stop(End::kZero);
    } else if (length < kRecordHeaderBytes || length > kRecordBytesMax) {
      stop(End::kBadLength);
    }
  }
  if (end_ == End::kNotYet && came(kPreviousEnd)) {
    ByteReader reader(ByteView(record_header_).subspan(kPreviousEnd - sizeof(std::uint64_t)));
    const std::uint64_t previous = reader.u64();
    if (last_record_ != 0 ? previous != last_record_ : previous >= record_start_) {
      stop(End::kBadPrevious);
    }
  }
  if (end_ == End::kNotYet && came(kRecordHeaderBytes)) {
    left_ = record_length() - kRecordHeaderBytes;
    body_crc_ = 0;
    mode_ = Mode::kRecordBody;
    if (left_ == 0) {
      end_record();
    }
  }
  return taken;
}

std::uint32_t RecordWalk::record_length() const {
  return ByteReader(record_header_).u32();
}

// The checksum covers the body first, then the header up to itself.
void RecordWalk::end_record() {
  const ByteView header(record_header_);
  const std::uint32_t found = crc32c(body_crc_, header.first(kCrcOffset));
  if (found != ByteReader(header.subspan(kCrcOffset)).u32()) {
    stop(End::kBadChecksum);
    return;
  }
  last_record_ = record_start_;
  whole_end_ = lsn();
  ++records_;
  mode_ = Mode::kBetween;
  if (record_header_[kManagerOffset] == kXlogManager &&
      (record_header_[kInfoOffset] & kOwnInfoMask) == kSwitchInfo) {
    stop(End::kSwitch);
  }
}

std::string_view to_words(RecordWalk::End end) {
  switch (end) {
    case RecordWalk::End::kNotYet:
      return "its end was not reached";
    case RecordWalk::End::kContinued:
      return "the last record goes on in the next segment";
    case RecordWalk::End::kFull:
      return "the last record ends with the segment";
    case RecordWalk::End::kSwitch:
      return "a switch to the next segment ends it";
    case RecordWalk::End::kZero:
      return "zeros follow";
    case RecordWalk::End::kBadLength:
      return "what follows has no record's length";
    case RecordWalk::End::kBadPrevious:
      return "what follows is not linked to it";
    case RecordWalk::End::kBadChecksum:
      return "what follows fails its checksum";
    case RecordWalk::End::kBadPage:
      return "the page that follows is of another place";
    case RecordWalk::End::kNoWal:
      return "it does not start like WAL";
    case RecordWalk::End::kTruncated:
      return "the content stops there";
  }
  return "";
}

}  // namespace pgwalship
