// A file of a server's pg_wal, read to be archived by somebody whom PostgreSQL did not ask: the
// server may go on writing it, or recycle it, which renames the same file and later overwrites it.
// So it is read twice, first for its facts, which an archive file begins with, then to compress it;
// both must be the same bytes (H12), every page must be of this segment, and a segment's records
// must reach its end: a standby marks a segment `.done` also when the stream ends in the middle of
// it (a primary that was shut down, a timeline that ended). One thread; blocks on the disk.
#pragma once

#include "base/file_system.h"
#include "wal/archive_store.h"
#include "wal/gzip.h"
#include "wal/segment_name.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace pgwalship {

// How it is known that a segment is finished: its server has said so, or its records are followed.
enum class Completeness { kTold, kAsked };

class PgWalFile {
 public:
  struct Options {
    std::string path;  // absolute
    WalName name;
    std::string origin;           // the node whose pg_wal it is
    std::uint64_t system_id = 0;  // the cluster's, 0 when it is not known
  };

  // Looks at size and header. kNotFound. kRetry: nothing of this name was written there yet (an
  // empty or recycled file). kInvalid: a file of another cluster, or no file of PostgreSQL.
  static Result<PgWalFile> open(FileSystem& file_system, Options options);

  // The first pass; facts() and is_finished() are then known. kRetry: it changed meanwhile.
  Result<void> measure();
  const FileFacts& facts() const { return facts_; }
  const WalName& name() const { return options_.name; }
  // False for a segment that ends in the middle: to be archived as .partial at most.
  bool is_finished() const { return is_finished_; }
  // As it was opened.
  const FileStat& stat() const { return stat_; }

  // The second pass: appends the archive file to `staged` and gives its CRC-32. kRetry when the
  // file has changed since measure(). REQUIRES: measure() was ok.
  Result<std::uint32_t> compress(int level, StagedFile& staged) const;

  // Both in one pass, for half the time, when it is the stamp of the file that tells whether it has
  // changed meanwhile: kRetry then. The hash takes its place in the header last.
  Result<std::uint32_t> pack(Completeness completeness, int level, StagedFile& staged);

 private:
  PgWalFile(Options options, std::unique_ptr<File> file, FileStat stat)
      : options_(std::move(options)), file_(std::move(file)), stat_(stat) {}

  class Survey;

  Result<void> read_header();
  Result<void> read_all(const std::function<Result<void>(ByteView raw)>& sink) const;
  Error changed() const;

  Options options_;
  std::unique_ptr<File> file_;
  FileStat stat_;
  FileFacts facts_;
  std::uint32_t block_bytes_ = 0;
  std::uint32_t raw_crc32_ = 0;
  bool is_finished_ = true;
};

// compress() and the store's durable order. What ArchiveStore::commit says.
Result<PutOutcome> archive_pg_wal_file(ArchiveStore& store, const PgWalFile& file, int level);

}  // namespace pgwalship
