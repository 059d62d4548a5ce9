#include "cmd/status_view.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <vector>

namespace pgwalship {
namespace {

using Json = nlohmann::json;

const Json& field(const Json& object, const char* name) {
  static const Json kNothing;
  const auto found = object.is_object() ? object.find(name) : object.end();
  return found == object.end() ? kNothing : *found;
}

std::string text_of(const Json& object, const char* name) {
  const Json& value = field(object, name);
  return value.is_string() ? value.get<std::string>() : value.is_null() ? "" : value.dump();
}

std::optional<double> number_of(const Json& object, const char* name) {
  const Json& value = field(object, name);
  return value.is_number() ? std::optional(value.get<double>()) : std::nullopt;
}

bool is_true(const Json& object, const char* name) {
  const Json& value = field(object, name);
  return value.is_boolean() && value.get<bool>();
}

bool is_false(const Json& object, const char* name) {
  const Json& value = field(object, name);
  return value.is_boolean() && !value.get<bool>();
}

// The elements of a list; none when it is not one.
const Json& list_of(const Json& object, const char* name) {
  static const Json kNone = Json::array();
  const Json& value = field(object, name);
  return value.is_array() ? value : kNone;
}

std::string with_unit(double value, const char* unit) {
  char text[64];
  std::snprintf(text, sizeof text,
                value < 10 && value != static_cast<int>(value) ? "%.1f %s" : "%.0f %s", value,
                unit);
  return text;
}

std::string age_text(double seconds) {
  struct Unit {
    double seconds;
    const char* name;
  };
  for (const Unit& unit : {Unit{86400, "days"}, Unit{3600, "h"}, Unit{60, "min"}}) {
    if (seconds >= 2 * unit.seconds) {
      return with_unit(static_cast<double>(static_cast<std::int64_t>(seconds / unit.seconds)),
                       unit.name);
    }
  }
  return with_unit(seconds, "s");
}

std::string size_text(double bytes) {
  static constexpr std::array kUnits{"B", "kB", "MB", "GB", "TB"};
  std::size_t unit = 0;
  for (; bytes >= 1024 && unit + 1 < kUnits.size(); ++unit) {
    bytes /= 1024;
  }
  return with_unit(bytes, kUnits[unit]);
}

std::string age_of(const Json& object, const char* name) {
  const std::optional<double> seconds = number_of(object, name);
  return seconds.has_value() ? age_text(*seconds) : "";
}

// Columns as wide as their widest cell, two blanks apart; columns that are empty throughout go.
class Table {
 public:
  explicit Table(std::vector<std::string> heading) { rows_.push_back(std::move(heading)); }
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }

  std::string text() const {
    const std::size_t columns = rows_.front().size();
    std::vector<std::size_t> widths(columns, 0);
    for (std::size_t column = 0; column < columns; ++column) {
      for (std::size_t row = 1; row < rows_.size(); ++row) {
        widths[column] = std::max(widths[column], rows_[row][column].size());
      }
      if (widths[column] > 0) {
        widths[column] = std::max(widths[column], rows_.front()[column].size());
      }
    }
    std::string text;
    for (const auto& row : rows_) {
      std::string line;
      for (std::size_t column = 0; column < columns; ++column) {
        if (widths[column] > 0) {
          line += "  " + row[column] + std::string(widths[column] - row[column].size(), ' ');
        }
      }
      text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
    }
    return text;
  }

 private:
  std::vector<std::vector<std::string>> rows_;
};

bool any_peer_differs(const Json& report) {
  const Json& peers = list_of(report, "peers");
  return std::any_of(peers.begin(), peers.end(),
                     [](const Json& peer) { return is_true(peer, "configuration_differs"); });
}

bool has_split_brain(const Json& report) {
  const Json& alarms = list_of(field(report, "timelines"), "alarms");
  return std::any_of(alarms.begin(), alarms.end(),
                     [](const Json& alarm) { return text_of(alarm, "kind") == "split_brain"; });
}

std::string unshipped_wal(const Json& report) {
  const Json& postgresql = field(report, "postgresql");
  const double files = number_of(postgresql, "unarchived").value_or(0);
  return files == 0 ? ""
                    : "PostgreSQL is stopped, and its pg_wal holds " + with_unit(files, "files") +
                          " that were never archived: run `pgwalship rescue " +
                          text_of(postgresql, "data_directory") +
                          "` before pg_rewind, pg_basebackup or removing PGSQL.lock";
}

std::string verdict(const Json& report) {
  const Json& quorum = field(report, "quorum");
  const std::string expression = text_of(quorum, "expression");
  const std::string why = text_of(quorum, "why");
  std::string line;
  if (!is_true(quorum, "held")) {
    line = "NOT SAFE: quorum " + expression + " is not held" + (why.empty() ? "" : ": " + why);
  } else if (const Json& push = field(report, "push"); is_true(push, "failing")) {
    line = "NOT SAFE: the last push failed: " + text_of(push, "last_error");
  } else if (const std::string unshipped = unshipped_wal(report); !unshipped.empty()) {
    line = "ATTENTION: quorum " + expression + " is held, but " + unshipped;
  } else if (!list_of(report, "conflicts").empty()) {
    line = "ATTENTION: quorum " + expression + " is held, but there are conflicts";
  } else if (const std::string error = text_of(field(report, "archive"), "error"); !error.empty()) {
    line = "ATTENTION: quorum " + expression + " is held, but the local archive fails: " + error;
  } else if (has_split_brain(report)) {
    line = "ATTENTION: quorum " + expression + " is held, but two servers act on one timeline";
  } else if (!list_of(field(report, "timelines"), "troubles").empty()) {
    line = "ATTENTION: quorum " + expression +
           " is held, but the archive's timelines are not whole: see `pgwalship timeline`";
  } else if (text_of(field(field(report, "postgresql"), "pg_wal"), "state") == "critical") {
    line = "ATTENTION: quorum " + expression + " is held, but pg_wal's file system is filling up";
  } else if (any_peer_differs(report)) {
    line = "ATTENTION: quorum " + expression + " is held, but configurations differ";
  } else if (!list_of(field(report, "archive"), "quarantined").empty()) {
    line = "ATTENTION: quorum " + expression + " is held, but there are files in quarantine";
  } else {
    line = "OK: quorum " + expression + " is held" + (why.empty() ? "" : ": " + why);
  }
  return line + "\n";
}

// Nothing while all is well.
std::string pg_wal(const Json& space) {
  const std::string state = text_of(space, "state");
  if (state != "warning" && state != "critical") {
    return "";
  }
  std::string line = "pg_wal: " + state + ": ";
  if (const auto seconds = number_of(space, "full_in_seconds"); seconds.has_value()) {
    line += "its file system is full in " + age_text(*seconds) + " at the present rate, ";
  }
  const auto free = number_of(space, "free_bytes");
  return line + size_text(free.value_or(0)) + " free\n";
}

std::string identity(const Json& report) {
  const Json& postgresql = field(report, "postgresql");
  std::string role = text_of(postgresql, "role");
  if (role.empty()) {
    role = text_of(report, "role");
  }
  std::string line = text_of(report, "node") + ", cluster " + text_of(report, "cluster");
  line += role.empty() ? "" : ", " + role;
  if (const std::string id = text_of(report, "system_identifier"); !id.empty() && id != "0") {
    line += ", system identifier " + id;
  }
  if (const auto ready = number_of(postgresql, "ready"); ready.has_value()) {
    line += ", " + with_unit(*ready, "ready in pg_wal");
  }
  line += "\n" + pg_wal(field(postgresql, "pg_wal"));
  if (is_false(postgresql, "reachable") && !text_of(postgresql, "error").empty()) {
    line += "PostgreSQL cannot be asked: " + text_of(postgresql, "error") + "\n";
  }
  return line;
}

std::string peers(const Json& report) {
  const Json& all = list_of(report, "peers");
  if (all.empty()) {
    return "";
  }
  Table table({"peer", "site", "state", "since", "counts", "backlog", "in flight", "round trip",
               "sent", "by hash", "configuration", "last error"});
  for (const Json& peer : all) {
    const auto sent = number_of(peer, "bytes_sent");
    const auto round_trip = number_of(peer, "round_trip_ms");
    table.add({text_of(peer, "node"), text_of(peer, "site"), text_of(peer, "state"),
               age_of(peer, "since_seconds"), is_true(peer, "counts") ? "yes" : "no",
               text_of(peer, "backlog"), text_of(peer, "in_flight"),
               round_trip.has_value() ? with_unit(*round_trip, "ms") : "",
               sent.has_value() ? text_of(peer, "files_sent") + " files, " + size_text(*sent) : "",
               number_of(peer, "files_acknowledged_by_hash").value_or(0) > 0
                   ? text_of(peer, "files_acknowledged_by_hash")
                   : "",
               is_true(peer, "configuration_differs") ? "differs" : "",
               text_of(peer, "last_error")});
  }
  return "\nPeers\n" + table.text();
}

std::string scrub(const Json& report) {
  const Json& scrub = field(report, "scrub");
  if (!is_true(scrub, "on")) {
    return "";
  }
  const auto counts = [&](const char* bad, const char* repaired) {
    return number_of(scrub, bad).value_or(0) > 0
               ? ", " + text_of(scrub, bad) + " bad, " + text_of(scrub, repaired) + " replaced"
               : ", all good";
  };
  const std::string age = age_of(scrub, "last_pass_age_seconds");
  std::string text =
      "  scrub: " + (age.empty() ? "no full pass yet"
                                 : "last full pass " + age + " ago" +
                                       counts("last_pass_bad", "last_pass_repaired"));
  if (number_of(scrub, "read").value_or(0) > 0) {
    text += "; this pass: " + text_of(scrub, "read") + " files, to " + text_of(scrub, "position") +
            counts("bad", "repaired");
  }
  return text + "\n";
}

std::string archive(const Json& report) {
  const Json& archive = field(report, "archive");
  if (!archive.is_object()) {
    return "";
  }
  std::string text =
      "\nArchive " + text_of(archive, "directory") + ": " + text_of(archive, "files") + " files";
  if (const auto free = number_of(archive, "free_bytes"); free.has_value()) {
    text += ", " + size_text(*free) + " free";
  }
  if (is_false(archive, "complete")) {
    text += "; it was never complete yet, so it does not count for the peers";
  }
  if (const auto missing = number_of(archive, "missing"); missing.value_or(0) > 0) {
    const std::string error = text_of(archive, "fetch_error");
    text += "; " + text_of(archive, "missing") + " files are missing here, " +
            (error.empty() ? "being fetched" : "and cannot be fetched: " + error);
  }
  text += "\n";
  if (const Json& ranges = list_of(archive, "ranges"); !ranges.empty()) {
    Table table({"timeline", "first", "last", "files"});
    for (const Json& range : ranges) {
      table.add({text_of(range, "timeline"), text_of(range, "first"), text_of(range, "last"),
                 text_of(range, "files")});
    }
    text += table.text();
  }
  text += scrub(report);
  for (const Json& file : list_of(archive, "quarantined")) {
    text += "  in quarantine: " + (file.is_string() ? file.get<std::string>() : file.dump()) + "\n";
  }
  return text;
}

std::string timelines(const Json& report) {
  const Json& timelines = field(report, "timelines");
  std::string text;
  for (const Json& trouble : list_of(timelines, "troubles")) {
    const std::string number = "  " + text_of(trouble, "timeline") + ": ";
    if (const auto gaps = number_of(trouble, "gaps"); gaps.value_or(0) > 0) {
      text += number + text_of(trouble, "missing_segments") + " segments missing in " +
              text_of(trouble, "gaps") + (*gaps == 1 ? " gap: " : " gaps, first ") +
              text_of(trouble, "first_gap") + "\n";
    }
    for (const Json& words : list_of(trouble, "texts")) {
      text += number + (words.is_string() ? words.get<std::string>() : words.dump()) + "\n";
    }
  }
  for (const Json& alarm : list_of(timelines, "alarms")) {
    text += "  seen at push: " + text_of(alarm, "text") + "\n";
  }
  return text.empty() ? "" : "\nTimelines (`pgwalship timeline` shows all of it)\n" + text;
}

std::string retention(const Json& report) {
  const Json& retention = field(report, "retention");
  const std::string floor = text_of(retention, "floor");
  if (!is_true(retention, "configured") && floor.empty()) {
    return "";
  }
  std::string text = "\nRetention: ";
  text += floor.empty() ? "nothing has expired" : "what is below " + floor + " has expired";
  if (const std::string age = age_of(retention, "last_age_seconds"); !age.empty()) {
    text += ", last run " + age + " ago";
  }
  text += is_true(retention, "configured") ? "\n" : "; no rule is configured any more\n";
  if (const std::string trouble = text_of(retention, "trouble"); !trouble.empty()) {
    text += "  held back: " + trouble + "\n";
  }
  return text;
}

std::string push(const Json& report) {
  const Json& push = field(report, "push");
  if (!push.is_object()) {
    return "";
  }
  std::string text = "\nPush: " + text_of(push, "acknowledged") + " acknowledged, " +
                     text_of(push, "failed") + " failed, " + text_of(push, "open") + " open\n";
  if (const std::string name = text_of(push, "last_name"); !name.empty()) {
    text += "  last: " + name + ", " + age_of(push, "last_age_seconds") + " ago\n";
  }
  if (const std::string error = text_of(push, "last_error"); !error.empty()) {
    text += "  last error, " + age_of(push, "last_error_age_seconds") + " ago: " + error + "\n";
  }
  return text;
}

std::string back_fill(const Json& report) {
  const Json& fill = field(report, "back_fill");
  if (!fill.is_object()) {
    return "";
  }
  std::string text = "\nBack-fill from pg_wal: " + text_of(fill, "stored") + " archived, " +
                     text_of(fill, "waiting") + " waiting, " + text_of(fill, "missed") +
                     " missed, " + text_of(fill, "conflicts") + " conflicts\n";
  if (const std::string name = text_of(fill, "last_name"); !name.empty()) {
    text += "  last: " + name + "\n";
  }
  if (const std::string error = text_of(fill, "last_error"); !error.empty()) {
    text += "  last error: " + error + "\n";
  }
  return text;
}

std::string conflicts(const Json& report) {
  const Json& all = list_of(report, "conflicts");
  std::string text = all.empty() ? "" : "\nConflicts (nothing was overwritten; both are kept)\n";
  for (const Json& conflict : all) {
    text += "  " + text_of(conflict, "name") + " at " + text_of(conflict, "where") + ": " +
            text_of(conflict, "text") + "\n";
  }
  if (!all.empty()) {
    text += "  What to do: `pgwalship conflicts show NAME` on the node that is named says it.\n";
  }
  return text;
}

}  // namespace

Result<std::string> render_status(std::string_view json) {
  const Json report = Json::parse(json, nullptr, false);
  if (!report.is_object()) {
    return Error{Errc::kProtocol, "the daemon's status report is no JSON object", ""};
  }
  return verdict(report) + identity(report) + peers(report) + archive(report) + timelines(report) +
         retention(report) + push(report) + back_fill(report) + conflicts(report);
}

}  // namespace pgwalship
