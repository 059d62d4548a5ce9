// A backup history file (<segment>.<offset>.backup): what PostgreSQL archives when a base backup
// ends. It says which WAL the backup needs before it is of any use. Pure.
// Source: do_pg_backup_start and do_pg_backup_stop in PostgreSQL src/backend/access/transam/xlog.c:
//     START WAL LOCATION: 0/2000028 (file 000000010000000000000002)
//     STOP WAL LOCATION: 0/2000100 (file 000000010000000000000002)
//     CHECKPOINT LOCATION: 0/2000060
//     BACKUP METHOD: streamed
//     BACKUP FROM: primary
//     START TIME: 2026-11-25 08:00:00 UTC
//     LABEL: nightly
//     START TIMELINE: 1                         (since PostgreSQL 11, as the next two)
//     STOP TIME: 2026-11-25 08:00:01 UTC
//     STOP TIMELINE: 1
#pragma once

#include "base/result.h"
#include "wal/segment_name.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace pgwalship {

// PostgreSQL writes under 2 KiB: a label of at most MAXPGPATH (1024) and ten lines.
inline constexpr std::size_t kBackupLabelBytesMax = std::size_t{64} << 10;

struct BackupLabel {
  std::uint32_t start_timeline = 0;  // of the file's name where the file does not say
  std::uint32_t stop_timeline = 0;
  std::uint64_t start_lsn = 0;       // recovery reads from here,
  std::uint64_t stop_lsn = 0;        // and the backup is consistent once it has read up to here
  std::uint64_t checkpoint_lsn = 0;  // 0 when it does not say
  std::string start_time;            // as the server wrote it, with its time zone
  std::string stop_time;
  std::string label;   // one line of visible characters; others are shown as '?'
  std::string method;  // "streamed"
  std::string from;    // "primary" or "standby"
};

// kCorrupt, with the line, unless the file has both locations, these fit its name (the segment that
// holds the first byte), and stop is not before start. Lines of other keys are ignored. A label
// that holds line breaks cannot pretend to be another key.
// REQUIRES: name.kind() is kBackup.
Result<BackupLabel> parse_backup_label(const WalName& name, std::string_view text);

}  // namespace pgwalship
