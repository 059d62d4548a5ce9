#include "cmd/status_view.h"

#include "cmd/report_fields.h"
#include "cmd/status_verdict.h"
#include "cmd/text_table.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

namespace pgwalship {
namespace {

using Json = ReportJson;

bool is_true(const Json& object, const char* name) {
  return report_flag(object, name).value_or(false);
}

bool is_false(const Json& object, const char* name) {
  return !report_flag(object, name).value_or(true);
}

std::string age_of(const Json& object, const char* name) {
  const std::optional<double> seconds = report_number(object, name);
  return seconds.has_value() ? rounded_time(*seconds) : "";
}

// Nothing while all is well.
std::string pg_wal(const Json& space) {
  const std::string state = report_words(space, "state");
  if (state != "warning" && state != "critical") {
    return "";
  }
  std::string line = "pg_wal: " + state + ": ";
  if (const auto seconds = report_number(space, "full_in_seconds"); seconds.has_value()) {
    line += "its file system is full in " + rounded_time(*seconds) + " at the present rate, ";
  }
  const auto free = report_number(space, "free_bytes");
  return line + rounded_size(free.value_or(0)) + " free\n";
}

std::string count_of(const Json& object, const char* name, const std::string& one,
                     const std::string& more) {
  const double count = report_number_or_zero(object, name);
  return report_words(object, name) + " " + (count == 1 ? one : more);
}

std::string identity(const Json& report) {
  std::string line = report_words(report, "node") + ", cluster " + report_words(report, "cluster");
  if (const std::string id = report_words(report, "system_identifier"); !id.empty() && id != "0") {
    line += ", system identifier " + id;
  }
  return line + "\n";
}

std::string postgresql(const Json& report, Colours colours) {
  const Json& server = report_field(report, "postgresql");
  std::string role = report_words(server, "role");
  role = role.empty() ? report_words(report, "role") : role;
  if (role.empty() || role == "unknown") {
    return "";
  }
  std::string text = "\n" + shaded("PostgreSQL", Shade::kHeading, colours) + ": " + role;
  if (const std::string lsn = report_words(server, "lsn"); !lsn.empty()) {
    text += ", at " + lsn;
  }
  if (const auto ready = report_number(server, "ready")) {
    text += ", " + count_of(server, "ready", "segment waits", "segments wait") + " in pg_wal";
    const std::string age = age_of(server, "oldest_ready_age_seconds");
    text += *ready == 0 || age.empty() ? "" : ", the oldest for " + age;
  }
  if (const auto age = report_number(server, "age_seconds"); age.value_or(0) >= kOldSeconds) {
    text += "; asked " + rounded_time(*age) + " ago";
  }
  text += "\n";
  if (const std::string last = report_words(server, "last_archived"); !last.empty()) {
    text += "  last archived: " + last;
    const std::string age = age_of(server, "last_archived_age_seconds");
    text += (age.empty() ? "" : ", " + age + " ago") + "; " + report_words(server, "archived") +
            " in all\n";
  }
  if (const std::string failed = report_words(server, "last_failed"); !failed.empty()) {
    text += "  last failed: " + failed + "; " + count_of(server, "failed", "failure", "failures") +
            " in all\n";
  }
  if (is_false(server, "reachable") && !report_words(server, "error").empty()) {
    text += "  cannot be asked: " + report_words(server, "error") + "\n";
  }
  const std::string space = pg_wal(report_field(server, "pg_wal"));
  return text + (space.empty() ? "" : "  " + space);
}

const Json* find_peer(const Json& report, const std::string& node) {
  for (const Json& peer : report_list(report, "peers")) {
    if (report_words(peer, "node") == node) {
      return &peer;
    }
  }
  return nullptr;
}

struct Traffic {
  double files_per_second = 0;
  double bytes_per_second = 0;
};
// What went to the peer between the two reports; nothing when they do not belong together.
std::optional<Traffic> traffic(const Json& peer, const Json& earlier, double seconds) {
  const Json* before = find_peer(earlier, report_words(peer, "node"));
  if (before == nullptr || seconds <= 0) {
    return std::nullopt;
  }
  const auto rate = [&](const char* name) {
    return (report_number_or_zero(peer, name) - report_number_or_zero(*before, name)) / seconds;
  };
  const Traffic found{rate("files_sent"), rate("bytes_sent")};
  return found.files_per_second < 0 || found.bytes_per_second < 0 ? std::nullopt
                                                                  : std::optional(found);
}

TextTable::Cell state_cell(const Json& peer) {
  const std::string state = report_words(peer, "state");
  const bool counts = is_true(peer, "counts");
  const Shade shade = state == "current" && counts           ? Shade::kGood
                      : state == "down" || state == "behind" ? Shade::kBad
                                                             : Shade::kAttention;
  return {state, shade};
}

// One is what there is unless [ssh] sessions says more.
std::string sessions_of(const Json& peer) {
  return report_number_or_zero(peer, "sessions") > 1
             ? report_words(peer, "sessions_up") + " of " + report_words(peer, "sessions")
             : "";
}

std::string peers(const Json& report, const Json& earlier, double seconds, Colours colours) {
  const Json& all = report_list(report, "peers");
  if (all.empty()) {
    return "";
  }
  TextTable table({"peer", "site", "state", "since", "counts", "sessions", "lacks", "for",
                   "in flight", "rate", "to go", "round trip", "sent", "by hash", "configuration"});
  std::string errors;
  for (const Json& peer : all) {
    const auto sent = report_number(peer, "bytes_sent");
    const auto round_trip = report_number(peer, "round_trip_ms");
    const double backlog = report_number_or_zero(peer, "backlog");
    const double lag = report_number_or_zero(peer, "lag_seconds");
    const auto moves = traffic(peer, earlier, seconds);
    const bool is_busy = backlog > 0 && moves && moves->files_per_second > 0;
    table.add(
        {report_words(peer, "node"), report_words(peer, "site"), state_cell(peer),
         age_of(peer, "since_seconds"), is_true(peer, "counts") ? "yes" : "no", sessions_of(peer),
         backlog > 0 ? count_of(peer, "backlog", "file", "files") : "0",
         lag > 0 ? rounded_time(lag) : "",
         report_number_or_zero(peer, "in_flight") > 0 ? report_words(peer, "in_flight") : "",
         moves && moves->bytes_per_second >= 1 ? rounded_size(moves->bytes_per_second) + "/s" : "",
         is_busy ? rounded_time(backlog / moves->files_per_second) : "",
         round_trip && *round_trip > 0 ? rounded_number(*round_trip) + " ms" : "",
         sent ? count_of(peer, "files_sent", "file", "files") + ", " + rounded_size(*sent) : "",
         report_number_or_zero(peer, "files_acknowledged_by_hash") > 0
             ? report_words(peer, "files_acknowledged_by_hash")
             : "",
         is_true(peer, "configuration_differs") ? "differs" : ""});
    if (const std::string error = report_words(peer, "last_error"); !error.empty()) {
      errors += "  " + report_words(peer, "node") + ": " +
                shaded(error, Shade::kAttention, colours) + "\n";
      const std::string hint = report_words(peer, "hint");
      errors += hint.empty() ? "" : shaded("    HINT: " + hint, Shade::kFaint, colours) + "\n";
    }
  }
  return "\n" + shaded("Peers", Shade::kHeading, colours) + "\n" + table.text(colours) + errors;
}

std::string scrub(const Json& report) {
  const Json& scrub = report_field(report, "scrub");
  if (!is_true(scrub, "on")) {
    return "";
  }
  const auto counts = [&](const char* bad, const char* repaired) {
    return report_number(scrub, bad).value_or(0) > 0
               ? ", " + report_words(scrub, bad) + " bad, " + report_words(scrub, repaired) +
                     " replaced"
               : ", all good";
  };
  const std::string age = age_of(scrub, "last_pass_age_seconds");
  std::string text =
      "  scrub: " + (age.empty() ? "no full pass yet"
                                 : "last full pass " + age + " ago" +
                                       counts("last_pass_bad", "last_pass_repaired"));
  if (report_number(scrub, "read").value_or(0) > 0) {
    text += "; this pass: " + count_of(scrub, "read", "file", "files") + ", to " +
            report_words(scrub, "position") + counts("bad", "repaired");
  }
  return text + "\n";
}

// A bad disk fills a screen with them.
constexpr std::size_t kQuarantinedMax = 5;

std::string quarantined(const Json& files) {
  std::string text;
  for (std::size_t i = 0; i < std::min(files.size(), kQuarantinedMax); ++i) {
    const Json& file = files[i];
    text += "  in quarantine: " + (file.is_string() ? file.get<std::string>() : file.dump()) + "\n";
  }
  if (files.size() > kQuarantinedMax) {
    text += "  in quarantine: " + std::to_string(files.size() - kQuarantinedMax) +
            " more, in .pgwalship/quarantine\n";
  }
  return text;
}

std::string archive(const Json& report, Colours colours) {
  const Json& archive = report_field(report, "archive");
  if (!archive.is_object()) {
    return "";
  }
  std::string text =
      "\n" + shaded("Archive " + report_words(archive, "directory"), Shade::kHeading, colours) +
      ": " + count_of(archive, "files", "file", "files");
  if (const auto free = report_number(archive, "free_bytes"); free.has_value()) {
    text += ", " + rounded_size(*free) + " free";
  }
  if (is_false(archive, "complete")) {
    text += "; it was never complete yet, so it does not count for the peers";
  }
  if (const auto missing = report_number(archive, "missing"); missing.value_or(0) > 0) {
    const std::string error = report_words(archive, "fetch_error");
    text += "; " + count_of(archive, "missing", "file is", "files are") + " missing here, " +
            (error.empty() ? "being fetched" : "and cannot be fetched: " + error);
  }
  text += "\n";
  if (const Json& ranges = report_list(archive, "ranges"); !ranges.empty()) {
    TextTable table({"timeline", "first", "last", "files"});
    for (const Json& range : ranges) {
      table.add({report_words(range, "timeline"), report_words(range, "first"),
                 report_words(range, "last"), report_words(range, "files")});
    }
    text += table.text(colours);
  }
  text += scrub(report);
  for (const Json& name : report_list(archive, "obstacles")) {
    text += "  no file: " + (name.is_string() ? name.get<std::string>() : name.dump()) + "\n";
  }
  return text + quarantined(report_list(archive, "quarantined"));
}

std::string timelines(const Json& report, Colours colours) {
  const Json& timelines = report_field(report, "timelines");
  std::string text;
  for (const Json& trouble : report_list(timelines, "troubles")) {
    const std::string number = "  " + report_words(trouble, "timeline") + ": ";
    if (const auto gaps = report_number(trouble, "gaps"); gaps.value_or(0) > 0) {
      text += number + "missing segments: " + report_words(trouble, "missing_segments") + ", in " +
              report_words(trouble, "gaps") + (*gaps == 1 ? " gap: " : " gaps, first ") +
              report_words(trouble, "first_gap") + "\n";
    }
    for (const Json& words : report_list(trouble, "texts")) {
      text += number + (words.is_string() ? words.get<std::string>() : words.dump()) + "\n";
    }
  }
  for (const Json& alarm : report_list(timelines, "alarms")) {
    text += "  seen at push: " + report_words(alarm, "text") + "\n";
  }
  return text.empty() ? ""
                      : "\n" + shaded("Timelines", Shade::kHeading, colours) +
                            " (`pgwalship timeline` shows all of it)\n" + text;
}

std::string retention(const Json& report, Colours colours) {
  const Json& retention = report_field(report, "retention");
  const std::string floor = report_words(retention, "floor");
  if (!is_true(retention, "configured") && floor.empty()) {
    return "";
  }
  std::string text = "\n" + shaded("Retention", Shade::kHeading, colours) + ": ";
  const std::string lsn = report_words(retention, "floor_lsn");
  text += floor.empty() ? "nothing has expired"
                        : "what is below " + (lsn.empty() ? floor : lsn) + " has expired";
  if (const std::string age = age_of(retention, "last_age_seconds"); !age.empty()) {
    text += ", last run " + age + " ago";
  }
  text += is_true(retention, "configured") ? "\n" : "; no rule is configured any more\n";
  if (const std::string trouble = report_words(retention, "trouble"); !trouble.empty()) {
    text += "  held back: " + trouble + "\n";
  }
  return text;
}

std::string push(const Json& report, Colours colours) {
  const Json& push = report_field(report, "push");
  if (!push.is_object()) {
    return "";
  }
  std::string text = "\n" + shaded("Push", Shade::kHeading, colours) + ": " +
                     report_words(push, "acknowledged") + " acknowledged, " +
                     report_words(push, "failed") + " failed, " + report_words(push, "open") +
                     " open\n";
  if (const std::string name = report_words(push, "last_name"); !name.empty()) {
    text += "  last: " + name + ", " + age_of(push, "last_age_seconds") + " ago\n";
  }
  if (const std::string error = report_words(push, "last_error"); !error.empty()) {
    text += "  last error, " + age_of(push, "last_error_age_seconds") +
            " ago: " + without_peer_errors(error, report) + "\n";
  }
  return text;
}

std::string back_fill(const Json& report, Colours colours) {
  const Json& fill = report_field(report, "back_fill");
  if (!fill.is_object()) {
    return "";
  }
  std::string text = "\n" + shaded("Back-fill from pg_wal", Shade::kHeading, colours) + ": " +
                     report_words(fill, "stored") + " archived, " + report_words(fill, "waiting") +
                     " waiting, " + report_words(fill, "missed") +
                     " missed, conflicts: " + report_words(fill, "conflicts") + "\n";
  if (const std::string name = report_words(fill, "last_name"); !name.empty()) {
    text += "  last: " + name + "\n";
  }
  if (const std::string error = report_words(fill, "last_error"); !error.empty()) {
    text += "  last error: " + error + "\n";
  }
  return text;
}

std::string look_ahead(const Json& report, Colours colours) {
  const Json& ahead = report_field(report, "look_ahead");
  if (!ahead.is_object()) {
    return "";
  }
  std::string text = "\n" + shaded("Look-ahead", Shade::kHeading, colours) + ": " +
                     report_words(ahead, "waiting") + " waiting, " +
                     report_words(ahead, "in_flight") + " on their way, " +
                     report_words(ahead, "ahead") +
                     " safe before PostgreSQL has handed them over\n";
  if (const std::string age = age_of(ahead, "unasked_seconds"); !age.empty()) {
    text += "  PostgreSQL has asked for nothing for " + age +
            ": does its archive_command work? See its log and pg_stat_archiver.\n";
  }
  // Often what Push has said.
  if (const std::string error = report_text(ahead, "last_error");
      !error.empty() && error != report_text(report_field(report, "push"), "last_error")) {
    text += "  last error: " + without_peer_errors(error, report) + "\n";
  }
  return text;
}

std::string conflicts(const Json& report, Colours colours) {
  const Json& all = report_list(report, "conflicts");
  std::string text = all.empty() ? ""
                                 : "\n" + shaded("Conflicts", Shade::kBad, colours) +
                                       " (nothing was overwritten; both are kept)\n";
  for (const Json& conflict : all) {
    text += "  " + report_words(conflict, "name") + " at " + report_words(conflict, "where") +
            ": " + report_words(conflict, "text") + "\n";
  }
  if (!all.empty()) {
    text += "  What to do: `pgwalship conflicts show NAME` on the node that is named says it.\n";
  }
  return text;
}

}  // namespace

Result<std::string> render_status(std::string_view json, Colours colours,
                                  const EarlierReport& earlier) {
  const Json report = Json::parse(json, nullptr, false);
  if (!report.is_object()) {
    return Error{Errc::kProtocol, "the daemon's status report is no JSON object", ""};
  }
  const Json before = Json::parse(earlier.json, nullptr, false);
  return verdict_text(report, colours) + "\n" + identity(report) + postgresql(report, colours) +
         peers(report, before, earlier.seconds, colours) + archive(report, colours) +
         timelines(report, colours) + retention(report, colours) + push(report, colours) +
         back_fill(report, colours) + look_ahead(report, colours) + conflicts(report, colours);
}

bool shows_traffic(std::string_view json) {
  const Json report = Json::parse(json, nullptr, false);
  const Json& peers = report_list(report, "peers");
  return std::any_of(peers.begin(), peers.end(),
                     [](const Json& peer) { return report_number_or_zero(peer, "in_flight") > 0; });
}

}  // namespace pgwalship
