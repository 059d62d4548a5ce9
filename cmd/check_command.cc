#include "base/fd.h"
#include "cmd/check_probe.h"
#include "cmd/check_rules.h"
#include "cmd/command_line.h"
#include "cmd/daemon_call.h"
#include "cmd/emergency_exit.h"
#include "cmd/report_call.h"
#include "cmd/units.h"
#include "cmd/verbs.h"

#include <optional>
#include <tuple>
#include <unistd.h>

namespace pgwalship {
namespace {

constexpr std::chrono::seconds kTimeoutDefault{10};
constexpr std::chrono::milliseconds kTimeoutMax{std::chrono::minutes(10)};
// The report, and the way of the probe's report, beside what a push may take.
constexpr std::chrono::seconds kProbeAllowance{10};
// Printing, and what the clock of a busy machine needs.
constexpr std::chrono::seconds kAllowance{2};

int check_unknown() {
  return static_cast<int>(CheckLevel::kUnknown);
}

// On stdout, where a monitoring system reads it, whatever it says.
int print(const CheckResult& result) {
  std::ignore = write_full(STDOUT_FILENO, as_bytes(check_output(result)), "write");
  return static_cast<int>(result.level);
}

Result<std::chrono::milliseconds> timeout_of(const Arguments& arguments) {
  const auto given = arguments.values.find("timeout");
  if (given == arguments.values.end()) {
    return std::chrono::milliseconds(kTimeoutDefault);
  }
  auto parsed = parse_duration(given->second);
  if (!parsed.ok()) {
    return parsed.error().within("--timeout");
  }
  if (parsed.value() <= std::chrono::milliseconds(0) || parsed.value() > kTimeoutMax) {
    return Error{Errc::kInvalid, "--timeout is 1ms to " + duration_text(kTimeoutMax), ""};
  }
  return parsed;
}

CheckResult check(const Config& config, const CheckLimits& limits, TimePoint deadline,
                  const Arguments& arguments) {
  const SystemClock clock;
  // The probe waits for a peer that is just being connected again: the report comes after that.
  std::optional<Result<ProbeReport>> probe;
  if (arguments.flags.contains("push")) {
    probe = ask_for_probe(config, clock, deadline);
  }
  const auto report = ask_for_report(config, clock, deadline);
  if (!report.ok()) {  // nothing can be archived: that is known
    return check_failure(CheckLevel::kCritical, report.error());
  }
  CheckResult result = check_report(report.value(), limits);
  if (probe) {
    add_probe(result, *probe, config.cluster.push_timeout);
  }
  return result;
}

int run_check(const Invocation& invocation) {
  const auto unknown = [](const Error& error) {
    return print(check_failure(CheckLevel::kUnknown, error));
  };
  VerbSyntax syntax{.optional_values = check_limit_options(), .flags = {"push"}};
  syntax.optional_values.emplace_back("timeout");
  const auto arguments = parse_arguments(syntax, invocation.arguments);
  if (!arguments.ok()) {
    return unknown(arguments.error());
  }
  const auto limits = parse_check_limits(arguments.value().values);
  if (!limits.ok()) {
    return unknown(limits.error());
  }
  auto timeout = timeout_of(arguments.value());
  if (!timeout.ok()) {
    return unknown(timeout.error());
  }
  limit_run_time(timeout.value() + kAllowance);
  const auto config = load_client_config(invocation.config_path);
  if (!config.ok()) {
    return unknown(config.error());
  }
  if (arguments.value().flags.contains("push") && !arguments.value().values.contains("timeout")) {
    timeout = config.value().cluster.push_timeout + kProbeAllowance;
    limit_run_time(timeout.value() + kAllowance);
  }
  return print(check(config.value(), limits.value(), SystemClock().now() + timeout.value(),
                     arguments.value()));
}

const std::string& help() {
  static const std::string kText =
      "For Nagios, Icinga and their like: one line with the verdict and performance data, then a\n"
      "line for each finding, the worst first, with what to do.\n"
      "\n" +
      check_limits_help() +
      "  --push                              send a probe, too: it is written and synced here and\n"
      "                                      on every peer, as a push would be, and removed\n"
      "  --timeout TIME                      the daemon must have answered within it (10s; with\n"
      "                                      --push 10s more than push-timeout)\n"
      "\n"
      "In parentheses: the limits without the options. Times and sizes have units (5min, 2GB).\n"
      "Failing pushes are a warning from the start, whatever --warning-age says. Critical "
      "whatever\n"
      "the limits: a daemon that does not answer, a conflict, two servers that act on one "
      "timeline,\n"
      "a missing segment that recovery needs, an archive that cannot be read, PostgreSQL of "
      "another\n"
      "cluster, pg_wal as pg-wal-critical in the configuration says, and a probe that no quorum\n"
      "made durable within push-timeout. A node that the probe did not reach, while the others "
      "are\n"
      "a quorum, is a warning.\n"
      "\n"
      "Exit status: 0 OK; 1 WARNING; 2 CRITICAL; 3 UNKNOWN: wrong command line or configuration.\n";
  return kText;
}

}  // namespace

const Verb kCheckVerb{.name = "check",
                      .synopsis = "check [--push] [--LIMIT VALUE...]",
                      .summary = "one line and an exit status for Nagios and its like",
                      .help = help(),
                      .run = run_check,
                      .failure_status = check_unknown};

}  // namespace pgwalship
