#include "base/fd.h"
#include "base/posix_file_system.h"
#include "cmd/command_line.h"
#include "cmd/config.h"
#include "cmd/daemon_call.h"
#include "cmd/emergency_exit.h"
#include "cmd/timeline_report.h"
#include "cmd/verbs.h"
#include "wal/archive_scan.h"

#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <string_view>
#include <unistd.h>

namespace pgwalship {
namespace {

constexpr int kWhole = 0;
constexpr int kNotWhole = 1;
constexpr int kUsage = 2;
constexpr int kFailed = 3;

// A million names are listed in seconds; a disk that takes minutes is itself the news.
constexpr std::chrono::minutes kRunLimit{5};
// A raw .history in quarantine is this long at most; its gzip file is shorter.
constexpr std::size_t kQuarantinedBytesMax = kTimelineHistoryBytesMax;

// As glibc picks the character set: the first of these that is set.
Drawing terminal_drawing() {
  for (const char* variable : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* value = std::getenv(variable);
    if (value == nullptr || *value == '\0') {
      continue;
    }
    const std::string_view locale(value);
    return locale.ends_with("UTF-8") || locale.ends_with("utf8") || locale.ends_with("utf-8")
               ? Drawing::kUnicode
               : Drawing::kAscii;
  }
  return Drawing::kAscii;
}

// What a refused history says; a damaged one says why.
std::string refused_history(FileSystem& file_system, const std::string& path,
                            std::uint32_t timeline) {
  const auto file = file_system.open(path);
  if (!file.ok()) {
    return file.error().message;
  }
  Bytes packed(kQuarantinedBytesMax);
  const Result<std::size_t> size = file.value()->read_at(0, packed);
  if (!size.ok()) {
    return size.error().message;
  }
  packed.resize(size.value());
  GzipReader gzip(kTimelineHistoryBytesMax);
  Bytes raw;
  if (const Result<void> unpacked = gzip.write(packed, raw); !unpacked.ok()) {
    return unpacked.error().message;
  }
  const auto history = parse_timeline_history(timeline, as_text(raw));
  return history.ok() ? history_text(history.value()) : history.error().message;
}

std::vector<QuarantinedFile> look_into_quarantine(FileSystem& file_system,
                                                  const ArchiveStore& store) {
  std::vector<QuarantinedFile> files;
  const auto names = store.quarantined();
  if (!names.ok()) {
    return files;
  }
  const ArchiveLayout layout(store.directory());
  for (const std::string& file : names.value()) {
    QuarantinedFile quarantined{.file = file};
    const std::size_t label = std::min(file.find(".conflict-"), file.find(".corrupt-"));
    const auto name = WalName::parse(file.substr(0, label));
    if (name.ok()) {
      quarantined.timeline = name.value().timeline();
      if (name.value().kind() == WalKind::kHistory && file.find(".conflict-") == label) {
        quarantined.history = refused_history(
            file_system, layout.quarantine_directory() + "/" + file, name.value().timeline());
      }
    }
    files.push_back(std::move(quarantined));
  }
  return files;
}

Result<TimelineReport> read_report(const Config& config) {
  PosixFileSystem file_system;
  const ArchiveStore store(file_system, {.directory = config.archive.directory});
  TRY_ASSIGN(const std::vector<WalName> names, store.list());
  TRY_ASSIGN(auto obstacles, find_obstacles(config.archive.directory));
  ArchiveSurvey survey = survey_archive(store, names);
  TimelineGraph graph = survey.graph();
  ArchiveCoverage coverage = cover_archive(graph, survey.partials, survey.backups);
  return TimelineReport{.node = config.node_name,
                        .directory = config.archive.directory,
                        .files = names.size(),
                        .survey = std::move(survey),
                        .graph = std::move(graph),
                        .coverage = std::move(coverage),
                        .obstacles = std::move(obstacles),
                        .quarantine = look_into_quarantine(file_system, store)};
}

Result<void> write_svg(const TimelineReport& report, const std::string& path) {
  constexpr mode_t kMode = 0666;  // less the umask: a picture for others to look at
  const Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, kMode));
  if (!file.valid()) {
    return errno_error("write '" + path + "'", errno);
  }
  return write_full(file.get(), as_bytes(timeline_svg(report)), "write '" + path + "'");
}

int run_timeline(const Invocation& invocation) {
  limit_run_time(kRunLimit);
  const auto fail = [](const Error& error) {
    print_reason("pgwalship timeline", error);
    return error.code == Errc::kInvalid ? kUsage : kFailed;
  };
  const auto arguments =
      parse_arguments({.optional_values = {"svg"}, .flags = {"json"}}, invocation.arguments);
  if (!arguments.ok()) {
    return fail(arguments.error());
  }
  const auto config = load_client_config(invocation.config_path);
  if (!config.ok()) {
    return fail(config.error());
  }
  const Result<TimelineReport> report = read_report(config.value());
  if (!report.ok()) {
    return fail(report.error());
  }
  if (const auto svg = arguments.value().values.find("svg");
      svg != arguments.value().values.end()) {
    if (const Result<void> written = write_svg(report.value(), svg->second); !written.ok()) {
      return fail(written.error());
    }
  }
  const std::string shown = arguments.value().flags.contains("json")
                                ? timeline_json(report.value())
                                : timeline_text(report.value(), terminal_drawing());
  if (const auto written = write_full(STDOUT_FILENO, as_bytes(shown), "write the report");
      !written.ok()) {
    return fail(written.error());
  }
  return report.value().whole() ? kWhole : kNotWhole;
}

int timeline_failure() {
  return kFailed;
}

}  // namespace

const Verb kTimelineVerb{
    .name = "timeline",
    .synopsis = "timeline [--json] [--svg FILE]",
    .summary = "timelines, gaps, and what each base backup can recover",
    .help =
        "Reads this node's archive, with the daemon up or down: the timelines as a tree with\n"
        "their ranges, gaps, forks and conflicts, and for each base backup how far it can be\n"
        "recovered. --json prints the same for programs; --svg FILE also draws it.\n"
        "\n"
        "Exit status:\n"
        "  0    whole: no gaps, no contradictions\n"
        "  1    there are gaps, contradictions, refused histories, base backups that cannot be\n"
        "       recovered, or names that are no files\n"
        "  2    wrong command line or configuration\n"
        "  3    the archive cannot be read, or FILE cannot be written\n",
    .run = run_timeline,
    .failure_status = timeline_failure};

}  // namespace pgwalship
