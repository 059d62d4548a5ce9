#include "wal/archive_file.h"

#include "wal/segment_header.h"

#include <algorithm>
#include <array>
#include <string>

namespace pgwalship {
namespace {

// At most 1032 times as much comes out of it: bounds the memory of one read.
constexpr std::size_t kReadBytes = std::size_t{32} << 10;
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

}  // namespace

Result<std::optional<FileFacts>> read_facts(const File& file, const WalName& name) {
  std::array<std::byte, kGzipHeaderBytesMax> start;
  TRY_ASSIGN(const std::size_t size, file.read_at(0, start));
  TRY_ASSIGN(const GzipHeader header, parse_gzip_header(ByteView(start).first(size)));
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

Result<FileFacts> read_archive_file(const File& file, const WalName& name, const RawSink& sink) {
  TRY_ASSIGN(const std::optional<FileFacts> claimed, read_facts(file, name));
  GzipReader gzip(claimed ? claimed->raw_bytes : kSegmentBytesMax);
  Sha256Hasher hasher;
  FileFacts found;
  Bytes start;
  Bytes raw;
  std::array<std::byte, kReadBytes> chunk;
  std::uint64_t offset = 0;
  while (true) {
    TRY_ASSIGN(const std::size_t size, file.read_at(offset, chunk));
    offset += size;
    raw.clear();
    TRY(gzip.write(ByteView(chunk).first(size), raw));
    hasher.update(raw);
    found.raw_bytes += raw.size();
    const std::size_t missing = std::min(kLongPageHeaderBytes - start.size(), raw.size());
    start.insert(start.end(), raw.begin(), raw.begin() + static_cast<std::ptrdiff_t>(missing));
    if (!raw.empty()) {
      TRY(sink(raw));
    }
    if (size < chunk.size()) {
      break;
    }
  }
  TRY(gzip.finish());
  found.sha256 = hasher.finish();
  if (!claimed) {
    add_segment_facts(name, start, found);
    return found;
  }
  if (found.raw_bytes != claimed->raw_bytes) {
    return corrupt("it holds " + std::to_string(found.raw_bytes) + " bytes, but its header says " +
                   std::to_string(claimed->raw_bytes));
  }
  if (found.sha256 != claimed->sha256) {
    return corrupt("its content has SHA-256 " + found.sha256.hex() + ", but its header says " +
                   claimed->sha256.hex());
  }
  return *claimed;
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
