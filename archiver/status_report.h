// The JSON that `pgwalship status --json` prints, version 1: what the daemon knows, as data. The
// words in it are those of the log. Pure.
#pragma once

#include "archiver/archive_gauge.h"
#include "archiver/back_fill.h"
#include "archiver/conflict_watch.h"
#include "archiver/disk_facts.h"
#include "archiver/expire_service.h"
#include "archiver/look_ahead.h"
#include "archiver/peer_clocks.h"
#include "archiver/pg_wal_forecast.h"
#include "archiver/postgres_facts.h"
#include "archiver/push_service.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace pgwalship {

// The scrub, and what came ahead of recoveries.
struct CareFacts {
  bool scrubs = false;
  std::string position;  // the file that was read last in this pass
  std::uint64_t read = 0;
  std::uint64_t bad = 0;
  std::uint64_t repaired = 0;
  std::optional<double> last_pass_age_seconds;
  std::uint64_t last_bad = 0;
  std::uint64_t last_repaired = 0;
  std::uint64_t fetched_ahead = 0;
  // FetchService::Totals, which this floor does not see.
  std::uint64_t fetches_found = 0;
  std::uint64_t fetches_absent = 0;
  std::uint64_t fetches_unanswered = 0;
  std::uint64_t fetched_bytes = 0;
  std::uint64_t bad_copies = 0;
  std::uint64_t bad_copies_repaired = 0;
};

// The daemon itself.
struct DaemonFacts {
  std::string version;
  WallTime now{};  // as the clock of the machine has it
  Duration uptime{};
  std::uint64_t minimum_free_bytes = 0;  // of the archive's file system; 0: none is kept free
};

struct StatusInputs {
  const NodeList& nodes;
  std::string cluster;
  std::string archive_directory;
  std::string quorum;
  std::uint64_t config_digest = 0;
  const Shipper& shipper;
  const PushTotals& totals;
  const LinkSet& links;
  const DiskFacts& disk;
  const ArchiveIndex& archive;  // as far as it has been read
  TimePoint now{};
  const PostgresFacts* postgres = nullptr;  // null: not asked, or not answered yet
  CareFacts care = {};
  const TimelineWatch* timelines = nullptr;
  const ConflictWatch::Verdicts* verdicts = nullptr;  // about the conflicts in quarantine; or null
  ExpireService::View retention = {};
  PgWalForecast pg_wal{{}};
  const PushService* pushes = nullptr;          // for what peers acknowledged by hash
  const BackFill::View* back_fill = nullptr;    // null: not done, without data-directory
  const LookAhead::View* look_ahead = nullptr;  // null: it is off
  const PeerClocks* clocks = nullptr;           // null: nobody was asked
  ArchiveGauge::View archive_gauge = {};
  DaemonFacts daemon = {};
};
std::string status_json(const StatusInputs& inputs);

}  // namespace pgwalship
