// The file that PostgreSQL hands over. It is read twice at the same time, by two threads: for its
// hash, which the archive file begins with, and to compress it; what the two passes read must be
// the same bytes (H12). Blocks on the disk.
#pragma once

#include "base/file_system.h"
#include "transport/frame.h"
#include "wal/gzip.h"
#include "wal/segment_name.h"

#include <functional>
#include <future>
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

  // The one pass; any thread, at the same time as the other.
  struct Measured {
    Sha256 sha256;
    std::uint32_t crc32 = 0;
  };
  Result<Measured> measure() const;

  // The other pass. What is compressed waits in memory for the result of measure(), up to
  // kAheadBytesMax; from then on `announce` has the facts, and `sink` gets the archive file in
  // pieces of at most kDataBytesMax. Both may stop it.
  // Gives the CRC-32 of all pieces, nothing when it was stopped, kRetry when the file has changed
  // or the two passes have read different bytes.
  enum class Next { kGoOn, kStop };
  struct Recipient {
    std::function<Result<Next>(const FileFacts& facts)> announce;
    std::function<Result<Next>(ByteView piece)> sink;
  };
  using Measuring = std::future<Result<Measured>>;
  Result<std::optional<std::uint32_t>> compress(int level, Measuring measuring,
                                                const Recipient& recipient) const;
  // A segment of the usual size whole, however badly it compresses.
  static constexpr std::size_t kAheadBytesMax = std::size_t{32} << 20;

 private:
  PushSource(Options options, std::unique_ptr<File> file, FileStat stat)
      : options_(std::move(options)), file_(std::move(file)), stat_(stat) {}

  Result<void> read_header();
  Result<void> read_all(const File& file,
                        const std::function<Result<Next>(ByteView raw)>& sink) const;
  Result<void> check_unchanged() const;
  Error changed() const;

  Options options_;
  std::unique_ptr<File> file_;
  FileStat stat_;
  FileFacts facts_;  // all but the hash
};

}  // namespace pgwalship
