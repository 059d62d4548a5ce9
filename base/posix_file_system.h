// The real disk behind base/file_system.h. The only caller of fsync, rename, link and unlink.
// Stateless: any thread, any number of processes.
#pragma once

#include "base/file_system.h"

namespace pgwalship {

class PosixFileSystem final : public FileSystem {
 public:
  Result<std::unique_ptr<File>> create(const std::string& path) override;
  Result<std::unique_ptr<File>> open(const std::string& path) override;
  Result<void> link(const std::string& from, const std::string& to) override;
  Result<void> rename(const std::string& from, const std::string& to) override;
  Result<void> remove(const std::string& path) override;
  Result<void> remove_abandoned(const std::string& path) override;
  Result<void> sync_directory(const std::string& path) override;
  Result<void> make_directories(const std::string& path) override;
  Result<std::vector<std::string>> list(const std::string& path) const override;
  Result<void> visit_files(const std::string& path, const FileVisitor& visitor) const override;
  Result<FileStat> stat(const std::string& path) const override;
  Result<std::uint64_t> free_bytes(const std::string& path) const override;
};

// Names of what is in the directory and no regular file: directories, links, sockets and the like.
Result<std::vector<std::string>> list_others(const std::string& path);
// Asks the kernel to begin writing a file to its disk, and does not wait: a later fsync has less to
// do. Nothing is durable by it, and where it is not possible nothing happens. Any thread.
void begin_write_back(const std::string& path);

}  // namespace pgwalship
