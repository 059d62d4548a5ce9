// The spool: segments as PostgreSQL wants them, not compressed, ready for a client of this node
// that need only move one to where its recovery looks for it. The daemon writes them in the pass in
// which it verifies an archive file anyway.
//     <archive>/.pgwalship/ahead/<name>.<16 hex>.<16 hex>
// The first digits are the start of the SHA-256 that was computed while it was written. The others
// are its mark: the file's inode, size and time of modification and the boot of this machine,
// mixed. A file gets that name when it is whole and verified; until then it is in .pgwalship/tmp.
//
// The spool is no archive: what is in it may go at any moment, and is taken for nothing but what
// find() says. find() does not hash the content again. What it goes by, and what that leaves to
// trust, is in docs/durability.md, "The spool".
//
// The daemon alone writes; any number of clients take. A Spool may be used by several threads; one
// SpooledFile belongs to one.
#pragma once

#include "base/file_system.h"
#include "base/result.h"
#include "wal/archive_file.h"
#include "wal/archive_layout.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace pgwalship {

// Older files are not taken: by then the page cache may have let go of what was verified. A
// recovery that needs longer for its window of segments does not wait for unpacking.
inline constexpr std::chrono::seconds kSpoolFresh{60};

// Which boot of the machine this is; empty when the system does not say: then there is no spool.
std::string boot_of_machine(FileSystem& file_system);

// A segment on its way into the spool. Destroying it before publish() leaves nothing behind.
class SpooledFile {
 public:
  ~SpooledFile();
  SpooledFile(const SpooledFile&) = delete;
  SpooledFile& operator=(const SpooledFile&) = delete;

  // Nothing hangs on the spool: a failure here shows in publish().
  void append(ByteView raw);

 private:
  friend class Spool;
  SpooledFile(FileSystem& file_system, WalName name, FileFacts facts, std::string path,
              std::unique_ptr<File> file);

  FileSystem& file_system_;
  const WalName name_;
  const FileFacts facts_;
  const std::string path_;
  std::unique_ptr<File> file_;
  std::uint64_t size_ = 0;
  Result<void> written_;
};

// For who reads an archive file: it is unpacked into `file` on the way. Null: it is not.
RawSink spool_sink(SpooledFile* file);

class Spool {
 public:
  struct Options {
    std::string directory;                 // the archive's
    std::string boot;                      // of this machine; empty: there is no spool
    std::uint64_t minimum_free_bytes = 0;  // beside what is spooled
    std::uint64_t seed = 0;                // for names of temporary files; unique per process
    // Is told what was written, so that PostgreSQL's fsync finds little left to do; may be empty.
    std::function<void(const std::string& path)> write_back{};
  };

  Spool(FileSystem& file_system, Options options);
  Spool(const Spool&) = delete;
  Spool& operator=(const Spool&) = delete;

  // For the daemon, which writes. Removes what is there; makes the directory.
  Result<void> prepare();
  // For content with these facts. kNoSpace when less than minimum-free would be left.
  Result<std::unique_ptr<SpooledFile>> create(const WalName& name, const FileFacts& facts);
  // REQUIRES: the facts of what was appended were verified. Its path; empty when it could not be
  // written: then whoever wants it unpacks it. It is not made durable: a crash of the machine takes
  // its mark away with the boot.
  std::string publish(SpooledFile& file);
  Result<void> remove(const std::string& path) { return file_system_.remove(path); }

  // A file of the spool with the content that the archive's own file of that name has by `facts`.
  // Nothing for .history and .backup files, which are small.
  struct Found {
    std::string path;
    std::unique_ptr<File> file;  // for reading
  };
  std::optional<Found> find(const WalName& name, const FileFacts& facts, WallTime now) const;

 private:
  Result<std::string> name_and_move(SpooledFile& file);
  std::string name_of(const WalName& name, const Sha256& content, const FileStat& stat) const;

  FileSystem& file_system_;
  const ArchiveLayout layout_;
  const Options options_;
  std::atomic<std::uint64_t> unique_count_ = 0;
};

}  // namespace pgwalship
