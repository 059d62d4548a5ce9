#include "cmd/check_rules.h"

#include "cmd/report_fields.h"
#include "cmd/units.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace pgwalship {
namespace {

// Nothing in quarantine goes by itself: it may be the last copy of what a client was refused.
constexpr double kQuarantineMax = 100;

double seconds_of(std::chrono::milliseconds time) {
  return std::chrono::duration<double>(time).count();
}

std::string plain(double value) {
  char text[64];
  std::snprintf(text, sizeof text,
                value == static_cast<double>(static_cast<std::int64_t>(value)) ? "%.0f" : "%.3f",
                value);
  return text;
}

std::string ago(double seconds) {
  constexpr double kMinute = 60;
  constexpr double kHour = 3600;
  constexpr double kDay = 86400;
  if (seconds >= 2 * kDay) {
    return plain(static_cast<double>(static_cast<int>(seconds / kDay))) + " days";
  }
  if (seconds >= 2 * kHour) {
    return plain(static_cast<double>(static_cast<int>(seconds / kHour))) + " h";
  }
  if (seconds >= 2 * kMinute) {
    return plain(static_cast<double>(static_cast<int>(seconds / kMinute))) + " min";
  }
  return plain(static_cast<double>(static_cast<int>(seconds))) + " s";
}

std::string many(double count, const std::string& one, const std::string& more) {
  return plain(count) + " " + (count == 1 ? one : more);
}

// The level of a value that is bad above its limits.
CheckLevel above(double value, double warning, double critical) {
  return value >= critical  ? CheckLevel::kCritical
         : value >= warning ? CheckLevel::kWarning
                            : CheckLevel::kOk;
}

CheckLevel above(double seconds, const CheckLimits::Time& limits) {
  return above(seconds, seconds_of(limits.warning), seconds_of(limits.critical));
}

// Collects; each rule is a method that reads one part of the report.
class Examination {
 public:
  Examination(const ReportJson& report, const CheckLimits& limits)
      : report_(report), limits_(limits) {}

  CheckResult run() {
    quorum();
    pushes();
    backlog();
    archive();
    conflicts();
    timelines();
    pg_wal();  // what is lost goes before what may be
    peers();
    postgresql();
    care();
    std::stable_sort(result_.findings.begin(), result_.findings.end(),
                     [](const auto& a, const auto& b) { return a.level > b.level; });
    result_.level = result_.findings.empty() ? CheckLevel::kOk : result_.findings.front().level;
    result_.good = good();
    return std::move(result_);
  }

 private:
  void find(CheckLevel level, std::string text, std::string hint = "") {
    if (level != CheckLevel::kOk) {
      result_.findings.push_back({level, std::move(text), std::move(hint)});
    }
  }
  void measure(std::string label, double value, std::string unit = "", std::string warning = "",
               std::string critical = "", std::string maximum = "") {
    result_.performance.push_back({std::move(label), value, std::move(unit), std::move(warning),
                                   std::move(critical), std::move(maximum)});
  }
  void measure_time(std::string label, double seconds, const CheckLimits::Time& limits) {
    measure(std::move(label), seconds, "s", plain(seconds_of(limits.warning)),
            plain(seconds_of(limits.critical)));
  }

  void quorum() {
    const ReportJson& quorum = report_field(report_, "quorum");
    const bool held = report_flag(quorum, "held").value_or(false);
    measure("quorum_held", held ? 1 : 0, "", "", "1:", "1");
    if (held) {
      return;
    }
    const double since = report_number_or_zero(quorum, "since_seconds");
    const std::string expression = report_text(quorum, "expression");
    std::string why = report_text(quorum, "why");
    if (const std::string said = "quorum " + expression + " cannot be met: ";
        why.starts_with(said)) {
      why.erase(0, said.size());
    }
    find(above(since, limits_.quorum),
         "quorum " + expression + " not held for " + ago(since) + (why.empty() ? "" : ": " + why),
         "start the peers that are down, or mend what is said of them; without a quorum pg_wal "
         "fills");
  }

  void pushes() {
    const ReportJson& push = report_field(report_, "push");
    measure("pushes_failed", report_number_or_zero(push, "failed"), "c");
    measure("pushes_acknowledged", report_number_or_zero(push, "acknowledged"), "c");
    if (!report_flag(push, "failing").value_or(false)) {
      return;
    }
    const double since = report_number_or_zero(push, "failing_seconds");
    find(std::max(CheckLevel::kWarning, above(since, limits_.age)),
         "pushes have failed for " + ago(since) + ", the last: " + report_text(push, "last_error"),
         "PostgreSQL keeps the segment and tries again");
  }

  // What PostgreSQL has finished and not archived, counted from both ends: its marks, and how far
  // it has written.
  void backlog() {
    const ReportJson& postgresql = report_field(report_, "postgresql");
    const bool stopped = report_text(postgresql, "role") == "stopped";
    if (stopped) {
      if (const double lost = report_number_or_zero(postgresql, "unarchived"); lost > 0) {
        find(CheckLevel::kWarning,
             "PostgreSQL is stopped, and its pg_wal holds " +
                 many(lost, "file that was", "files that were") + " never archived",
             "run `pgwalship rescue " + report_text(postgresql, "data_directory") +
                 "` before pg_rewind, pg_basebackup or removing PGSQL.lock");
      }
      return;
    }
    const auto ready = report_number(postgresql, "ready");
    const auto behind = report_number(postgresql, "unarchived_segments");
    if (!ready && !behind) {
      return;
    }
    const double count = std::max(ready.value_or(0), behind.value_or(0));
    const double age = ready       ? report_number_or_zero(postgresql, "oldest_ready_age_seconds")
                       : count > 0 ? report_number_or_zero(postgresql, "last_archived_age_seconds")
                                   : 0;
    measure("backlog", count, "", plain(static_cast<double>(limits_.backlog.warning)),
            plain(static_cast<double>(limits_.backlog.critical)));
    measure_time("backlog_age", age, limits_.age);
    if (count == 0) {
      return;
    }
    find(std::max(above(count, static_cast<double>(limits_.backlog.warning),
                        static_cast<double>(limits_.backlog.critical)),
                  above(age, limits_.age)),
         many(count, "finished segment waits", "finished segments wait") +
             " to be archived, the oldest for " + ago(age),
         "see archive_command's messages in PostgreSQL's log, and `pgwalship status`");
  }

  void archive() {
    const ReportJson& archive = report_field(report_, "archive");
    if (const std::string error = report_text(archive, "error"); !error.empty()) {
      const bool reading = report_flag(archive, "reading").value_or(false);
      find(reading ? CheckLevel::kWarning : CheckLevel::kCritical, "archive: " + error,
           reading ? "wait; when it takes long, look at the disk"
                   : "is its file system mounted, and its disk well? If another directory is there "
                     "on purpose, restart pgwalshipd");
    }
    if (const auto free = report_number(archive, "free_bytes")) {
      const double reserve = report_number_or_zero(archive, "minimum_free_bytes");
      const auto warning = std::max(static_cast<double>(limits_.free.warning), reserve);
      const auto critical = std::max(static_cast<double>(limits_.free.critical), reserve);
      measure("archive_free", *free, "B", plain(warning) + ":", plain(critical) + ":");
      find(*free < critical  ? CheckLevel::kCritical
           : *free < warning ? CheckLevel::kWarning
                             : CheckLevel::kOk,
           "only " + size_text(static_cast<std::uint64_t>(*free) >> 20U << 20U) +
               " free for the archive",
           "free space there, or let old WAL go: [retention] in pgwalship.conf");
    }
    measure("archive_files", report_number_or_zero(archive, "files"));
    const double missing = report_number_or_zero(archive, "missing");
    measure("archive_missing", missing);
    if (const std::string error = report_text(archive, "fetch_error");
        missing > 0 && !error.empty()) {
      find(CheckLevel::kWarning,
           many(missing, "file is", "files are") + " missing here and cannot be fetched: " + error,
           "the peers have them, and the archive here cannot take them in: free space, or mend its "
           "disk");
    }
    if (!report_flag(archive, "complete").value_or(true) && report_text(archive, "error").empty()) {
      find(CheckLevel::kWarning, "the archive here was never complete, and does not count yet",
           "bring all nodes together; `pgwalship reconcile` shows progress");
    }
    if (const ReportJson& names = report_list(archive, "obstacles"); !names.empty()) {
      find(CheckLevel::kWarning,
           many(static_cast<double>(names.size()), "name", "names") +
               " in the archive taken by what is no file: " + names.front().dump(),
           "nothing of that name can be stored or served: move it away");
    }
    if (report_flag(archive, "vanished").value_or(false)) {
      find(CheckLevel::kWarning,
           "files that were in the archive here are gone (removed by other hands, or bad), and it "
           "is not sure to have all of them back",
           "bring all nodes together; the log says which; only [retention] should remove files");
    }
    if (const ReportJson& files = report_list(archive, "quarantined"); !files.empty()) {
      find(CheckLevel::kWarning,
           many(static_cast<double>(files.size()), "file", "files") + " in quarantine",
           "look at the disk's health; remove them by hand when the archive is good again");
    }
    if (const double all = report_number_or_zero(archive, "quarantine_files");
        all > kQuarantineMax) {
      find(CheckLevel::kWarning, "quarantine holds " + plain(all) + " files, decided ones included",
           "nothing goes from there by itself: look why so many come, and remove from "
           ".pgwalship/quarantine what is decided (.resolved-, .same-records-)");
    }
  }

  void pg_wal() {
    const ReportJson& server = report_field(report_, "postgresql");
    const ReportJson& space = report_field(server, "pg_wal");
    if (!space.is_object()) {
      return;
    }
    measure("pg_wal_free", report_number_or_zero(space, "free_bytes"), "B");
    const std::string state = report_text(space, "state");
    const auto full_in = report_number(space, "full_in_seconds");
    find(state == "critical"  ? CheckLevel::kCritical
         : state == "warning" ? CheckLevel::kWarning
                              : CheckLevel::kOk,
         full_in ? "pg_wal's file system is full in " + ago(*full_in) : "pg_wal is nearly full",
         report_number(server, "ready").value_or(1) > 0
             ? "PostgreSQL stops when it is full: free space, or mend archiving"
             : "PostgreSQL stops when it is full, and archiving keeps up: look for a slot that "
               "nobody reads (pg_replication_slots), wal_keep_size, and other files there");
  }

  void conflicts() {
    const ReportJson& conflicts = report_list(report_, "conflicts");
    measure("conflicts", static_cast<double>(conflicts.size()), "", "", "0");
    if (!conflicts.empty()) {
      const std::string name = report_text(conflicts.front(), "name");
      find(CheckLevel::kCritical,
           many(static_cast<double>(conflicts.size()), "conflict", "conflicts") +
               ", the first: " + name + " at " + report_text(conflicts.front(), "where") + ": " +
               report_text(conflicts.front(), "text"),
           "`pgwalship conflicts show " + name + "` on that node says what to do");
    }
  }

  void timelines() {
    const ReportJson& timelines = report_field(report_, "timelines");
    double missing = 0;
    double needed = 0;
    double contradictions = 0;
    std::string first;
    for (const ReportJson& trouble : report_list(timelines, "troubles")) {
      missing += report_number_or_zero(trouble, "missing_segments");
      needed += report_number_or_zero(trouble, "needed_segments");
      contradictions += report_number_or_zero(trouble, "contradictions");
      first = first.empty() ? report_text(trouble, "first_gap") : first;
    }
    measure("missing_segments", needed, "", "", "0");
    if (missing > 0) {
      find(
          needed > 0 ? CheckLevel::kCritical : CheckLevel::kWarning,
          many(missing, "segment is", "segments are") +
              " missing in the archive, the first: " + first,
          "`pgwalship timeline` shows the gaps; `pgwalship verify --repair` asks the peers; take a "
          "base backup");
    }
    if (contradictions > 0) {
      find(CheckLevel::kWarning,
           many(contradictions, "timeline contradicts", "timelines contradict") + " the others",
           "`pgwalship timeline` says which");
    }
    for (const ReportJson& alarm : report_list(timelines, "alarms")) {
      find(report_text(alarm, "kind") == "split_brain" ? CheckLevel::kCritical
                                                       : CheckLevel::kWarning,
           report_text(alarm, "text"), report_text(alarm, "hint"));
    }
  }

  void peers() {
    const double uptime = report_number_or_zero(report_field(report_, "daemon"), "uptime_seconds");
    for (const ReportJson& peer : report_list(report_, "peers")) {
      const std::string name = report_text(peer, "node");
      const std::string state = report_text(peer, "state");
      // A peer that only has files for us lacks nothing.
      const bool well = state == "current" || state == "pulling";
      const double lag = report_number_or_zero(peer, "lag_seconds");
      const double unwell =
          well ? lag : std::max(lag, report_number(peer, "since_seconds").value_or(uptime));
      measure(name + "_lag", report_number_or_zero(peer, "backlog"));
      measure_time(name + "_lag_time", unwell, limits_.peer);
      const std::string error = report_text(peer, "last_error");
      find(above(unwell, limits_.peer),
           "peer " + name + " " + words_of(state) + " for " + ago(unwell) +
               (error.empty() ? "" : ": " + error),
           state == "down" ? "`pgwalship config --check` says at which step it fails"
                           : "`pgwalship reconcile " + name + "` shows progress, or what is wrong");
      if (well && !report_flag(peer, "counts").value_or(true)) {
        find(CheckLevel::kWarning, "peer " + name + " does not count yet",
             "bring all nodes together; `pgwalship reconcile` shows progress");
      }
      clock(peer, name);
      if (report_flag(peer, "configuration_differs").value_or(false)) {
        find(CheckLevel::kWarning, "peer " + name + " has another configuration",
             "make [cluster] the same on all nodes, and restart the daemons");
      }
    }
  }

  // What the measurement may be wrong by is not held against the peer.
  void clock(const ReportJson& peer, const std::string& name) {
    const auto offset = report_number(peer, "clock_offset_seconds");
    if (!offset) {
      return;
    }
    const double off = std::abs(*offset);
    measure_time(name + "_clock", off, limits_.clock);
    const double sure = off - report_number_or_zero(peer, "clock_offset_error_seconds");
    find(above(sure, limits_.clock),
         "the clock of " + name + " is " + plain(off) + " s " +
             (*offset > 0 ? "ahead of" : "behind") + " this node's",
         "let all nodes follow one time (chrony, systemd-timesyncd)");
  }

  static std::string words_of(const std::string& state) {
    return state == "current"       ? "behind"
           : state == "pulling"     ? "behind"
           : state == "catching_up" ? "catching up"
                                    : state;
  }

  // That a server is stopped is for whoever stopped it.
  void postgresql() {
    const ReportJson& postgresql = report_field(report_, "postgresql");
    const auto reachable = report_flag(postgresql, "reachable");
    const std::string error = report_text(postgresql, "error");
    if (report_flag(postgresql, "elsewhere").value_or(false)) {
      find(CheckLevel::kWarning,
           "PostgreSQL answers, but no server runs in [postgres] data-directory",
           "name the directory that SHOW data_directory prints there, and restart pgwalshipd");
    }
    if (!reachable || error.empty()) {
      return;
    }
    if (*reachable) {
      find(CheckLevel::kCritical, "PostgreSQL is of another cluster: " + error,
           "check [postgres] conninfo and [archive] directory");
    } else if (report_text(postgresql, "role") != "stopped") {
      find(CheckLevel::kWarning, "PostgreSQL cannot be asked: " + error,
           "try psql with [postgres] conninfo, as the user that runs pgwalshipd");
    }
  }

  void care() {
    const ReportJson& retention = report_field(report_, "retention");
    if (const std::string trouble = report_text(retention, "trouble"); !trouble.empty()) {
      find(CheckLevel::kWarning, "retention held back: " + trouble,
           "`pgwalship expire --dry-run` says what keeps what");
    }
    const ReportJson& fill = report_field(report_, "back_fill");
    if (const std::string error = report_text(fill, "last_error"); !error.empty()) {
      find(CheckLevel::kWarning, "back-fill from pg_wal: " + error,
           "it reads [postgres] data-directory: leave that out on a node without a server");
    }
    if (report_number(report_field(report_, "look_ahead"), "unasked_seconds")) {
      find(CheckLevel::kWarning,
           "PostgreSQL asks for nothing although files wait for its archive_command",
           "PostgreSQL's log and pg_stat_archiver say what its archiver does");
    }
  }

  std::string good() const {
    const ReportJson& peers = report_list(report_, "peers");
    const auto current = std::count_if(peers.begin(), peers.end(), [](const ReportJson& peer) {
      return report_text(peer, "state") == "current";
    });
    const ReportJson& quorum = report_field(report_, "quorum");
    std::string text = "quorum " + report_text(quorum, "expression");
    text += report_flag(quorum, "held").value_or(false)
                ? " held"
                : " not held for " + ago(report_number_or_zero(quorum, "since_seconds"));
    if (!peers.empty()) {
      text +=
          ", " + std::to_string(current) + " of " + std::to_string(peers.size()) + " peers current";
    }
    const ReportJson& archive = report_field(report_, "archive");
    text += ", " + many(report_number_or_zero(archive, "files"), "file", "files") + " archived";
    if (const std::string last = report_text(report_field(report_, "push"), "last_name");
        !last.empty()) {
      text += ", last " + last;
    }
    return text;
  }

  const ReportJson& report_;
  const CheckLimits& limits_;
  CheckResult result_;
};

std::string_view word_of(CheckLevel level) {
  switch (level) {
    case CheckLevel::kOk:
      return "OK";
    case CheckLevel::kWarning:
      return "WARNING";
    case CheckLevel::kCritical:
      return "CRITICAL";
    case CheckLevel::kUnknown:
      return "UNKNOWN";
  }
  return "UNKNOWN";
}

// A bar would begin the performance data, a line break the long output.
std::string harmless(std::string text) {
  for (char& c : text) {
    c = c == '|' ? '/' : c == '\n' || c == '\r' ? ' ' : c;
  }
  return text;
}

// The first line goes into mails and onto pagers; the whole text comes below it.
std::string shortened(std::string text) {
  constexpr std::size_t kCharactersMax = 160;
  if (text.size() > kCharactersMax) {
    text.resize(kCharactersMax - 3);
    text += "...";
  }
  return text;
}

std::string performance_text(const PerformanceValue& value) {
  std::string label = value.label;
  std::erase_if(label, [](char c) { return c == '\'' || c == '='; });
  std::string text = "'" + label + "'=" + plain(value.value) + value.unit + ";" + value.warning +
                     ";" + value.critical + ";0;" + value.maximum;
  return text.substr(0, text.find_last_not_of(';') + 1);
}

}  // namespace

CheckResult check_report(std::string_view report, const CheckLimits& limits) {
  const ReportJson json = ReportJson::parse(report, nullptr, false);
  if (!json.is_object() || !report_field(json, "quorum").is_object()) {
    return check_failure(CheckLevel::kUnknown,
                         Error{Errc::kProtocol, "the daemon's status report is not understood",
                               "are pgwalship and pgwalshipd of one version?"});
  }
  return Examination(json, limits).run();
}

CheckResult check_failure(CheckLevel level, const Error& error) {
  CheckResult result;
  result.level = level;
  result.findings.push_back({level, error.message, error.hint});
  return result;
}

std::string check_output(const CheckResult& result) {
  std::string text = "PGWALSHIP " + std::string(word_of(result.level)) + " - ";
  if (result.findings.empty()) {
    text += harmless(result.good);
  } else {
    text += shortened(harmless(result.findings.front().text));
    const std::size_t more = result.findings.size() - 1;
    text += more > 0 ? " (and " + std::to_string(more) + " more)" : "";
  }
  std::string separator = " | ";
  for (const PerformanceValue& value : result.performance) {
    text += std::exchange(separator, " ") + performance_text(value);
  }
  text += "\n";
  for (const CheckFinding& finding : result.findings) {
    text += std::string(word_of(finding.level)) + ": " + harmless(finding.text) + "\n" +
            (finding.hint.empty() ? "" : "  HINT: " + harmless(finding.hint) + "\n");
  }
  return text;
}

}  // namespace pgwalship
