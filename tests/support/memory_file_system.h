// MemoryFileSystem: a disk in memory that keeps only what was synced, and fails on request.
//
// The fault model, after LevelDB's fault_injection_test and TigerBeetle's storage.zig:
// - Content is durable after File::sync(). At crash() each un-synced file keeps nothing, all, the
//   first, or any mix of its un-synced 512-byte sectors, and its size may have grown ahead of them.
// - Names are durable after sync_directory(). At crash() each create, link, rename and remove that
//   was not synced has or has not happened, independent of the others: names vanish, removed names
//   come back. A rename is atomic as long as neither directory was synced after it; between two
//   directories each is durable only by its own sync, so sync the new one first.
// - Directories are made durably by make_directories() and never go.
// - A failed File::sync() leaves the un-synced sectors visible but lost: a later sync() of the same
//   file succeeds and does not save them. Writing them again does. A failed sync_directory() leaves
//   the names as they were: not durable.
// - A failed write has written the first half of its data; one that meets the end of the free space
//   what fitted. Every other failed operation has changed nothing.
// - The disk does not decay by itself; flip_byte() does that.
//
// Everything is deterministic: the same calls and the same Random give the same result. Any thread
// may call, but only one thread at a time gives determinism. Files must go before their file
// system.
#pragma once

#include "base/file_system.h"
#include "base/random.h"
#include "tests/support/fault_script.h"
#include "tests/support/memory_inode.h"

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace pgwalship {

class MemoryFileSystem final : public FileSystem {
 public:
  using Operation = FaultScript::Operation;
  using Fault = FaultScript::Fault;

  MemoryFileSystem() = default;

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

  void fail(Fault fault);
  void clear_faults();
  // Lets `count` more mutating operations happen; from then on everything fails with kIo, until
  // crash() or restart().
  void halt_after(std::uint64_t count);
  bool halted() const;
  // Mutating operations so far, failed ones included: with halt_after(), a crash at every step.
  std::uint64_t mutations() const;
  // Power failure and start: see the fault model. Files opened before fail with kIo from now on;
  // their locks are gone. Scripted faults stay.
  void crash(Random& random);
  // The processes died and the machine did not: as crash(), but nothing is lost.
  void restart();
  // From now on so many bytes can be added. Removing a file gives its bytes back.
  void set_free_bytes(std::uint64_t bytes);

  // The mutating operations in order: "create P", "write P", "sync P", "link P Q", "rename P Q",
  // "remove P", "syncdir P", "mkdir P"; a failed one has " failed" behind it.
  std::vector<std::string> operations() const;
  void clear_operations();

  // Shortcuts for tests; not logged, not counted, never failing. The path must make sense.
  void plant(const std::string& path, ByteView content);  // durable, with its directories
  Bytes content(const std::string& path) const;
  void flip_byte(const std::string& path, std::uint64_t offset);
  // Whether the name and all of the content survive any crash() from here.
  bool is_durable(const std::string& path) const;

 private:
  friend class MemoryFile;
  using InodePointer = std::shared_ptr<MemoryInode>;  // names and open files share it
  using Names = std::map<std::string, InodePointer>;

  struct Directory {
    Names current;
    Names synced;
  };
  struct NameChange {
    std::string directory;
    std::string name;
    InodePointer after;  // empty: the name goes
  };
  using NameChanges = std::vector<NameChange>;

  struct Place {
    std::string directory;
    std::string name;
  };

  enum class InUse { kRemove, kRefuse };

  // All of these with mutex_ held.
  Result<void> look(Operation operation, std::string_view verb, const std::string& path) const;
  Result<Place> locate(const std::string& path, const std::string& doing) const;
  Result<Place> locate_vacant(const std::string& path, const std::string& doing) const;
  Result<InodePointer> find_file(const std::string& path, const std::string& doing) const;
  InodePointer find_inode(const Place& place) const;
  void change_names(NameChanges changes);
  void release(const MemoryInode& inode);
  void begin_again();
  Result<void> rename_names(const std::string& from, const std::string& to,
                            const std::string& doing);
  Result<void> remove_name(const std::string& path, InUse in_use);
  Result<void> settle_names(const std::string& path, const std::string& doing);
  Result<void> make_directory(const std::string& path);
  Result<void> write(MemoryInode& inode, const std::string& path, std::uint64_t offset,
                     ByteView data);
  Result<void> sync(MemoryInode& inode, const std::string& path);
  static void write_name(Names& names, const NameChange& change);
  static FileStat stat_of(const MemoryInode& inode);

  mutable std::mutex mutex_;    // guards all that follows
  mutable FaultScript script_;  // counts down in operations that only look, too
  std::map<std::string, Directory> directories_{{"/", {}}};
  std::vector<NameChanges> unsynced_;  // in the order they were made
  std::uint64_t boots_ = 0;            // a File of an earlier one is dead
  std::uint64_t next_inode_ = 1;
  std::uint64_t used_bytes_ = 0;
  std::uint64_t capacity_bytes_ = std::uint64_t{1} << 40;
};

}  // namespace pgwalship
