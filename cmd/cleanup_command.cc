#include "base/fd.h"
#include "cmd/command_line.h"
#include "cmd/daemon_call.h"
#include "cmd/emergency_exit.h"
#include "cmd/exit_status.h"
#include "cmd/expire_call.h"
#include "cmd/verbs.h"
#include "wal/segment_name.h"

#include <tuple>
#include <unistd.h>

namespace pgwalship {
namespace {

constexpr std::string_view kWho = "pgwalship cleanup";
// The server's checkpointer waits for it. The daemon goes on by itself.
constexpr std::chrono::seconds kPatience{2};
constexpr std::chrono::seconds kDryRunPatience{60};
constexpr std::chrono::seconds kRunLimit{10};

// As pg_archivecleanup takes it: the oldest segment to keep, also as the name of a .partial or a
// .backup file.
Result<SegmentPosition> oldest_to_keep(const std::string& text) {
  TRY_ASSIGN(const WalName name, WalName::parse(text));
  if (name.kind() == WalKind::kHistory) {
    return Error{Errc::kInvalid, "'" + text + "' is a history file, not a segment",
                 "archive_cleanup_command = 'pgwalship cleanup %r'"};
  }
  return name.position();
}

int run_cleanup(const Invocation& invocation) {
  const auto arguments =
      parse_arguments({.positionals = {"NAME"}, .flags = {"dry-run"}}, invocation.arguments);
  if (!arguments.ok()) {
    return fail_expire(kWho, arguments.error());
  }
  const auto keep = oldest_to_keep(arguments.value().values.at("NAME"));
  if (!keep.ok()) {
    return fail_expire(kWho, keep.error());
  }
  const auto config = load_client_config(invocation.config_path);
  if (!config.ok()) {
    return fail_expire(kWho, config.error());
  }
  const bool is_dry_run = arguments.value().flags.contains("dry-run");
  const auto patience = is_dry_run ? kDryRunPatience : kPatience;
  if (!is_dry_run) {
    limit_run_time(kRunLimit);
  }
  const auto print = [&](const ExpireReport& report) {
    if (is_dry_run && !report.progress) {
      std::ignore = write_full(STDOUT_FILENO, as_bytes(report.line + "\n"), "write");
    }
  };
  const auto last = ask_to_expire(config.value(),
                                  {.mode = is_dry_run ? ExpireMode::kDryRun : ExpireMode::kRemove,
                                   .needs = keep.value(),
                                   .patience = patience,
                                   .limit = patience},
                                  print);
  if (!last.ok() && last.error().code == Errc::kTimeout && !is_dry_run) {
    return to_status(ExpireExit::kDone);  // it is at it
  }
  if (!last.ok()) {
    return fail_expire(kWho, last.error());
  }
  print(last.value());
  if (last.value().outcome == ExpireOutcome::kFailed) {
    return fail_expire(kWho, Error{Errc::kIo, last.value().line, ""});
  }
  return to_status(ExpireExit::kDone);
}

}  // namespace

const Verb kCleanupVerb{
    .name = "cleanup",
    .synopsis = "cleanup NAME [--dry-run]",
    .summary = "this node's standby needs nothing before NAME; for archive_cleanup_command",
    .help =
        "archive_cleanup_command = 'pgwalship cleanup %r'\n"
        "\n"
        "Tells the daemon what this node's server still needs, and lets it expire what is before:\n"
        "only in this node's archive, and only what [retention] lets go, as `pgwalship expire`\n"
        "does. Without [retention] nothing is removed. NAME is a segment, or a .partial or\n"
        ".backup file. --dry-run says what would go.\n"
        "\n"
        "Exit status: 0 done, also when there is nothing that may go; 1 it failed, or the daemon\n"
        "does not answer; 2 wrong command line or configuration.\n",
    .run = run_cleanup,
    .failure_status = expire_failure_status};

}  // namespace pgwalship
