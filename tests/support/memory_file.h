// An open file of MemoryFileSystem. It dies, with kIo, at the next crash() or restart().
#pragma once

#include "tests/support/memory_file_system.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace pgwalship {

class MemoryFile final : public File {
 public:
  using InodePointer = std::shared_ptr<MemoryInode>;
  enum class Access { kRead, kReadWrite };

  // With the mutex of `file_system` held.
  MemoryFile(MemoryFileSystem& file_system, InodePointer inode, std::string path, Access access,
             std::shared_ptr<MemoryInode::Lock> lock);
  ~MemoryFile() override;
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  Result<void> write_at(std::uint64_t offset, ByteView data) override;
  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) const override;
  Result<FileStat> stat() const override;
  Result<void> sync() override;
  Result<std::unique_ptr<File>> duplicate() const override;

 private:
  std::string doing(std::string_view verb) const;
  Result<void> check_alive(std::string_view verb) const;

  MemoryFileSystem& file_system_;
  const InodePointer inode_;
  const std::string path_;
  const Access access_;
  std::shared_ptr<MemoryInode::Lock> lock_;  // of create(); shared with duplicates
  const std::uint64_t boot_;
};

}  // namespace pgwalship
