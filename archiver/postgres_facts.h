// What this node's PostgreSQL says about itself, and what of it is news. Pure.
#pragma once

#include "base/clock.h"
#include "base/log.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace pgwalship {

// One answer of the server; everything after `error` only when it was reachable.
struct PostgresFacts {
  enum class Role { kPrimary, kStandby };

  bool reachable = false;
  std::string error;        // why not, on one line
  std::string far_address;  // where it answers, when that is no address of this machine
  int server_version = 0;   // 150020, as server_version_num has it
  Role role = Role::kPrimary;
  std::uint64_t system_id = 0;
  std::uint32_t segment_bytes = 0;
  std::string archive_mode;  // this and the next three: as SHOW prints them
  std::string archive_command;
  std::string restore_command;
  std::string wal_level;
  std::uint64_t archived_count = 0;  // this and the next three: pg_stat_archiver
  std::uint64_t failed_count = 0;
  std::string last_archived_wal;
  std::string last_failed_wal;
  std::optional<double> last_archived_age_seconds;  // when the server was asked
  std::uint64_t redo_lsn = 0;                       // of its last checkpoint or restartpoint
  std::uint32_t timeline = 0;                       // of that
  std::uint64_t oldest_slot_lsn = 0;  // the oldest restart_lsn of its replication slots; 0: none
  std::string current_lsn;            // written on a primary; received or replayed on a standby
  std::uint32_t writes_timeline = 0;  // what a primary writes now is of this one
  std::uint64_t streamed_lsn = 0;     // durable on the standby that has the most; 0: none streams
  std::uint64_t hidden_standbys = 0;  // connected ones that this role may not look at
  bool elsewhere = false;             // no server runs in [postgres] data-directory
  TimePoint asked_at{};               // all of it is as old as that
};

// Keeps the latest answer for status, and turns changes into log lines: one for each change,
// however often the server is asked (H48).
class PostgresNews {
 public:
  struct Line {
    LogLevel level;
    std::string text;
  };

  // `archive_system_id` is what the archive is pinned to, 0 when it is not yet.
  std::vector<Line> take(PostgresFacts facts, std::uint64_t archive_system_id);

  // Nothing before the first answer. While the server is not reachable the other fields are those
  // of its last answer; `error` also says when it is the server of another cluster. `elsewhere` is
  // what two answers in a row had: after one it may have been stopped before anybody looked.
  const std::optional<PostgresFacts>& latest() const { return latest_; }

 private:
  std::optional<PostgresFacts> latest_;
  std::uint64_t foreign_id_ = 0;  // the one that was complained about
  bool seen_elsewhere_ = false;   // by the answer before
};

}  // namespace pgwalship
