#include "wal/index_cache.h"

#include "wal/digest.h"

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>

namespace pgwalship {
namespace {

constexpr std::string_view kMagic = "PGWSIDX1";
constexpr std::size_t kHeadBytes = 8 + 4 + 8;
constexpr std::size_t kKeyBytes = 16;
constexpr std::size_t kEntryBytes = 8 + 8 + 1 + 4 + 8 + 4 + kKeyBytes;
constexpr std::size_t kEntriesAtATime = 16'384;  // about 800 KB

// What is read or written so far has the checksum `crc`.
struct Position {
  std::uint64_t offset = 0;
  std::uint32_t crc = 0;
};

Result<void> write(File& file, Position& at, ByteView data) {
  TRY(file.write_at(at.offset, data));
  at.offset += data.size();
  at.crc = crc32(at.crc, data);
  return {};
}

// Nothing when the file is shorter.
std::optional<Bytes> read(const File& file, Position& at, std::size_t size) {
  Bytes bytes(size);
  const Result<std::size_t> got = file.read_at(at.offset, bytes);
  if (!got.ok() || got.value() != size) {
    return std::nullopt;
  }
  at.offset += size;
  at.crc = crc32(at.crc, bytes);
  return bytes;
}

void write_entry(ByteWriter& out, const ArchivePlace& place, const ArchiveIndex::Entry& entry) {
  out.u64(place.lane);
  out.u64(place.position);
  out.u8(place.kind);
  out.u32(place.offset);
  out.u64(entry.stamp);
  out.u32(entry.file_bytes);
  out.raw(entry.key.bytes);
}

void read_entries(ByteReader& in, ArchiveIndex& index) {
  while (in.remaining() >= kEntryBytes) {
    ArchivePlace place;
    place.lane = in.u64();
    place.position = in.u64();
    place.kind = in.u8();
    place.offset = in.u32();
    ArchiveIndex::Entry entry;
    entry.stamp = in.u64();
    entry.file_bytes = in.u32();
    const ByteView key = in.raw(kKeyBytes);
    std::copy(key.begin(), key.end(), entry.key.bytes.begin());
    index.put(place, entry);
  }
}

std::optional<ArchiveIndex> read_index(const File& file) {
  const Result<FileStat> stat = file.stat();
  Position at;
  const std::optional<Bytes> head = read(file, at, kHeadBytes);
  if (!stat.ok() || !head || as_text(*head).substr(0, kMagic.size()) != kMagic) {
    return std::nullopt;
  }
  ByteReader in(ByteView(*head).subspan(kMagic.size()));
  ArchiveIndex index;
  index.set_segment_bytes(in.u32());
  std::uint64_t left = in.u64();
  if (left > stat.value().size / kEntryBytes ||
      stat.value().size != kHeadBytes + left * kEntryBytes + sizeof(std::uint32_t)) {
    return std::nullopt;
  }
  while (left > 0) {
    const auto entries = static_cast<std::size_t>(std::min<std::uint64_t>(left, kEntriesAtATime));
    const std::optional<Bytes> piece = read(file, at, entries * kEntryBytes);
    if (!piece) {
      return std::nullopt;
    }
    ByteReader reader(*piece);
    read_entries(reader, index);
    left -= entries;
  }
  const std::uint32_t crc = at.crc;
  const std::optional<Bytes> tail = read(file, at, sizeof crc);
  if (!tail || ByteReader(*tail).u32() != crc) {
    return std::nullopt;
  }
  return index;
}

Result<void> write_index(File& file, const ArchiveIndex& index) {
  Position at;
  ByteWriter head;
  head.raw(as_bytes(kMagic));
  head.u32(index.segment_bytes());
  head.u64(index.size());
  TRY(write(file, at, head.view()));
  ByteWriter entries;
  Result<void> written;
  index.visit({}, 0, [&](const ArchivePlace& place, const ArchiveIndex::Entry& entry) {
    write_entry(entries, place, entry);
    if (entries.size() >= kEntriesAtATime * kEntryBytes) {
      written = write(file, at, entries.take());
      entries = ByteWriter();
    }
    return written.ok() ? ArchiveIndex::Visit::kGoOn : ArchiveIndex::Visit::kStop;
  });
  TRY(written);
  TRY(write(file, at, entries.view()));
  ByteWriter tail;
  tail.u32(at.crc);
  return write(file, at, tail.view());
}

}  // namespace

ArchiveIndex load_index_cache(FileSystem& file_system, const ArchiveLayout& layout) {
  const Result<std::unique_ptr<File>> file = file_system.open(layout.index_file());
  if (!file.ok()) {
    return {};
  }
  return read_index(*file.value()).value_or(ArchiveIndex());
}

Result<void> save_index_cache(FileSystem& file_system, const ArchiveLayout& layout,
                              const ArchiveIndex& index, std::uint64_t unique) {
  const std::string temporary = layout.tmp_file("index", unique);
  TRY_ASSIGN(const std::unique_ptr<File> file, file_system.create(temporary));
  Result<void> saved = write_index(*file, index);
  if (saved.ok()) {
    saved = file_system.rename(temporary, layout.index_file());
  }
  if (!saved.ok()) {
    std::ignore = file_system.remove(temporary);  // prepare() removes what stays
  }
  return saved;
}

}  // namespace pgwalship
