// The disk of a simulated node, and a process's view of it. Every operation takes virtual time and
// may fail; other processes run in between; a killed process does nothing any more. What is lost
// when the machine crashes is MemoryFileSystem's business.
#pragma once

#include "base/directory_watch.h"
#include "base/file_system.h"
#include "tests/sim/schedule.h"
#include "tests/support/memory_file_system.h"

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace pgwalship::sim {

// Wrong orders, injected below the store: what it asks for does not happen. The checker must find
// out (mutations_test.cc).
enum class DiskLie {
  kNone,
  kSyncDoesNothing,           // acknowledged before the content is durable
  kDirectorySyncDoesNothing,  // acknowledged before the name is durable
  kLinkOverwrites,            // the last writer wins
};

class SimWatch;

struct NodeDisk {
  std::unique_ptr<MemoryFileSystem> memory = std::make_unique<MemoryFileSystem>();
  DiskLie lie = DiskLie::kNone;
  std::uint64_t failing_one_in = 0;  // operations; 0: none fails
  int slowness = 1;                  // every operation takes so many times longer
  // Called after a name in a directory was linked, renamed to, or removed.
  std::function<void(const std::string& path)> on_name_changed;
  std::vector<SimWatch*> watches;  // of living processes

  void name_changed(const std::string& path);
};

// inotify on one directory of a node: the process hears of a change in an event of its own.
class SimWatch final : public NameWatch {
 public:
  // `on_change` is called when changes wait. All is borrowed.
  SimWatch(NodeDisk& disk, std::string directory, std::function<void()> on_change);
  ~SimWatch() override;
  SimWatch(const SimWatch&) = delete;
  SimWatch& operator=(const SimWatch&) = delete;

  int fd() const override { return -1; }
  Changes take() override { return std::exchange(changes_, {}); }
  Result<Renewed> renew() override { return Renewed::kSame; }

 private:
  friend struct NodeDisk;
  NodeDisk& disk_;
  const std::string directory_;
  const std::function<void()> on_change_;
  Changes changes_;
};

class ProcessDisk final : public FileSystem {
 public:
  ProcessDisk(Process& process, NodeDisk& disk) : process_(process), disk_(disk) {}

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

 private:
  class OpenFile;
  enum class Cost { kLook, kChange, kSync };

  // Lets time pass; an error when the process did not live to do it, or the disk fails.
  Result<void> begin(Cost cost, const std::string& what) const;
  bool fails() const;  // throws the dice
  Result<std::unique_ptr<File>> wrap(Result<std::unique_ptr<File>> file);
  Result<void> changed(Result<void> result, const std::string& path);

  Process& process_;
  NodeDisk& disk_;
};

}  // namespace pgwalship::sim
