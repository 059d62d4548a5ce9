// Archive files are standard gzip (RFC 1952), one member: `gunzip < NAME.gz` gives the file back.
// The header's FEXTRA field holds one subfield, identifier 'W' 'S', that makes the file describe
// itself. Layout of its data, little-endian:
//     u8 version (1) | 32 bytes SHA-256 of the raw content | u64 raw bytes | u64 system identifier
//     | u32 timeline | u64 LSN of the first byte | u32 segment bytes | u16 length + origin node
// Files without it (the old script's, a hand-made gzip) are legacy: readable, hashed when needed.
// Reading accepts several members, as gunzip does. Nothing here knows about disks.
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "wal/digest.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace pgwalship {

// What an archive file says about its content. For .history and .backup files, and legacy files,
// what is not known is 0.
struct FileFacts {
  Sha256 sha256;
  std::uint64_t raw_bytes = 0;
  std::uint64_t system_id = 0;
  std::uint32_t timeline = 0;
  std::uint64_t lsn = 0;
  std::uint32_t segment_bytes = 0;
  std::string origin;  // the node that pushed it, at most 255 bytes

  friend bool operator==(const FileFacts&, const FileFacts&) = default;
};

struct GzipHeader {
  std::size_t header_bytes = 0;    // where the compressed data starts
  std::optional<FileFacts> facts;  // absent in a legacy file
  std::string file_name;           // FNAME, or empty
};

// Enough for any header this writes: 10 + 2 + 4 + 1+32+8+8+4+8+4+2+255 + a name and its NUL.
inline constexpr std::size_t kGzipHeaderBytesMax = 1024;

// Needs the whole header in `start` (kGzipHeaderBytesMax bytes or the whole file). kCorrupt when it
// is not gzip or is cut short. A subfield of a newer version than 1 is read as far as version 1
// goes.
Result<GzipHeader> parse_gzip_header(ByteView start);
Bytes make_gzip_header(const FileFacts& facts, const std::string& file_name);

// 1 is the fastest, 9 the smallest; the engine maps them (see the .cc files).
inline constexpr int kGzipLevelDefault = 1;

// Makes one archive file: header, deflate stream, trailer. Streams: memory does not grow with the
// content. Uses ISA-L for levels 1 to 3 and zlib above.
class GzipWriter {
 public:
  GzipWriter(const FileFacts& facts, const std::string& file_name, int level);
  // Without the header: whoever learns the facts later puts make_gzip_header() in front.
  explicit GzipWriter(int level);
  ~GzipWriter();
  GzipWriter(const GzipWriter&) = delete;
  GzipWriter& operator=(const GzipWriter&) = delete;

  // Appends to `out` whatever is ready (the header comes with the first call).
  void write(ByteView raw, Bytes& out);
  void finish(Bytes& out);
  // CRC-32 of the raw bytes so far: what the trailer will hold.
  std::uint32_t raw_crc32() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Takes an archive file apart, header included. Streams; kCorrupt on anything that gunzip would
// refuse (bad header, bad data, wrong trailer) and when the raw content exceeds `raw_bytes_max`.
class GzipReader {
 public:
  // kPortable: as where ISA-L is not installed.
  enum class Engine { kFastest, kPortable };
  explicit GzipReader(std::uint64_t raw_bytes_max, Engine engine = Engine::kFastest);
  ~GzipReader();
  GzipReader(const GzipReader&) = delete;
  GzipReader& operator=(const GzipReader&) = delete;

  // Appends the raw bytes that come out to `out`: at most 1032 times as many as went in, so a
  // caller that feeds 32 KiB at a time needs at most 33 MiB.
  Result<void> write(ByteView compressed, Bytes& out);
  // kCorrupt when the file ended early.
  Result<void> finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace pgwalship
