#include "wal/archive_file.h"

#include "wal/digest.h"
#include "wal/segment_header.h"

#include <algorithm>
#include <array>
#include <string>

namespace pgwalship {
namespace {

constexpr std::size_t kCopyBytes = std::size_t{256} << 10;

Error corrupt(const std::string& reason) {
  return Error{Errc::kCorrupt, reason, ""};
}

Result<void> check_wal_facts(const WalName& name, const FileFacts& facts) {
  SegmentHeader claimed;
  claimed.timeline = facts.timeline;
  claimed.page_lsn = facts.lsn;
  claimed.system_id = facts.system_id;
  claimed.segment_bytes = facts.segment_bytes;
  if (!is_segment_size(facts.segment_bytes)) {
    return corrupt("its header gives a segment size of " + std::to_string(facts.segment_bytes));
  }
  if (facts.system_id == 0 || facts.timeline == 0) {
    return corrupt("its header has no system identifier or no timeline");
  }
  if (const Result<void> fits = check_segment(name, claimed, facts.raw_bytes); !fits.ok()) {
    return corrupt("its header does not fit its name: " + fits.error().message);
  }
  return {};
}

// What the content of a legacy file tells about itself; nothing for what does not look like it.
void add_segment_facts(const WalName& name, ByteView start, FileFacts& facts) {
  if (!name.is_wal()) {
    return;
  }
  const Result<SegmentHeader> header = parse_segment_header(start);
  if (!header.ok() || !check_segment(name, header.value(), facts.raw_bytes).ok()) {
    return;
  }
  facts.system_id = header.value().system_id;
  facts.timeline = header.value().timeline;
  facts.lsn = header.value().page_lsn;
  facts.segment_bytes = header.value().segment_bytes;
}

// `start` is that of the file: kGzipHeaderBytesMax, or all of it.
Result<std::optional<FileFacts>> facts_in(ByteView start, const WalName& name) {
  TRY_ASSIGN(const GzipHeader header, parse_gzip_header(start));
  if (!header.facts) {
    return std::optional<FileFacts>();
  }
  if (header.file_name != name.text()) {
    return corrupt("its header was made for another name");
  }
  if (header.facts->raw_bytes > kSegmentBytesMax) {
    return corrupt("its header gives " + std::to_string(header.facts->raw_bytes) +
                   " bytes, more than any segment has");
  }
  if (name.is_wal()) {
    TRY(check_wal_facts(name, *header.facts));
  }
  return header.facts;
}

}  // namespace

Result<std::optional<FileFacts>> read_facts(const File& file, const WalName& name) {
  std::array<std::byte, kGzipHeaderBytesMax> start;
  TRY_ASSIGN(const std::size_t size, file.read_at(0, start));
  return facts_in(ByteView(start).first(size), name);
}

Result<void> check_trailer(const File& file, std::uint64_t file_bytes, const FileFacts& facts) {
  std::array<std::byte, 4> trailer{};
  if (file_bytes < trailer.size()) {
    return corrupt("it ends early");
  }
  TRY_ASSIGN(const std::size_t size, file.read_at(file_bytes - trailer.size(), trailer));
  ByteReader reader(ByteView(trailer).first(size));
  if (reader.u32() != static_cast<std::uint32_t>(facts.raw_bytes) || !reader.ok()) {
    return corrupt("the gzip trailer and the header give different lengths");
  }
  return {};
}

Result<ByteView> ArchiveFileCheck::write(ByteView piece) {
  CHECK(piece.size() <= kPieceBytesMax);
  raw_.clear();
  if (gzip_) {
    TRY(unpack(piece));
    return ByteView(raw_);
  }
  header_.insert(header_.end(), piece.begin(), piece.end());
  if (header_.size() >= kGzipHeaderBytesMax) {
    TRY(begin());
  }
  return ByteView(raw_);
}

Result<void> ArchiveFileCheck::begin() {
  TRY_ASSIGN(claimed_, facts_in(header_, name_));
  gzip_.emplace(claimed_ ? claimed_->raw_bytes : kSegmentBytesMax);
  return unpack(std::exchange(header_, {}));
}

Result<void> ArchiveFileCheck::unpack(ByteView bytes) {
  TRY(gzip_->write(bytes, raw_));
  hasher_.update(raw_);
  facts_.raw_bytes += raw_.size();
  const std::size_t missing = std::min(kLongPageHeaderBytes - start_.size(), raw_.size());
  start_.insert(start_.end(), raw_.begin(), raw_.begin() + static_cast<std::ptrdiff_t>(missing));
  return {};
}

Result<ByteView> ArchiveFileCheck::finish() {
  raw_.clear();
  if (!gzip_) {
    TRY(begin());
  }
  TRY(gzip_->finish());
  facts_.sha256 = hasher_.finish();
  TRY(check_against_claim());
  return ByteView(raw_);
}

Result<void> ArchiveFileCheck::check_against_claim() {
  if (!claimed_) {
    add_segment_facts(name_, start_, facts_);
    return {};
  }
  if (facts_.raw_bytes != claimed_->raw_bytes) {
    return corrupt("it holds " + std::to_string(facts_.raw_bytes) + " bytes, but its header says " +
                   std::to_string(claimed_->raw_bytes));
  }
  if (facts_.sha256 != claimed_->sha256) {
    return corrupt("its content has SHA-256 " + facts_.sha256.hex() + ", but its header says " +
                   claimed_->sha256.hex());
  }
  facts_ = *claimed_;
  return {};
}

Result<ByteView> ArchiveFileReader::next() {
  std::array<std::byte, ArchiveFileCheck::kPieceBytesMax> chunk;
  while (!read_) {
    TRY_ASSIGN(const std::size_t size, file_.read_at(offset_, chunk));
    offset_ += size;
    read_ = size < chunk.size();
    TRY_ASSIGN(const ByteView raw, check_.write(ByteView(chunk).first(size)));
    if (!raw.empty()) {
      return raw;
    }
  }
  return std::exchange(finished_, true) ? ByteView() : check_.finish();
}

Result<FileFacts> read_archive_file(const File& file, const WalName& name, const RawSink& sink) {
  ArchiveFileReader reader(file, name);
  while (true) {
    TRY_ASSIGN(const ByteView raw, reader.next());
    if (raw.empty()) {
      return reader.facts();
    }
    TRY(sink(raw));
  }
}

Result<FileChecksum> checksum_of(const File& file) {
  Bytes piece(kCopyBytes);
  FileChecksum checksum;
  for (;;) {
    TRY_ASSIGN(const std::size_t size, file.read_at(checksum.bytes, piece));
    if (size == 0) {
      return checksum;
    }
    checksum.crc32 = crc32(checksum.crc32, ByteView(piece).first(size));
    checksum.bytes += size;
  }
}

Result<bool> same_bytes(const File& one, const File& other) {
  Bytes mine(kCopyBytes);
  Bytes theirs(kCopyBytes);
  for (std::uint64_t offset = 0;;) {
    TRY_ASSIGN(const std::size_t size, one.read_at(offset, mine));
    TRY_ASSIGN(const std::size_t other_size, other.read_at(offset, theirs));
    if (size != other_size ||
        !std::ranges::equal(ByteView(mine).first(size), ByteView(theirs).first(size))) {
      return false;
    }
    if (size == 0) {
      return true;
    }
    offset += size;
  }
}

Result<void> copy_content(const File& from, File& to) {
  Bytes piece(kCopyBytes);
  for (std::uint64_t offset = 0;;) {
    TRY_ASSIGN(const std::size_t size, from.read_at(offset, piece));
    if (size == 0) {
      return {};
    }
    TRY(to.write_at(offset, ByteView(piece).first(size)));
    offset += size;
  }
}

}  // namespace pgwalship
