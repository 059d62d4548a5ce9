// One archive file by itself, staged or stored: is it what its name and its header say? Reading
// only; archive_store.h is where files get their names.
#pragma once

#include "base/file_system.h"
#include "base/result.h"
#include "wal/gzip.h"
#include "wal/segment_name.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

namespace pgwalship {

// An archive file open for reading. `facts` is empty for a legacy file.
struct ArchiveFile {
  std::unique_ptr<File> file;
  std::uint64_t file_bytes = 0;
  std::optional<FileFacts> facts;
};

// An archive file whose content was read and found good. `file_crc32` is that of the file itself,
// so that who reads it again can tell whether the bytes are still those.
struct VerifiedFile {
  std::unique_ptr<File> file;
  std::uint64_t file_bytes = 0;
  std::uint32_t file_crc32 = 0;
  FileFacts facts;
};

// The facts in the file's header, checked against the name: FNAME, and for WAL the address, the
// sizes and the timeline. Nothing for a legacy file. kCorrupt when the header cannot be read or
// does not fit. The content is not looked at.
Result<std::optional<FileFacts>> read_facts(const File& file, const WalName& name);

// kCorrupt unless the gzip trailer gives the raw length of `facts` (modulo 2^32).
Result<void> check_trailer(const File& file, std::uint64_t file_bytes, const FileFacts& facts);

// Reads all of it: header, hash against the facts (when there are any), gzip trailer, raw length.
// Hands out the raw content piece by piece, of at most 33 MiB; kCorrupt may come after pieces went
// out. An error of the sink is passed on. The facts of a legacy file are computed, as far as its
// content tells.
using RawSink = std::function<Result<void>(ByteView raw)>;
Result<FileFacts> read_archive_file(const File& file, const WalName& name, const RawSink& sink);

struct FileChecksum {
  std::uint64_t bytes = 0;
  std::uint32_t crc32 = 0;
};
// Of the bytes as they are, compressed.
Result<FileChecksum> checksum_of(const File& file);

// Whether both hold the same bytes, compressed as they are.
Result<bool> same_bytes(const File& one, const File& other);

// What read_archive_file() checks, for a file whose bytes come one after the other. Not to be
// called again after an error.
class ArchiveFileCheck {
 public:
  // At most 1032 times as much comes out of a piece: bounds the memory of one.
  static constexpr std::size_t kPieceBytesMax = std::size_t{32} << 10;

  explicit ArchiveFileCheck(WalName name) : name_(std::move(name)) {}
  ArchiveFileCheck(const ArchiveFileCheck&) = delete;
  ArchiveFileCheck& operator=(const ArchiveFileCheck&) = delete;

  // The raw content that comes out of the next bytes of the file, valid until the next call.
  Result<ByteView> write(ByteView piece);
  // When all bytes came: what content was still held back. On success all of it is verified.
  Result<ByteView> finish();

  // Those in the header, once content came out; nothing for a legacy file.
  const std::optional<FileFacts>& claimed() const { return claimed_; }
  const FileFacts& facts() const { return facts_; }  // complete after finish()

 private:
  Result<void> begin();
  Result<void> unpack(ByteView bytes);
  Result<void> check_against_claim();

  const WalName name_;
  Bytes header_;  // of the file, until all of it must be there
  std::optional<FileFacts> claimed_;
  std::optional<GzipReader> gzip_;  // from then on
  Sha256Hasher hasher_;
  FileFacts facts_;
  Bytes start_;  // of the content
  Bytes raw_;
};

// The same, pulled instead of pushed: for who reads two at a time.
class ArchiveFileReader {
 public:
  ArchiveFileReader(const File& file, WalName name) : file_(file), check_(std::move(name)) {}
  ArchiveFileReader(const ArchiveFileReader&) = delete;
  ArchiveFileReader& operator=(const ArchiveFileReader&) = delete;

  // The next raw bytes, valid until the next call; empty at the end, when all of it was verified.
  // Not to be called again after an error.
  Result<ByteView> next();
  const FileFacts& facts() const { return check_.facts(); }  // complete after the end

 private:
  const File& file_;
  ArchiveFileCheck check_;
  std::uint64_t offset_ = 0;
  bool read_ = false;  // to the file's end
  bool finished_ = false;
};

// Writes what `from` holds to the empty file `to`, as it is. Nothing is durable yet.
Result<void> copy_content(const File& from, File& to);

}  // namespace pgwalship
