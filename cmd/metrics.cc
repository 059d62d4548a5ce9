#include "cmd/metrics.h"

#include "cmd/report_fields.h"

#include <array>
#include <initializer_list>
#include <limits>

namespace pgwalship {
namespace {

using enum Metric::Type;

// How a field becomes a number.
enum class Reading {
  kNumber,        // as it is
  kMilliseconds,  // in seconds
  kNumberOrZero,  // 0 when the part is there and has no such field
  kAge,           // when that was, seconds since 1970
  kFlag,          // 1 or 0
  kWords,         // 1 when something is said: what went wrong
  kLength,        // of a list
};

// A metric that is one field of the report.
struct Figure {
  std::string_view name;
  Metric::Type type;
  const char* part;  // of the report; "": itself; "peers": a sample for each peer
  const char* field;
  std::string_view help;
  Reading reading = Reading::kNumber;
};

constexpr auto kFigures = std::to_array<Figure>({
    {"pgwalship_start_time_seconds", kGauge, "daemon", "uptime_seconds",
     "When the daemon started, seconds since 1970.", Reading::kAge},

    {"pgwalship_quorum_held", kGauge, "quorum", "held",
     "1 while a push can be acknowledged by the peers that are up.", Reading::kFlag},
    {"pgwalship_quorum_state_seconds", kGauge, "quorum", "since_seconds",
     "For how long the quorum has been held, or has not."},

    {"pgwalship_peer_state_seconds", kGauge, "peers", "since_seconds",
     "For how long the peer has been in its state."},
    {"pgwalship_peer_counts", kGauge, "peers", "counts",
     "1 while the peer counts towards the quorum.", Reading::kFlag},
    {"pgwalship_peer_lag_segments", kGauge, "peers", "backlog", "Known files that the peer lacks."},
    {"pgwalship_peer_lag_seconds", kGauge, "peers", "lag_seconds",
     "For how long the peer has lacked some file without a pause."},
    {"pgwalship_peer_in_flight_files", kGauge, "peers", "in_flight",
     "Files sent to the peer and not answered yet."},
    {"pgwalship_peer_round_trip_seconds", kGauge, "peers", "round_trip_ms",
     "Round trip of the last keepalive.", Reading::kMilliseconds},
    {"pgwalship_peer_clock_offset_seconds", kGauge, "peers", "clock_offset_seconds",
     "How far the peer's clock is ahead of this node's; negative: behind."},
    {"pgwalship_peer_clock_offset_error_seconds", kGauge, "peers", "clock_offset_error_seconds",
     "By how much the offset of the peer's clock may be wrong, either way."},
    {"pgwalship_peer_configuration_differs", kGauge, "peers", "configuration_differs",
     "1 when the peer has another [cluster] section.", Reading::kFlag},
    {"pgwalship_peer_connects_total", kCounter, "peers", "connects",
     "Sessions made with the peer; more than one: it was lost in between."},
    {"pgwalship_peer_sent_files_total", kCounter, "peers", "files_sent",
     "Files that the peer stored from this node."},
    {"pgwalship_peer_files_by_hash_total", kCounter, "peers", "files_acknowledged_by_hash",
     "Files that the peer made from its own pg_wal and acknowledged by their hash."},
    {"pgwalship_peer_sent_bytes_total", kCounter, "peers", "bytes_sent",
     "Bytes sent over the link."},
    {"pgwalship_peer_received_bytes_total", kCounter, "peers", "bytes_received",
     "Bytes received over the link."},

    {"pgwalship_pushed_bytes_total", kCounter, "push", "raw_bytes",
     "WAL acknowledged, before compression."},
    {"pgwalship_open_pushes", kGauge, "push", "open", "Pushes that wait for their verdict."},
    {"pgwalship_push_failing_seconds", kGauge, "push", "failing_seconds",
     "For how long no push was acknowledged since one failed; 0: the last one was, or its file was "
     "shipped since.",
     Reading::kNumberOrZero},
    {"pgwalship_last_push_timestamp_seconds", kGauge, "push", "last_age_seconds",
     "When a push was acknowledged last, seconds since 1970.", Reading::kAge},
    {"pgwalship_last_push_lsn_bytes", kGauge, "push", "last_lsn",
     "Where the last acknowledged segment starts, as a position in the WAL."},
    {"pgwalship_conflicts", kGauge, "", "conflicts",
     "Names with two contents that nobody has decided.", Reading::kLength},

    {"pgwalship_archive_files", kGauge, "archive", "files",
     "Files in the archive, whoever put them there."},
    {"pgwalship_archive_bytes", kGauge, "archive", "bytes", "Size of the files in the archive."},
    {"pgwalship_archive_arrived_files_total", kCounter, "archive", "arrived",
     "Files that others put into the archive: peers' daemons, mostly; and back-fill."},
    {"pgwalship_archive_free_bytes", kGauge, "archive", "free_bytes",
     "Free space of the archive's file system."},
    {"pgwalship_archive_minimum_free_bytes", kGauge, "archive", "minimum_free_bytes",
     "Below so much free space nothing is stored: [archive] minimum-free."},
    {"pgwalship_archive_complete", kGauge, "archive", "complete",
     "1 once this node's archive counts for its peers.", Reading::kFlag},
    {"pgwalship_archive_vanished", kGauge, "archive", "vanished",
     "1 while files that other hands took away may not all be back.", Reading::kFlag},
    {"pgwalship_archive_obstacles", kGauge, "archive", "obstacles",
     "Names of files in the archive that a directory, a link or the like has; 16 at most.",
     Reading::kLength},
    {"pgwalship_archive_missing_files", kGauge, "archive", "missing",
     "Files that peers have and this archive lacks."},
    {"pgwalship_archive_pulled_files_total", kCounter, "archive", "fetched",
     "Files that this archive lacked and took from peers."},
    {"pgwalship_archive_quarantined_files", kGauge, "archive", "quarantined",
     "Files in quarantine that need a look, conflicts aside.", Reading::kLength},
    {"pgwalship_archive_quarantine_files", kGauge, "archive", "quarantine_files",
     "All files in quarantine, decided ones included: nothing goes by itself."},
    {"pgwalship_archive_reading", kGauge, "archive", "reading",
     "1 until the archive was read once since the start.", Reading::kFlag},

    {"pgwalship_fetched_bytes_total", kCounter, "restore", "fetched_bytes",
     "Compressed bytes of files fetched from peers, prefetch and repair included."},
    {"pgwalship_prefetched_files_total", kCounter, "restore", "fetched_ahead",
     "Files fetched ahead of a recovery."},
    {"pgwalship_bad_copies_total", kCounter, "restore", "bad_copies",
     "Copies in this archive that were found bad."},
    {"pgwalship_repaired_copies_total", kCounter, "restore", "bad_copies_replaced",
     "Of these, those that were replaced from a peer."},

    {"pgwalship_back_filled_files_total", kCounter, "back_fill", "stored",
     "Files archived from this server's own pg_wal."},
    {"pgwalship_back_fill_missed_files_total", kCounter, "back_fill", "missed",
     "Files of pg_wal that were recycled before they could be archived."},
    {"pgwalship_back_fill_waiting_files", kGauge, "back_fill", "waiting",
     "Files of pg_wal still to be archived."},
    {"pgwalship_back_fill_failing", kGauge, "back_fill", "last_error",
     "1 when what was tried last of pg_wal could not be archived.", Reading::kWords},

    {"pgwalship_look_ahead_shipped_files_total", kCounter, "look_ahead", "shipped",
     "Files shipped before PostgreSQL handed them over."},
    {"pgwalship_look_ahead_answered_pushes_total", kCounter, "look_ahead", "answered",
     "Pushes that were answered without being made."},
    {"pgwalship_look_ahead_waiting_files", kGauge, "look_ahead", "waiting",
     "Files that are ready and not shipped yet."},
    {"pgwalship_look_ahead_unasked_files", kGauge, "look_ahead", "ahead",
     "Files on the quorum that PostgreSQL has not handed over yet."},
    {"pgwalship_look_ahead_unasked_seconds", kGauge, "look_ahead", "unasked_seconds",
     "For how long a primary has asked for nothing although files wait for its archive_command; 0: "
     "it asks.",
     Reading::kNumberOrZero},

    {"pgwalship_scrub_read_files", kGauge, "scrub", "read",
     "Files read in this pass of the scrub."},
    {"pgwalship_scrub_last_pass_timestamp_seconds", kGauge, "scrub", "last_pass_age_seconds",
     "When the scrub had read the whole archive last, seconds since 1970.", Reading::kAge},

    {"pgwalship_expired_files_total", kCounter, "retention", "removed",
     "Files that retention removed."},
    {"pgwalship_retention_last_run_timestamp_seconds", kGauge, "retention", "last_age_seconds",
     "When retention ran last, seconds since 1970.", Reading::kAge},
    {"pgwalship_retention_held_back", kGauge, "retention", "trouble",
     "1 when the last run had to keep what the rules let go.", Reading::kWords},

    {"pgwalship_postgresql_up", kGauge, "postgresql", "reachable",
     "1 when this node's PostgreSQL answers; with [postgres] conninfo.", Reading::kFlag},
    {"pgwalship_postgresql_elsewhere", kGauge, "postgresql", "elsewhere",
     "1 when PostgreSQL answers and no server runs in [postgres] data-directory; with conninfo.",
     Reading::kFlag},
    {"pgwalship_ready_segments", kGauge, "postgresql", "ready",
     "Finished files that PostgreSQL still has to archive (.ready)."},
    {"pgwalship_oldest_ready_age_seconds", kGauge, "postgresql", "oldest_ready_age_seconds",
     "How long the oldest of them waits."},
    {"pgwalship_unarchived_segments", kGauge, "postgresql", "unarchived_segments",
     "Finished segments behind the server's position that it has not archived; with conninfo."},
    {"pgwalship_unrescued_files", kGauge, "postgresql", "unarchived",
     "Files that a stopped PostgreSQL never archived and the archive lacks."},
    {"pgwalship_postgresql_archived_files_total", kCounter, "postgresql", "archived",
     "archived_count of pg_stat_archiver."},
    {"pgwalship_postgresql_archive_failures_total", kCounter, "postgresql", "failed",
     "failed_count of pg_stat_archiver."},
    {"pgwalship_pg_wal_free_bytes", kGauge, "pg_wal", "free_bytes",
     "Free space of pg_wal's file system."},
    {"pgwalship_pg_wal_size_bytes", kGauge, "pg_wal", "wal_bytes",
     "Size of the segments in pg_wal."},
});

constexpr std::array kPeerStates{"down",    "comparing", "catching_up",
                                 "pulling", "current",   "behind"};
constexpr std::array kRoles{"primary", "standby", "recovering", "stopped"};
constexpr std::array kPgWalStates{"unknown", "ok", "warning", "critical"};
constexpr std::array kAlarms{"beyond_fork", "before_fork", "wrong_parent", "split_brain"};

std::optional<double> as_number(std::optional<bool> flag) {
  return flag ? std::optional(*flag ? 1.0 : 0.0) : std::nullopt;
}

std::optional<double> known_if(bool is_known, double value) {
  return is_known ? std::optional(value) : std::nullopt;
}

class Writer {
 public:
  explicit Writer(const ReportJson& report) : report_(report) {}

  std::vector<Metric> run() {
    daemon();
    for (const Figure& figure : kFigures) {
      take(figure);
    }
    peers();
    pushes();
    archive();
    timelines();
    restore();
    postgresql();
    return std::move(metrics_);
  }

 private:
  void add(std::string_view name, Metric::Type type, std::string_view help) {
    metrics_.push_back({.name = name, .type = type, .help = help});
  }
  void gauge(std::string_view name, std::string_view help, std::optional<double> value) {
    add(name, kGauge, help);
    sample({}, value);
  }
  void sample(Metric::Labels labels, std::optional<double> value) {
    if (value) {
      metrics_.back().samples.push_back({std::move(labels), *value});
    }
  }
  // 1 for the current word, 0 for the others.
  template <typename Words>
  void one_of(const char* label, const Words& words, const std::string& current,
              const Metric::Labels& labels = {}) {
    for (const char* word : words) {
      Metric::Labels all = labels;
      all.emplace_back(label, word);
      sample(std::move(all), current == word ? 1 : 0);
    }
  }
  // The fields of a part that are counts by outcome.
  void outcomes(std::string_view name, std::string_view help, const ReportJson& counts,
                std::initializer_list<const char*> words) {
    add(name, kCounter, help);
    for (const char* word : words) {
      sample({{"outcome", word}}, report_number(counts, word));
    }
  }

  const ReportJson& part(const char* name) const { return report_field(report_, name); }
  const ReportJson& pg_wal() const { return report_field(part("postgresql"), "pg_wal"); }
  static Metric::Labels labels_of(const ReportJson& peer) {
    return {{"peer", report_text(peer, "node")}};
  }

  void take(const Figure& figure) {
    add(figure.name, figure.type, figure.help);
    const std::string_view from = figure.part;
    if (from == "peers") {
      for (const ReportJson& peer : report_list(report_, "peers")) {
        sample(labels_of(peer), read(figure, peer));
      }
      return;
    }
    sample({}, read(figure, from.empty()       ? report_
                            : from == "pg_wal" ? pg_wal()
                                               : part(figure.part)));
  }

  std::optional<double> timestamp(std::optional<double> age) const {
    const auto now = report_number(report_, "time");
    return now && age ? std::optional(*now - *age) : std::nullopt;
  }
  std::optional<double> read(const Figure& figure, const ReportJson& object) const {
    const auto number = report_number(object, figure.field);
    switch (figure.reading) {
      case Reading::kNumber:
        return number;
      case Reading::kMilliseconds: {
        constexpr double kPerMillisecond = 0.001;
        return number ? std::optional(*number * kPerMillisecond) : std::nullopt;
      }
      case Reading::kNumberOrZero:
        return known_if(object.is_object(), number.value_or(0));
      case Reading::kAge:
        return timestamp(number);
      case Reading::kFlag:
        return as_number(report_flag(object, figure.field));
      case Reading::kWords:
        return known_if(object.is_object(), report_text(object, figure.field).empty() ? 0 : 1);
      case Reading::kLength: {
        const ReportJson& list = report_field(object, figure.field);
        return known_if(list.is_array(), static_cast<double>(list.size()));
      }
    }
    return std::nullopt;
  }

  void daemon() {
    const bool up = report_.is_object();
    gauge("pgwalship_up", "1 when the daemon answered in time.", up ? 1 : 0);
    add("pgwalship_build_info", kGauge, "Always 1; the version is a label.");
    if (up) {
      sample({{"version", report_text(part("daemon"), "version")}}, 1);
    }
  }

  void peers() {
    add("pgwalship_peer_state", kGauge, "1 for the state the peer is in, 0 for the others.");
    for (const ReportJson& peer : report_list(report_, "peers")) {
      one_of("state", kPeerStates, report_text(peer, "state"), labels_of(peer));
    }
  }

  void pushes() {
    const ReportJson& push = part("push");
    outcomes("pgwalship_pushes_total", "Pushes by what became of them.", push,
             {"acknowledged", "failed"});
    add("pgwalship_push_duration_seconds", kHistogram,
        "How long acknowledged pushes took, as the daemon sees it.");
    latency(report_field(push, "latency"));
  }

  void latency(const ReportJson& latency) {
    Metric::Histogram& histogram = metrics_.back().histogram;
    histogram.sum = report_number_or_zero(latency, "sum_seconds");
    for (const ReportJson& bound : report_list(latency, "bounds_seconds")) {
      histogram.bounds.push_back(bound.is_number() ? bound.get<double>() : 0);
    }
    for (const ReportJson& count : report_list(latency, "counts")) {
      histogram.counts.push_back(count.is_number_unsigned() ? count.get<std::uint64_t>() : 0);
    }
    if (histogram.counts.size() != histogram.bounds.size() + 1) {
      histogram = {};
    }
  }

  void archive() {
    const ReportJson& archive = part("archive");
    const bool is_readable =
        report_text(archive, "error").empty() || report_flag(archive, "reading").value_or(false);
    gauge("pgwalship_archive_readable", "0 when the archive cannot be read.",
          known_if(archive.is_object(), is_readable ? 1 : 0));
    // The last error stays when the files came by another way.
    const bool is_failing = report_number_or_zero(archive, "missing") > 0 &&
                            !report_text(archive, "fetch_error").empty();
    gauge("pgwalship_archive_fetch_failing",
          "1 when files that are missing here cannot be fetched.",
          known_if(archive.is_object(), is_failing ? 1 : 0));
  }

  void timelines() {
    const ReportJson& timelines = part("timelines");
    const bool is_known = timelines.is_object();
    const auto sum = [&](const char* field) {
      double total = 0;
      for (const ReportJson& trouble : report_list(timelines, "troubles")) {
        total += report_number_or_zero(trouble, field);
      }
      return known_if(is_known, total);
    };
    gauge("pgwalship_archive_gaps", "Gaps in the archive, on all timelines.", sum("gaps"));
    gauge("pgwalship_archive_missing_segments",
          "Segments in gaps at which every recovery past them stops.", sum("needed_segments"));
    gauge("pgwalship_timeline_contradictions", "Contradictions between timelines of the archive.",
          sum("contradictions"));
    add("pgwalship_timeline_alarms", kGauge,
        "Segments pushed since the start that fit no timeline, by what is wrong.");
    for (const char* kind : kAlarms) {
      double segments = 0;
      for (const ReportJson& alarm : report_list(timelines, "alarms")) {
        segments +=
            report_text(alarm, "kind") == kind ? report_number_or_zero(alarm, "segments") : 0;
      }
      sample({{"kind", kind}}, known_if(is_known, segments));
    }
  }

  void restore() {
    outcomes("pgwalship_fetches_total",
             "What clients asked the daemon for, by the answer; what they found in the local "
             "archive by themselves is not counted.",
             part("restore"), {"found", "absent", "unanswered"});
  }

  void postgresql() {
    const ReportJson& server = part("postgresql");
    const std::string role = report_text(server, "role");
    add("pgwalship_postgresql_role", kGauge,
        "1 for what PostgreSQL is, 0 for the others; not known: all are 0.");
    if (!role.empty()) {
      one_of("role", kRoles, role);
    }
    gauge("pgwalship_postgresql_primary", "1 while it is a primary.",
          known_if(!role.empty() && role != "unknown", role == "primary" ? 1 : 0));
    // What it said last is old while it does not answer: as a time it would wander.
    const bool answers = report_flag(server, "reachable").value_or(false);
    gauge("pgwalship_postgresql_foreign",
          "1 when PostgreSQL is of another cluster than the archive; while it answers.",
          known_if(answers, report_text(server, "error").empty() ? 0 : 1));
    gauge("pgwalship_postgresql_last_archived_timestamp_seconds",
          "When PostgreSQL's archive_command succeeded last, seconds since 1970; while it answers.",
          answers ? timestamp(report_number(server, "last_archived_age_seconds")) : std::nullopt);
    const ReportJson& space = pg_wal();
    gauge("pgwalship_pg_wal_full_seconds",
          "In how long pg_wal's file system is full at the present rate; +Inf: it is not filling "
          "up.",
          known_if(space.is_object(), report_number(space, "full_in_seconds")
                                          .value_or(std::numeric_limits<double>::infinity())));
    add("pgwalship_pg_wal_state", kGauge,
        "1 for what the forecast says of pg_wal, 0 for the others.");
    if (space.is_object()) {
      one_of("state", kPgWalStates, report_text(space, "state"));
    }
  }

  const ReportJson& report_;
  std::vector<Metric> metrics_;
};

}  // namespace

std::vector<Metric> metrics_of(std::string_view report) {
  const ReportJson json = ReportJson::parse(report, nullptr, false);
  return Writer(json).run();
}

}  // namespace pgwalship
