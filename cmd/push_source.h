// The file that PostgreSQL hands over. It is read twice: first for its facts, which the archive
// file begins with, then to compress it; what the two passes read must be the same bytes (H12).
// One thread; blocks on the disk.
#pragma once

#include "base/file_system.h"
#include "transport/frame.h"
#include "wal/gzip.h"
#include "wal/segment_name.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace pgwalship {

class PushSource {
 public:
  // What .history and .backup files may have; PostgreSQL's are a few hundred bytes.
  static constexpr std::uint64_t kSmallFileBytesMax = 16U << 20;

  struct Options {
    std::string path;  // absolute
    WalName name;
    std::string origin;           // the node that pushes
    std::uint64_t system_id = 0;  // the cluster's, 0 when it is not known
  };

  // Looks at size and header. kInvalid: not a file that may be archived under this name (H11).
  static Result<PushSource> open(FileSystem& file_system, Options options);

  // The first pass; facts() are then complete.
  Result<void> measure();
  const FileFacts& facts() const { return facts_; }

  // The second pass. `sink` gets the archive file in pieces of at most kDataBytesMax and may stop.
  // Gives the CRC-32 of all pieces, nothing when it was stopped, kRetry when the file has changed
  // since measure().
  enum class Next { kGoOn, kStop };
  using Sink = std::function<Result<Next>(ByteView piece)>;
  Result<std::optional<std::uint32_t>> compress(int level, const Sink& sink) const;

 private:
  PushSource(Options options, std::unique_ptr<File> file, FileStat stat)
      : options_(std::move(options)), file_(std::move(file)), stat_(stat) {}

  Result<void> read_header();
  Result<void> read_all(const std::function<Result<Next>(ByteView raw)>& sink) const;
  Result<void> check_unchanged() const;
  Error changed() const;

  Options options_;
  std::unique_ptr<File> file_;
  FileStat stat_;
  FileFacts facts_;
  std::uint32_t raw_crc32_ = 0;
};

}  // namespace pgwalship
