#include "base/fd.h"
#include "cmd/command_line.h"
#include "cmd/daemon_call.h"
#include "cmd/emergency_exit.h"
#include "cmd/report_call.h"
#include "cmd/status_view.h"
#include "cmd/verbs.h"

#include <unistd.h>

namespace pgwalship {
namespace {

constexpr int kShown = 0;
constexpr int kFailed = 1;
constexpr int kUsage = 2;

constexpr std::chrono::milliseconds kAnswerLimit{5'000};
constexpr std::chrono::milliseconds kRunLimit{10'000};

int status_failure() {
  return kFailed;
}

int run_status(const Invocation& invocation) {
  limit_run_time(kRunLimit);
  const auto fail = [](const Error& error) {
    print_reason("pgwalship status", error);
    return error.code == Errc::kInvalid ? kUsage : kFailed;
  };
  const auto arguments = parse_arguments({.flags = {"json"}}, invocation.arguments);
  if (!arguments.ok()) {
    return fail(arguments.error());
  }
  const auto config = load_client_config(invocation.config_path);
  if (!config.ok()) {
    return fail(config.error());
  }
  const SystemClock clock;
  const Result<std::string> json =
      ask_for_report(config.value(), clock, clock.now() + kAnswerLimit);
  if (!json.ok()) {
    return fail(json.error());
  }
  Result<std::string> shown =
      arguments.value().flags.contains("json") ? json : render_status(json.value());
  if (!shown.ok()) {
    return fail(shown.error());
  }
  if (const auto written = write_full(STDOUT_FILENO, as_bytes(shown.value()), "write the report");
      !written.ok()) {
    return fail(written.error());
  }
  return kShown;
}

}  // namespace

const Verb kStatusVerb{
    .name = "status",
    .synopsis = "status [--json]",
    .summary = "how safe the WAL is, as this node's daemon sees it",
    .help =
        "The first line is the verdict. --json prints the daemon's report as it is, for\n"
        "programs.\n"
        "\n"
        "Exit status: 0 the report is shown, whatever it says; 1 the daemon does not answer;\n"
        "2 wrong command line or configuration.\n",
    .run = run_status,
    .failure_status = status_failure};

}  // namespace pgwalship
