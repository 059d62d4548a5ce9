#include "base/fd.h"
#include "cmd/command_line.h"
#include "cmd/daemon_call.h"
#include "cmd/emergency_exit.h"
#include "cmd/report_call.h"
#include "cmd/verbs.h"

#include <unistd.h>

namespace pgwalship {
namespace {

constexpr int kPrinted = 0;
constexpr int kFailed = 1;
constexpr int kUsage = 2;

// Prometheus gives a scrape 10 s by default; whatever runs this for it should not wait longer.
constexpr std::chrono::milliseconds kAnswerLimit{5'000};
constexpr std::chrono::milliseconds kRunLimit{10'000};

int metrics_failure() {
  return kFailed;
}

int run_metrics(const Invocation& invocation) {
  limit_run_time(kRunLimit);
  const auto fail = [](const Error& error) {
    print_reason("pgwalship metrics", error);
    return error.code == Errc::kInvalid ? kUsage : kFailed;
  };
  if (const auto arguments = parse_arguments({}, invocation.arguments); !arguments.ok()) {
    return fail(arguments.error());
  }
  const auto config = load_client_config(invocation.config_path);
  if (!config.ok()) {
    return fail(config.error());
  }
  const SystemClock clock;
  const auto text =
      ask_for_report(config.value(), clock, clock.now() + kAnswerLimit, StatusFormat::kMetrics);
  if (!text.ok()) {
    return fail(text.error());
  }
  if (const auto written = write_full(STDOUT_FILENO, as_bytes(text.value()), "write the metrics");
      !written.ok()) {
    return fail(written.error());
  }
  return kPrinted;
}

}  // namespace

const Verb kMetricsVerb{.name = "metrics",
                        .synopsis = "metrics",
                        .summary = "the daemon's figures, as Prometheus reads them",
                        .help =
                            "Prints what the daemon serves over HTTP when [daemon] metrics-listen "
                            "is configured: for the\n"
                            "textfile collector of Prometheus' node_exporter, or to look at. "
                            "docs/monitoring/README.md\n"
                            "explains every metric.\n"
                            "\n"
                            "Exit status: 0 the metrics are printed; 1 the daemon does not answer; "
                            "2 wrong command line\n"
                            "or configuration.\n",
                        .run = run_metrics,
                        .failure_status = metrics_failure};

}  // namespace pgwalship
