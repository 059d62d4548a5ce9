// What a decoder of messages reads a payload with: the types of docs/protocol.md section 1, and
// whether all of them were in range.
#pragma once

#include "base/bytes.h"
#include "base/file_system.h"
#include "wal/gzip.h"
#include "wal/segment_name.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace pgwalship {

template <typename Enum>
constexpr std::uint8_t number_of(Enum value) {
  return static_cast<std::uint8_t>(value);
}

inline constexpr std::size_t kOriginBytesMax = 255;
// kReportNodesMax times a message and a hint fit a frame.
inline constexpr std::size_t kWordsBytesMax = 1536;

inline void write_stamp(ByteWriter& out, const FileStat& stamp) {
  out.u64(stamp.device);
  out.u64(stamp.inode);
  out.u64(stamp.size);
  for (const WallTime time : {stamp.modified, stamp.changed}) {
    const std::chrono::nanoseconds since_1970 = time.time_since_epoch();
    out.u64(static_cast<std::uint64_t>(since_1970.count()));
  }
}

// Takes a payload apart. After the first field that is out of range ok() stays false; what comes
// out then means nothing.
class Fields {
 public:
  explicit Fields(ByteView payload) : reader_(payload) {}

  std::uint8_t u8() { return reader_.u8(); }
  std::uint16_t u16() { return reader_.u16(); }
  std::uint32_t u32() { return reader_.u32(); }
  std::uint64_t u64() { return reader_.u64(); }
  std::string text() { return reader_.text(); }
  // What a peer or the daemon says in words: no longer than a report on all nodes has room for.
  std::string words() {
    std::string words = reader_.text();
    if (words.size() > kWordsBytesMax) {
      words.resize(kWordsBytesMax);
      words += "...";
    }
    return words;
  }
  ByteView rest_view() { return reader_.raw(reader_.remaining()); }
  Bytes rest() {
    const ByteView bytes = rest_view();
    return Bytes(bytes.begin(), bytes.end());
  }

  bool flag() { return ranged(1) == 1; }

  template <typename Enum>
  Enum one_of(Enum first, Enum last) {
    const std::uint8_t value = ranged(number_of(last));
    require(value >= number_of(first));
    return static_cast<Enum>(ok() ? value : number_of(first));
  }

  std::optional<WalName> name() {
    Result<WalName> name = WalName::parse(reader_.text());
    require(name.ok());
    return ok() ? std::optional(std::move(name).value()) : std::nullopt;
  }

  FileFacts facts() {
    FileFacts facts;
    const ByteView sha256 = reader_.raw(facts.sha256.bytes.size());
    std::copy(sha256.begin(), sha256.end(), facts.sha256.bytes.begin());
    facts.raw_bytes = u64();
    facts.system_id = u64();
    facts.timeline = u32();
    facts.lsn = u64();
    facts.segment_bytes = u32();
    facts.origin = text();
    require(facts.origin.size() <= kOriginBytesMax);
    return facts;
  }

  FileStat stamp() {
    FileStat stamp;
    stamp.device = u64();
    stamp.inode = u64();
    stamp.size = u64();
    stamp.modified = wall_time();
    stamp.changed = wall_time();
    return stamp;
  }

  void require(bool condition) { ok_ = ok_ && condition; }
  bool ok() const { return ok_ && reader_.ok(); }
  std::size_t remaining() const { return reader_.remaining(); }

 private:
  WallTime wall_time() {
    const std::chrono::nanoseconds since_1970(static_cast<std::int64_t>(u64()));
    return WallTime(std::chrono::duration_cast<WallTime::duration>(since_1970));
  }

  std::uint8_t ranged(std::uint8_t last) {
    const std::uint8_t value = u8();
    require(value <= last);
    return value;
  }

  ByteReader reader_;
  bool ok_ = true;
};

}  // namespace pgwalship
