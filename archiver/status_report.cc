#include "archiver/status_report.h"

#include "wal/lsn.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <set>
#include <utility>

namespace pgwalship {

namespace {

using Json = nlohmann::ordered_json;

double seconds_since(TimePoint then, TimePoint now) {
  return std::chrono::duration<double>(now - then).count();
}

Json peers_json(const StatusInputs& in) {
  Json peers = Json::array();
  for (NodeId id = 0; id < in.nodes.size(); ++id) {
    if (id == in.nodes.self) {
      continue;
    }
    const Shipper::PeerView& view = in.shipper.peer(id);
    const LinkCounters counters = in.links.counters(id);
    const Hello* hello = in.links.hello(id);
    Json peer{{"node", in.nodes.at(id).name},
              {"site", in.nodes.at(id).site},
              {"state", to_word(view.state)},
              {"counts", view.reconciled && view.state != PeerState::kDown}};
    if (view.since != TimePoint{}) {
      peer["since_seconds"] = seconds_since(view.since, in.now);
    }
    peer["last_error"] = view.last_error;
    peer["hint"] = view.state == PeerState::kDown ? view.hint : "";
    peer["in_flight"] = view.in_flight;
    peer["backlog"] = view.backlog;
    peer["lag_seconds"] = view.lags_since ? seconds_since(*view.lags_since, in.now) : 0.0;
    const LinkSet::Count sessions = in.links.links_of(id);
    peer["sessions"] = sessions.all;
    peer["sessions_up"] = sessions.up;
    peer["connects"] = counters.connects;
    peer["bytes_received"] = counters.bytes_received;
    peer["round_trip_ms"] = std::chrono::duration<double, std::milli>(counters.round_trip).count();
    if (const auto offset = in.clocks == nullptr ? std::nullopt : in.clocks->offset(id)) {
      peer["clock_offset_seconds"] = std::chrono::duration<double>(offset->ahead).count();
      peer["clock_offset_error_seconds"] = std::chrono::duration<double>(offset->error).count();
    }
    peer["bytes_sent"] = counters.bytes_sent;
    const std::uint64_t by_hash = in.pushes == nullptr ? 0 : in.pushes->acknowledged_by_hash(id);
    peer["files_sent"] = view.files_sent - std::min(by_hash, view.files_sent);
    peer["files_acknowledged_by_hash"] = by_hash;
    peer["configuration_differs"] = hello != nullptr && hello->config_digest != in.config_digest;
    peers.push_back(std::move(peer));
  }
  return peers;
}

using Quarantined = ArchiveLayout::Quarantined;

// Conflicts have a list of their own; what was decided or is harmless needs nobody.
std::vector<std::string> in_need_of_a_look(std::vector<std::string> files) {
  std::erase_if(files, [](const std::string& file) {
    const auto known = ArchiveLayout::quarantined_of_file(file);
    return known && known->kind != Quarantined::Kind::kCorrupt;
  });
  return files;
}

// This node's are what is in quarantine: they outlive the daemon that refused them. A peer's
// content of which quarantine has a copy is the same difference, and shown once.
Json conflicts_json(const StatusInputs& in) {
  Json conflicts = Json::array();
  std::set<std::pair<std::string, std::string>> shown;  // name and digits
  const std::string& self = in.nodes.at(in.nodes.self).name;
  for (const std::string& file : in.disk.quarantined) {
    const auto known = ArchiveLayout::quarantined_of_file(file);
    if (!known || known->kind != Quarantined::Kind::kConflict) {
      continue;
    }
    shown.emplace(known->name.text(), known->digits);
    std::string text = "not compared yet";
    if (in.verdicts != nullptr && in.verdicts->contains(file)) {
      text = in.verdicts->at(file);
    }
    conflicts.push_back(
        Json{{"name", known->name.text()}, {"where", self}, {"text", text}, {"file", file}});
  }
  for (const Shipper::ConflictView& conflict : in.shipper.conflicts()) {
    if (conflict.where != self && !shown.contains({conflict.name, conflict.digits})) {
      conflicts.push_back(
          Json{{"name", conflict.name}, {"where", conflict.where}, {"text", conflict.text}});
    }
  }
  return conflicts;
}

// The newest whole segment here; none in an empty archive.
std::optional<WalName> last_segment(const ArchiveIndex& archive) {
  std::optional<WalName> last;
  for (const ArchiveIndex::Run& run : archive.runs()) {
    const WalName name = WalName::parse(run.last).value();
    last = last && *last > name ? last : name;
  }
  return last;
}

Json archive_json(const StatusInputs& in) {
  Json ranges = Json::array();
  for (const ArchiveIndex::Run& range : in.archive.runs()) {
    ranges.push_back(Json{{"timeline", range.timeline},
                          {"first", range.first},
                          {"last", range.last},
                          {"files", range.files}});
  }
  Json archive{{"directory", in.archive_directory},
               {"files", in.archive.size()},
               {"ranges", std::move(ranges)},
               {"complete", in.disk.reconciled || in.nodes.size() < 2},
               {"vanished", in.disk.vanished && in.nodes.size() > 1}};
  if (in.disk.free_bytes) {
    archive["free_bytes"] = *in.disk.free_bytes;
  }
  if (!in.disk.reading) {
    archive["bytes"] = in.archive.file_bytes();
  }
  archive["obstacles"] = in.archive_gauge.obstacles;
  archive["arrived"] = in.archive_gauge.arrived;
  const auto last = last_segment(in.archive);
  archive["last_segment"] = last ? last->text() : "";
  const Shipper::OwnView& own = in.shipper.own();
  archive["missing"] = own.missing;
  archive["fetching"] = own.in_flight;
  archive["fetched"] = own.files_pulled;
  archive["fetch_error"] = own.last_error;
  archive["minimum_free_bytes"] = in.daemon.minimum_free_bytes;
  archive["quarantined"] = in_need_of_a_look(in.disk.quarantined);
  archive["quarantine_files"] = in.disk.quarantined.size();
  archive["error"] = in.disk.error;
  archive["reading"] = in.disk.reading;
  return archive;
}

// docs/json.md, "Timelines in the status report".
Json timelines_json(const StatusInputs& in) {
  Json troubles = Json::array();
  for (const TimelineTrouble& trouble : in.disk.timelines) {
    troubles.push_back(Json{{"timeline", trouble.timeline},
                            {"gaps", trouble.gaps},
                            {"missing_segments", trouble.missing_segments},
                            {"needed_segments", trouble.needed_segments},
                            {"first_gap", trouble.first_gap},
                            {"contradictions", trouble.contradiction_count},
                            {"texts", trouble.contradictions}});
  }
  Json alarms = Json::array();
  if (in.timelines != nullptr) {
    for (const TimelineWatch::Alarm& alarm : in.timelines->alarms()) {
      alarms.push_back(Json{{"kind", to_word(alarm.kind)},
                            {"timeline", alarm.timeline},
                            {"segments", alarm.count},
                            {"text", alarm.text},
                            {"hint", alarm.hint}});
    }
  }
  return Json{{"troubles", std::move(troubles)}, {"alarms", std::move(alarms)}};
}

// PostgreSQL tries again within a minute. Nobody asks any more when its server was stopped, rebuilt
// or fenced, as after a conflict: what it still holds is found by other means.
bool is_failing(const StatusInputs& in) {
  constexpr std::chrono::minutes kGivenUp{2};
  const PushTotals& totals = in.totals;
  return totals.failing_since &&
         (in.shipper.open_pushes() > 0 || in.now - totals.last_error_at <= kGivenUp);
}

Json push_json(const StatusInputs& in) {
  const bool failing = is_failing(in);
  Json push{{"failing", failing},
            {"acknowledged", in.totals.acknowledged},
            {"failed", in.totals.failed},
            {"open", in.shipper.open_pushes()},
            {"last_name", in.totals.last_name}};
  if (!in.totals.last_name.empty()) {
    push["last_lsn"] = in.totals.last_lsn;
    push["last_age_seconds"] = seconds_since(in.totals.last_at, in.now);
  }
  push["last_error"] = in.totals.last_error;
  if (!in.totals.last_error.empty()) {
    push["last_error_age_seconds"] = seconds_since(in.totals.last_error_at, in.now);
  }
  if (failing) {
    push["failing_seconds"] = seconds_since(*in.totals.failing_since, in.now);
  }
  push["raw_bytes"] = in.totals.raw_bytes;
  const LatencyHistogram& latency = in.totals.latency;
  push["latency"] = Json{{"bounds_seconds", LatencyHistogram::kBounds},
                         {"counts", latency.counts()},
                         {"sum_seconds", latency.sum_seconds()}};
  return push;
}

Json scrub_json(const CareFacts& care) {
  Json scrub{{"on", care.scrubs},
             {"position", care.position},
             {"read", care.read},
             {"bad", care.bad},
             {"repaired", care.repaired}};
  if (care.last_pass_age_seconds) {
    scrub["last_pass_age_seconds"] = *care.last_pass_age_seconds;
    scrub["last_pass_bad"] = care.last_bad;
    scrub["last_pass_repaired"] = care.last_repaired;
  }
  return scrub;
}

Json restore_json(const CareFacts& care) {
  return Json{{"fetched_ahead", care.fetched_ahead},
              {"found", care.fetches_found},
              {"absent", care.fetches_absent},
              {"unanswered", care.fetches_unanswered},
              {"fetched_bytes", care.fetched_bytes},
              {"bad_copies", care.bad_copies},
              {"bad_copies_replaced", care.bad_copies_repaired}};
}

Json back_fill_json(const BackFill::View* view) {
  if (view == nullptr) {
    return nullptr;
  }
  return Json{{"stored", view->stored},       {"missed", view->missed},
              {"conflicts", view->conflicts}, {"waiting", view->waiting},
              {"last_name", view->last_name}, {"last_error", view->last_error}};
}

Json look_ahead_json(const LookAhead::View* view, const std::string& role, TimePoint now) {
  if (view == nullptr) {
    return nullptr;
  }
  Json json{{"waiting", view->waiting},      {"in_flight", view->in_flight},
            {"ahead", view->ahead},          {"shipped", view->shipped},
            {"answered", view->answered},    {"last_name", view->last_name},
            {"last_error", view->last_error}};
  // A standby, or a server that was stopped, asks for nothing whatever is marked there.
  if (view->unasked_since && role == "primary") {
    json["unasked_seconds"] = seconds_since(*view->unasked_since, now);
  }
  return json;
}

// The server knows best, while it answers; that it was recovering to a point in time, or has
// stopped since it was asked, the disk does.
std::string current_role(const StatusInputs& in) {
  if (in.postgres == nullptr || !in.postgres->reachable ||
      (in.disk.role == "stopped" && !in.postgres->elsewhere)) {
    return in.disk.role;
  }
  if (in.postgres->role == PostgresFacts::Role::kPrimary) {
    return "primary";
  }
  return in.disk.role == "recovering" ? in.disk.role : "standby";
}

// Finished segments between what the server has archived and where it writes now: none while its
// archiver keeps up. Nothing when that cannot be told: on a standby, or before the first one.
std::optional<std::uint64_t> unarchived_segments(const PostgresFacts& facts) {
  const auto archived = WalName::parse(facts.last_archived_wal);
  const auto lsn = parse_lsn(facts.current_lsn);
  if (facts.role != PostgresFacts::Role::kPrimary || facts.segment_bytes == 0 || !archived.ok() ||
      archived.value().kind() == WalKind::kHistory || !lsn) {
    return std::nullopt;
  }
  const SegmentPosition position = archived.value().position();
  const std::uint64_t a_log = (std::uint64_t{1} << 32U) / facts.segment_bytes;
  const std::uint64_t done = (position >> 32U) * a_log + (position & 0xFFFFFFFFU) + 1;
  const std::uint64_t current = *lsn / facts.segment_bytes;
  return current > done ? current - done : 0;
}

struct Unarchived {
  std::uint64_t bytes = 0;             // what the server had written behind the last segment here
  std::optional<std::uint64_t> alone;  // of that, what no standby has; nothing: cannot be told
};
// What of a primary's WAL no archive holds, as far as it is known: as of the server's last answer.
std::optional<Unarchived> unarchived_of(const PostgresFacts& facts, const ArchiveIndex& archive,
                                        const std::optional<WalName>& first_ready) {
  const auto lsn = parse_lsn(facts.current_lsn);
  const auto last = last_segment(archive);
  const bool is_foreign = facts.reachable && !facts.error.empty();
  if (facts.role != PostgresFacts::Role::kPrimary || !is_segment_size(facts.segment_bytes) ||
      !lsn || !last || is_foreign) {
    return std::nullopt;
  }
  const std::uint64_t start = last->start_lsn(facts.segment_bytes);
  const std::uint64_t end = start + facts.segment_bytes;
  // Of a timeline that was left the last segment may reach over the fork: what the server has
  // written there since is not in it.
  const bool is_own = facts.writes_timeline == 0 || facts.writes_timeline == last->timeline();
  // What is in this archive alone was not archived: PostgreSQL was not told so.
  const auto told = WalName::parse(facts.last_archived_wal);
  const bool knows = told.ok() && told.value().kind() == WalKind::kSegment &&
                     told.value().timeline() == last->timeline();
  std::uint64_t acknowledged =
      knows ? told.value().start_lsn(facts.segment_bytes) + facts.segment_bytes : end;
  // After a crash PostgreSQL does not remember what it was told, but its marks do.
  if (first_ready && first_ready->timeline() == last->timeline()) {
    acknowledged = std::min(acknowledged, first_ready->start_lsn(facts.segment_bytes));
  }
  const std::uint64_t archived =
      std::min(acknowledged, is_own || end <= *lsn ? end : std::min(start, *lsn));
  const std::uint64_t safe = std::max(archived, facts.streamed_lsn);
  Unarchived found{.bytes = *lsn > archived ? *lsn - archived : 0, .alone = {}};
  if (facts.hidden_standbys == 0) {
    found.alone = *lsn > safe ? *lsn - safe : 0;
  }
  return found;
}

Json postgresql_json(const StatusInputs& in) {
  Json postgresql{{"role", current_role(in)}};
  if (in.disk.ready_files) {
    postgresql["ready"] = *in.disk.ready_files;
    const auto& oldest = in.disk.oldest_ready;
    postgresql["oldest_ready_age_seconds"] =
        oldest ? std::max(0.0, std::chrono::duration<double>(in.daemon.now - *oldest).count())
               : 0.0;
  }
  if (in.disk.unarchived_files) {
    postgresql["unarchived"] = *in.disk.unarchived_files;
    postgresql["data_directory"] = in.disk.data_directory;
  }
  if (const auto& sample = in.pg_wal.latest()) {
    Json pg_wal{{"state", to_word(in.pg_wal.state())},
                {"free_bytes", sample->free_bytes},
                {"wal_bytes", sample->wal_bytes}};
    if (in.pg_wal.full_in()) {
      pg_wal["full_in_seconds"] = std::chrono::duration<double>(*in.pg_wal.full_in()).count();
      pg_wal["bytes_per_second"] = in.pg_wal.bytes_per_second();
    }
    postgresql["pg_wal"] = std::move(pg_wal);
  }
  if (in.postgres != nullptr) {
    const PostgresFacts& facts = *in.postgres;
    postgresql["reachable"] = facts.reachable;
    postgresql["error"] = facts.error;
    postgresql["elsewhere"] = facts.elsewhere;
    if (facts.server_version != 0) {  // else it never answered, and 0 would be a lie
      postgresql["archived"] = facts.archived_count;
      postgresql["failed"] = facts.failed_count;
    }
    postgresql["last_archived"] = facts.last_archived_wal;
    postgresql["last_failed"] = facts.last_failed_wal;
    postgresql["lsn"] = facts.current_lsn;
    postgresql["version"] = facts.server_version;
    if (facts.last_archived_age_seconds) {
      postgresql["last_archived_age_seconds"] = *facts.last_archived_age_seconds;
    }
    if (const auto behind = unarchived_segments(facts); behind && facts.reachable) {
      postgresql["unarchived_segments"] = *behind;
    }
    if (facts.asked_at != TimePoint{}) {
      postgresql["age_seconds"] = seconds_since(facts.asked_at, in.now);
    }
    if (const auto unarchived = unarchived_of(facts, in.archive, in.disk.first_ready)) {
      postgresql["unarchived_bytes"] = unarchived->bytes;
      if (unarchived->alone) {
        postgresql["alone_bytes"] = *unarchived->alone;
      }
    }
  }
  return postgresql;
}

Json retention_json(const StatusInputs& in) {
  const ExpireService::View& view = in.retention;
  Json retention{{"configured", view.configured},
                 {"floor", in.disk.floor == 0 ? "" : position_text(in.disk.floor)},
                 {"removed", view.removed},
                 {"trouble", view.trouble}};
  if (in.disk.floor != 0 && is_segment_size(in.archive.segment_bytes())) {
    retention["floor_lsn"] = start_text(in.disk.floor, in.archive.segment_bytes());
  }
  if (view.last_at) {
    retention["last_age_seconds"] = seconds_since(*view.last_at, in.now);
  }
  return retention;
}

}  // namespace

std::string status_json(const StatusInputs& in) {
  const bool held = in.shipper.quorum_reachable();
  const TimePoint changed = in.shipper.quorum_changed();
  const double uptime = std::chrono::duration<double>(in.daemon.uptime).count();
  const Json report{
      {"version", 1},
      {"time", std::chrono::duration<double>(in.daemon.now.time_since_epoch()).count()},
      {"daemon", Json{{"version", in.daemon.version}, {"uptime_seconds", uptime}}},
      {"node", in.nodes.at(in.nodes.self).name},
      {"cluster", in.cluster},
      {"role", current_role(in)},
      {"system_identifier", std::to_string(in.disk.system_id)},
      {"quorum",
       Json{{"expression", in.quorum},
            {"held", held},
            {"since_seconds", changed == TimePoint{} ? uptime : seconds_since(changed, in.now)},
            {"why", held ? "" : in.shipper.quorum_trouble(in.now)}}},
      {"peers", peers_json(in)},
      {"archive", archive_json(in)},
      {"timelines", timelines_json(in)},
      {"push", push_json(in)},
      {"conflicts", conflicts_json(in)},
      {"back_fill", back_fill_json(in.back_fill)},
      {"look_ahead", look_ahead_json(in.look_ahead, current_role(in), in.now)},
      {"scrub", scrub_json(in.care)},
      {"restore", restore_json(in.care)},
      {"postgresql", postgresql_json(in)},
      {"retention", retention_json(in)}};
  return report.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace pgwalship
