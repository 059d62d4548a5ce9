#include "archiver/retention_facts.h"
#include "base/fd.h"
#include "base/posix_file_system.h"
#include "cmd/command_line.h"
#include "cmd/daemon_call.h"
#include "cmd/exit_status.h"
#include "cmd/expire_call.h"
#include "cmd/retention_config.h"
#include "cmd/terminal.h"
#include "cmd/verbs.h"

#include <tuple>
#include <unistd.h>

namespace pgwalship {
namespace {

constexpr std::string_view kWho = "pgwalship expire";
// Reading an archive of a million files, or peers that are silent for the daemon's own limit.
constexpr std::chrono::minutes kPatience{10};
// An archive of many terabytes whose rules were just tightened.
constexpr std::chrono::hours kRunLimit{24};

void print(const std::string& text) {
  std::ignore = write_full(STDOUT_FILENO, as_bytes(text), "write");  // a closed pipe wants no text
}

ExpireExit exit_of(ExpireOutcome outcome) {
  switch (outcome) {
    case ExpireOutcome::kDone:
      return ExpireExit::kDone;
    case ExpireOutcome::kHeld:
      return ExpireExit::kHeld;
    case ExpireOutcome::kRunning:
    case ExpireOutcome::kFailed:
      break;
  }
  return ExpireExit::kFailed;
}

// What the rules alone come to: who else needs a file, and whether the quorum has it, only the
// daemon knows.
int dry_run_without_daemon(const Config& config, const Error& why) {
  PosixFileSystem file_system;
  const ArchiveStore store(file_system, {.directory = config.archive.directory});
  Result<RetentionInputs> inputs = read_retention_facts(store);
  if (!inputs.ok()) {
    return fail_expire(kWho, inputs.error());
  }
  inputs.value().rules = retention_rules(config);
  inputs.value().now = SystemClock().wall();
  print(
      "the daemon does not answer (" + why.message +
      "): this is what the rules alone let go.\nWhat other nodes' servers need, and what is on the "
      "quorum, is not known; nothing is ever removed without the daemon.\n");
  for (const std::string& reason : plan_retention(inputs.value()).reasons) {
    print(reason + "\n");
  }
  return to_status(ExpireExit::kDone);
}

int run_expire(const Invocation& invocation) {
  const auto arguments = parse_arguments({.flags = {"dry-run"}}, invocation.arguments);
  if (!arguments.ok()) {
    return fail_expire(kWho, arguments.error());
  }
  const auto config = load_client_config(invocation.config_path);
  if (!config.ok()) {
    return fail_expire(kWho, config.error());
  }
  const bool is_dry_run = arguments.value().flags.contains("dry-run");
  const SystemClock clock;
  ProgressLine progress(clock);
  const auto print_line = [&](const std::string& line) {
    progress.clear();
    print(line + "\n");
  };
  const auto last = ask_to_expire(config.value(),
                                  {.mode = is_dry_run ? ExpireMode::kDryRun : ExpireMode::kRemove,
                                   .patience = kPatience,
                                   .limit = kRunLimit},
                                  [&](const ExpireReport& report) {
                                    if (report.progress) {
                                      progress.show_text(report.line);
                                    } else {
                                      print_line(report.line);
                                    }
                                  });
  progress.clear();
  if (!last.ok() && is_dry_run && last.error().code == Errc::kRetry) {
    return dry_run_without_daemon(config.value(), last.error());
  }
  if (!last.ok()) {
    return fail_expire(kWho, last.error());
  }
  print_line(last.value().line);
  return to_status(exit_of(last.value().outcome));
}

}  // namespace

const Verb kExpireVerb{
    .name = "expire",
    .synopsis = "expire [--dry-run]",
    .summary = "remove from this node's archive what [retention] lets go",
    .help =
        "Says which rule keeps what, and removes the rest: only what the quorum has too, and\n"
        "nothing that a known server needs. The daemon does the same by itself, every\n"
        "[retention] interval. Other nodes' archives are not touched.\n"
        "\n"
        "--dry-run removes nothing and says what would go. Try it first. It also works while the\n"
        "daemon is down, with what the rules alone come to.\n"
        "\n"
        "Exit status:\n"
        "  0  done, also when there was nothing to do\n"
        "  1  it failed, or the daemon does not answer\n"
        "  2  wrong command line or configuration\n"
        "  3  something that the rules let go had to stay, or another run is on\n",
    .run = run_expire,
    .failure_status = expire_failure_status};

}  // namespace pgwalship
