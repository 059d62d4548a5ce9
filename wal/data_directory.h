// What the files of a PostgreSQL data directory say about its server, without asking it.
// Sources: src/backend/utils/init/miscinit.c (postmaster.pid), access/xlogarchive.c
// (archive_status), catalog/pg_control.h. Blocks on the disk.
#pragma once

#include "base/file_system.h"
#include "wal/segment_name.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace pgwalship {

// A file in pg_wal/archive_status: PostgreSQL's word about one file of pg_wal.
struct ArchiveMark {
  enum class Kind {
    kReady,  // to be archived
    kDone,   // archived; or, on a standby, not its business: the file was streamed or restored
  };
  WalName name;
  Kind kind = Kind::kDone;

  friend bool operator==(const ArchiveMark&, const ArchiveMark&) = default;
};

class DataDirectory {
 public:
  // Both are borrowed or copied; nothing is read yet.
  DataDirectory(FileSystem& file_system, std::string path)
      : file_system_(file_system), path_(std::move(path)) {}

  const std::string& path() const { return path_; }
  std::string pg_wal() const { return path_ + "/pg_wal"; }
  std::string archive_status() const { return pg_wal() + "/archive_status"; }

  // standby.signal or recovery.signal is there: what it archives itself is not all it has.
  bool is_in_recovery() const;
  // In archiving order; marks for other files are left out.
  Result<std::vector<ArchiveMark>> marks() const;
  // Valid names in pg_wal, in archiving order, .partial ones included.
  Result<std::vector<WalName>> wal_files() const;
  // From global/pg_control. kInvalid when that is none.
  Result<std::uint64_t> system_id() const;
  // The process whose postmaster.pid is there and that still runs with this directory as its own;
  // nothing when there is none. After a crash the file may name a process of another program.
  std::optional<int> running_server() const;

 private:
  FileSystem& file_system_;
  const std::string path_;
};

}  // namespace pgwalship
