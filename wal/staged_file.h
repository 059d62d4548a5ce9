// A file on its way into the archive, from ArchiveStore::stage() to commit(): (2) of the durable
// order in wal/archive_store.h. Destroying it before commit() leaves nothing behind. One thread at
// a time.
#pragma once

#include "base/file_system.h"
#include "base/result.h"
#include "wal/archive_file.h"
#include "wal/segment_name.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace pgwalship {

class StagedFile {
 public:
  ~StagedFile();
  StagedFile(const StagedFile&) = delete;
  StagedFile& operator=(const StagedFile&) = delete;

  const WalName& name() const { return name_; }
  std::uint64_t size() const { return size_; }
  std::uint32_t file_crc32() const { return crc32_; }
  // What is appended from now on is unpacked and verified as it comes, and handed on raw: commit()
  // with Content::kVerify has nothing left to read then. Before the first append(). A bad content
  // shows in commit(); an error of `raw` as well.
  void verify_as_it_comes(RawSink raw);
  // Takes that back: commit() reads it all. At any time before.
  void verify_in_commit();
  // What the file's header claims, once content was handed on; nothing for a legacy file.
  std::optional<FileFacts> claimed() const;
  Result<void> append(ByteView data);
  // Writes `after` over the first bytes, which were `before` and as many. Not with
  // verify_as_it_comes().
  Result<void> replace_start(ByteView before, ByteView after);
  // The bytes so far, for a thread that sends them on while the commit runs.
  Result<std::unique_ptr<File>> reader() const { return file_->duplicate(); }

 private:
  friend class ArchiveStore;
  StagedFile(FileSystem& file_system, WalName name, std::string path, std::unique_ptr<File> file);
  // Takes the temporary name away; the bytes stay for who has a reader.
  void discard();
  void check_content(ByteView data);
  Result<void> finish_content();

  FileSystem& file_system_;
  WalName name_;
  std::string path_;
  std::unique_ptr<File> file_;
  std::uint64_t size_ = 0;
  std::uint32_t crc32_ = 0;
  std::optional<ArchiveFileCheck> check_;  // as it comes; nothing: not wished
  RawSink raw_;
  Result<void> content_;  // so far
  bool discarded_ = false;
};

}  // namespace pgwalship
