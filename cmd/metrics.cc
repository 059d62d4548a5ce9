#include "cmd/metrics.h"

#include "cmd/report_fields.h"

#include <array>
#include <limits>

namespace pgwalship {
namespace {

using Type = Metric::Type;

constexpr std::array kPeerStates{"down",    "comparing", "catching_up",
                                 "pulling", "current",   "behind"};
constexpr std::array kPgWalStates{"unknown", "ok", "warning", "critical"};
constexpr std::array kAlarms{"beyond_fork", "before_fork", "wrong_parent", "split_brain"};

class Writer {
 public:
  explicit Writer(const ReportJson& report) : report_(report) {}

  std::vector<Metric> run() {
    daemon();
    quorum();
    peers();
    pushes();
    archive();
    restore();
    care();
    postgresql();
    return std::move(metrics_);
  }

 private:
  void add(std::string_view name, Type type, std::string_view help) {
    metrics_.push_back({.name = name, .type = type, .help = help});
  }
  void add(std::string_view name, Type type, std::string_view help, std::optional<double> value) {
    add(name, type, help);
    if (value) {
      sample({}, *value);
    }
  }
  void sample(Metric::Labels labels, double value) {
    metrics_.back().samples.push_back({std::move(labels), value});
  }
  template <typename Words>
  void one_of(const Words& words, const std::string& current, const Metric::Labels& labels) {
    for (const char* word : words) {
      Metric::Labels all = labels;
      all.emplace_back("state", word);
      sample(std::move(all), current == word ? 1 : 0);
    }
  }
  const ReportJson& part(const char* name) const { return report_field(report_, name); }
  static std::optional<double> as_number(std::optional<bool> flag) {
    return flag ? std::optional(*flag ? 1.0 : 0.0) : std::nullopt;
  }
  std::optional<double> timestamp(const ReportJson& object, const char* age) const {
    const auto now = report_number(report_, "time");
    const auto seconds = report_number(object, age);
    return now && seconds ? std::optional(*now - *seconds) : std::nullopt;
  }
  // One sample for each peer.
  void each_peer(std::string_view name, Type type, std::string_view help, const char* field,
                 double factor = 1) {
    add(name, type, help);
    for (const ReportJson& peer : report_list(report_, "peers")) {
      const auto value = report_number(peer, field);
      if (value) {
        sample({{"peer", report_text(peer, "node")}}, *value * factor);
      }
    }
  }
  void each_peer_flag(std::string_view name, std::string_view help, const char* field) {
    add(name, Type::kGauge, help);
    for (const ReportJson& peer : report_list(report_, "peers")) {
      if (const auto value = as_number(report_flag(peer, field))) {
        sample({{"peer", report_text(peer, "node")}}, *value);
      }
    }
  }

  void daemon() {
    const bool up = report_.is_object();
    add("pgwalship_up", Type::kGauge, "1 when the daemon answered in time.", up ? 1 : 0);
    add("pgwalship_build_info", Type::kGauge, "Always 1; the version is a label.");
    if (up) {
      sample({{"version", report_text(part("daemon"), "version")}}, 1);
    }
    add("pgwalship_start_time_seconds", Type::kGauge,
        "When the daemon started, seconds since 1970.",
        timestamp(part("daemon"), "uptime_seconds"));
  }

  void quorum() {
    const ReportJson& quorum = part("quorum");
    add("pgwalship_quorum_held", Type::kGauge,
        "1 while a push can be acknowledged by the peers that are up.",
        as_number(report_flag(quorum, "held")));
    add("pgwalship_quorum_state_seconds", Type::kGauge,
        "For how long the quorum has been held, or has not.",
        report_number(quorum, "since_seconds"));
  }

  void peers() {
    add("pgwalship_peer_state", Type::kGauge, "1 for the state the peer is in, 0 for the others.");
    for (const ReportJson& peer : report_list(report_, "peers")) {
      one_of(kPeerStates, report_text(peer, "state"), {{"peer", report_text(peer, "node")}});
    }
    each_peer("pgwalship_peer_state_seconds", Type::kGauge,
              "For how long the peer has been in its state.", "since_seconds");
    each_peer_flag("pgwalship_peer_counts", "1 while the peer counts towards the quorum.",
                   "counts");
    each_peer("pgwalship_peer_lag_segments", Type::kGauge, "Known files that the peer lacks.",
              "backlog");
    each_peer("pgwalship_peer_lag_seconds", Type::kGauge,
              "For how long the peer has lacked some file without a pause.", "lag_seconds");
    each_peer("pgwalship_peer_in_flight_files", Type::kGauge,
              "Files sent to the peer and not answered yet.", "in_flight");
    constexpr double kPerMillisecond = 0.001;
    each_peer("pgwalship_peer_round_trip_seconds", Type::kGauge,
              "Round trip of the last keepalive.", "round_trip_ms", kPerMillisecond);
    each_peer("pgwalship_peer_clock_offset_seconds", Type::kGauge,
              "How far the peer's clock is ahead of this node's; negative: behind.",
              "clock_offset_seconds");
    each_peer_flag("pgwalship_peer_configuration_differs",
                   "1 when the peer has another [cluster] section.", "configuration_differs");
    each_peer("pgwalship_peer_connects_total", Type::kCounter,
              "Sessions made with the peer; more than one: it was lost in between.", "connects");
    each_peer("pgwalship_peer_sent_files_total", Type::kCounter,
              "Files that the peer stored from this node.", "files_sent");
    each_peer("pgwalship_peer_files_by_hash_total", Type::kCounter,
              "Files that the peer made from its own pg_wal and acknowledged by their hash.",
              "files_acknowledged_by_hash");
    each_peer("pgwalship_peer_sent_bytes_total", Type::kCounter, "Bytes sent over the link.",
              "bytes_sent");
    each_peer("pgwalship_peer_received_bytes_total", Type::kCounter,
              "Bytes received over the link.", "bytes_received");
  }

  void pushes() {
    const ReportJson& push = part("push");
    add("pgwalship_pushes_total", Type::kCounter, "Pushes by what became of them.");
    for (const char* outcome : {"acknowledged", "failed"}) {
      if (const auto count = report_number(push, outcome)) {
        sample({{"outcome", outcome}}, *count);
      }
    }
    add("pgwalship_pushed_bytes_total", Type::kCounter, "WAL acknowledged, before compression.",
        report_number(push, "raw_bytes"));
    add("pgwalship_push_duration_seconds", Type::kHistogram,
        "How long acknowledged pushes took, as the daemon sees it.");
    latency(report_field(push, "latency"));
    add("pgwalship_open_pushes", Type::kGauge, "Pushes that wait for their verdict.",
        report_number(push, "open"));
    add("pgwalship_push_failing_seconds", Type::kGauge,
        "For how long no push was acknowledged since one failed; 0: the last one was.");
    if (push.is_object()) {
      sample({}, report_number_or_zero(push, "failing_seconds"));
    }
    add("pgwalship_last_push_timestamp_seconds", Type::kGauge,
        "When a push was acknowledged last, seconds since 1970.",
        timestamp(push, "last_age_seconds"));
    add("pgwalship_last_push_lsn_bytes", Type::kGauge,
        "Where the last acknowledged segment starts, as a position in the WAL.",
        report_number(push, "last_lsn"));
    add("pgwalship_conflicts", Type::kGauge, "Names with two contents that nobody has decided.");
    if (const ReportJson& conflicts = part("conflicts"); conflicts.is_array()) {
      sample({}, static_cast<double>(conflicts.size()));
    }
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
    add("pgwalship_archive_files", Type::kGauge, "Files in the archive, whoever put them there.",
        report_number(archive, "files"));
    add("pgwalship_archive_bytes", Type::kGauge,
        "Size of the files in the archive; looked at every five minutes.",
        report_number(archive, "bytes"));
    add("pgwalship_archive_arrived_files_total", Type::kCounter,
        "Files that others put into the archive: peers' daemons, mostly; and back-fill.",
        report_number(archive, "arrived"));
    add("pgwalship_archive_free_bytes", Type::kGauge, "Free space of the archive's file system.",
        report_number(archive, "free_bytes"));
    add("pgwalship_archive_minimum_free_bytes", Type::kGauge,
        "Below so much free space nothing is stored: [archive] minimum-free.",
        report_number(archive, "minimum_free_bytes"));
    add("pgwalship_archive_complete", Type::kGauge,
        "1 once this node's archive counts for its peers.",
        as_number(report_flag(archive, "complete")));
    const std::string error = report_text(archive, "error");
    add("pgwalship_archive_readable", Type::kGauge, "0 when the archive cannot be read.");
    if (archive.is_object()) {
      sample({}, error.empty() || report_flag(archive, "reading").value_or(false) ? 1 : 0);
    }
    add("pgwalship_archive_missing_files", Type::kGauge,
        "Files that peers have and this archive lacks.", report_number(archive, "missing"));
    add("pgwalship_archive_pulled_files_total", Type::kCounter,
        "Files that this archive lacked and took from peers.", report_number(archive, "fetched"));
    add("pgwalship_archive_quarantined_files", Type::kGauge,
        "Files in quarantine that need a look, conflicts aside.");
    if (const ReportJson& files = report_field(archive, "quarantined"); files.is_array()) {
      sample({}, static_cast<double>(files.size()));
    }
    timelines();
  }

  void timelines() {
    const ReportJson& timelines = part("timelines");
    double gaps = 0;
    double needed = 0;
    for (const ReportJson& trouble : report_list(timelines, "troubles")) {
      gaps += report_number_or_zero(trouble, "gaps");
      needed += report_number_or_zero(trouble, "needed_segments");
    }
    const bool known = timelines.is_object();
    add("pgwalship_archive_gaps", Type::kGauge, "Gaps in the archive, on all timelines.",
        known ? std::optional(gaps) : std::nullopt);
    add("pgwalship_archive_missing_segments", Type::kGauge,
        "Segments in gaps at which every recovery past them stops.",
        known ? std::optional(needed) : std::nullopt);
    add("pgwalship_timeline_alarms", Type::kGauge,
        "Segments pushed since the start that fit no timeline, by what is wrong.");
    for (const char* kind : kAlarms) {
      double segments = 0;
      for (const ReportJson& alarm : report_list(timelines, "alarms")) {
        segments +=
            report_text(alarm, "kind") == kind ? report_number_or_zero(alarm, "segments") : 0;
      }
      if (known) {
        sample({{"kind", kind}}, segments);
      }
    }
  }

  void restore() {
    const ReportJson& restore = part("restore");
    add("pgwalship_fetches_total", Type::kCounter,
        "What clients asked the daemon for, by the answer; what they found in the local archive by "
        "themselves is not counted.");
    for (const char* outcome : {"found", "absent", "unanswered"}) {
      if (const auto count = report_number(restore, outcome)) {
        sample({{"outcome", outcome}}, *count);
      }
    }
    add("pgwalship_fetched_bytes_total", Type::kCounter,
        "Compressed bytes of files fetched from peers, prefetch and repair included.",
        report_number(restore, "fetched_bytes"));
    add("pgwalship_prefetched_files_total", Type::kCounter, "Files fetched ahead of a recovery.",
        report_number(restore, "fetched_ahead"));
    add("pgwalship_bad_copies_total", Type::kCounter, "Copies in this archive that were found bad.",
        report_number(restore, "bad_copies"));
    add("pgwalship_repaired_copies_total", Type::kCounter,
        "Of these, those that were replaced from a peer.",
        report_number(restore, "bad_copies_replaced"));
  }

  void care() {
    const ReportJson& fill = part("back_fill");
    add("pgwalship_back_filled_files_total", Type::kCounter,
        "Files archived from this server's own pg_wal.", report_number(fill, "stored"));
    add("pgwalship_back_fill_missed_files_total", Type::kCounter,
        "Files of pg_wal that were recycled before they could be archived.",
        report_number(fill, "missed"));
    add("pgwalship_back_fill_waiting_files", Type::kGauge, "Files of pg_wal still to be archived.",
        report_number(fill, "waiting"));
    const ReportJson& ahead = part("look_ahead");
    add("pgwalship_look_ahead_shipped_files_total", Type::kCounter,
        "Files shipped before PostgreSQL handed them over.", report_number(ahead, "shipped"));
    add("pgwalship_look_ahead_answered_pushes_total", Type::kCounter,
        "Pushes that were answered without being made.", report_number(ahead, "answered"));
    add("pgwalship_look_ahead_waiting_files", Type::kGauge,
        "Files that are ready and not shipped yet.", report_number(ahead, "waiting"));
    add("pgwalship_look_ahead_unasked_files", Type::kGauge,
        "Files on the quorum that PostgreSQL has not handed over yet.",
        report_number(ahead, "ahead"));
    const ReportJson& scrub = part("scrub");
    add("pgwalship_scrub_read_files", Type::kGauge, "Files read in this pass of the scrub.",
        report_number(scrub, "read"));
    add("pgwalship_scrub_last_pass_timestamp_seconds", Type::kGauge,
        "When the scrub had read the whole archive last, seconds since 1970.",
        timestamp(scrub, "last_pass_age_seconds"));
    const ReportJson& retention = part("retention");
    add("pgwalship_expired_files_total", Type::kCounter, "Files that retention removed.",
        report_number(retention, "removed"));
    add("pgwalship_retention_last_run_timestamp_seconds", Type::kGauge,
        "When retention ran last, seconds since 1970.", timestamp(retention, "last_age_seconds"));
    add("pgwalship_retention_held_back", Type::kGauge,
        "1 when the last run had to keep what the rules let go.");
    if (retention.is_object()) {
      sample({}, report_text(retention, "trouble").empty() ? 0 : 1);
    }
  }

  void postgresql() {
    const ReportJson& postgresql = part("postgresql");
    const std::string role = report_text(postgresql, "role");
    add("pgwalship_postgresql_up", Type::kGauge,
        "1 when this node's PostgreSQL answers; with [postgres] conninfo.",
        as_number(report_flag(postgresql, "reachable")));
    add("pgwalship_postgresql_primary", Type::kGauge, "1 while it is a primary.");
    if (!role.empty() && role != "unknown") {
      sample({}, role == "primary" ? 1 : 0);
    }
    add("pgwalship_ready_segments", Type::kGauge,
        "Finished files that PostgreSQL still has to archive (.ready).",
        report_number(postgresql, "ready"));
    add("pgwalship_oldest_ready_age_seconds", Type::kGauge, "How long the oldest of them waits.",
        report_number(postgresql, "oldest_ready_age_seconds"));
    add("pgwalship_unarchived_segments", Type::kGauge,
        "Finished segments behind the server's position that it has not archived; with conninfo.",
        report_number(postgresql, "unarchived_segments"));
    add("pgwalship_postgresql_archived_files_total", Type::kCounter,
        "archived_count of pg_stat_archiver.", report_number(postgresql, "archived"));
    add("pgwalship_postgresql_archive_failures_total", Type::kCounter,
        "failed_count of pg_stat_archiver.", report_number(postgresql, "failed"));
    const ReportJson& space = report_field(postgresql, "pg_wal");
    add("pgwalship_pg_wal_free_bytes", Type::kGauge, "Free space of pg_wal's file system.",
        report_number(space, "free_bytes"));
    add("pgwalship_pg_wal_size_bytes", Type::kGauge, "Size of the segments in pg_wal.",
        report_number(space, "wal_bytes"));
    add("pgwalship_pg_wal_full_seconds", Type::kGauge,
        "In how long pg_wal's file system is full at the present rate; +Inf: it is not filling "
        "up.");
    if (space.is_object()) {
      sample({}, report_number(space, "full_in_seconds")
                     .value_or(std::numeric_limits<double>::infinity()));
    }
    add("pgwalship_pg_wal_state", Type::kGauge,
        "1 for what the forecast says of pg_wal, 0 for the others.");
    if (space.is_object()) {
      one_of(kPgWalStates, report_text(space, "state"), {});
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
