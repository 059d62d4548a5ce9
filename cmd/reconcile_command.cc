#include "base/fd.h"
#include "cmd/command_line.h"
#include "cmd/daemon_call.h"
#include "cmd/emergency_exit.h"
#include "cmd/reconcile_report.h"
#include "cmd/terminal.h"
#include "cmd/verbs.h"

#include <algorithm>
#include <tuple>
#include <unistd.h>

namespace pgwalship {
namespace {

constexpr std::string_view kWho = "pgwalship reconcile";
constexpr int kFailed = 1;
constexpr int kUsage = 2;
constexpr std::uint64_t kQueryId = 1;
// Longer than the daemon waits while nothing moves.
constexpr std::chrono::minutes kPatience{3};

int fail(const Error& error) {
  print_reason(std::string(kWho), error);
  return error.code == Errc::kInvalid ? kUsage : kFailed;
}

Result<ReconcileReport> ask(const Config& config, const std::string& peer) {
  const SystemClock clock;
  ProgressLine progress(clock);
  const auto deadline = [&] { return clock.now() + kPatience; };
  TRY_ASSIGN(const auto daemon, connect_daemon(config, clock, deadline(), IfDown::kFail));
  TRY(daemon->send(ReconcileQuery{kQueryId, peer}, deadline()));
  for (;;) {
    TRY_ASSIGN(const Message message, daemon->receive(deadline()));
    if (const auto* done = std::get_if<Done>(&message); done != nullptr && done->error) {
      return *done->error;
    }
    if (const auto* report = std::get_if<ReconcileReport>(&message)) {
      if (report->last) {
        return *report;
      }
      progress.show_text(reconcile_progress(*report));
    }
  }
}

int run_reconcile(const Invocation& invocation) {
  VerbSyntax syntax{.flags = {"json"}};
  const auto& words = invocation.arguments;
  if (std::any_of(words.begin(), words.end(),
                  [](const std::string& word) { return !word.starts_with('-'); })) {
    syntax.positionals = {"PEER"};
  }
  const auto arguments = parse_arguments(syntax, words);
  if (!arguments.ok()) {
    return fail(arguments.error());
  }
  const auto config = load_client_config(invocation.config_path);
  if (!config.ok()) {
    return fail(config.error());
  }
  const auto& values = arguments.value().values;
  const auto peer = values.find("PEER");
  const auto report = ask(config.value(), peer == values.end() ? "" : peer->second);
  if (!report.ok()) {
    return fail(report.error());
  }
  const std::string text = arguments.value().flags.contains("json")
                               ? reconcile_json(report.value())
                               : reconcile_text(report.value());
  std::ignore = write_full(STDOUT_FILENO, as_bytes(text), "write");  // a closed pipe wants no text
  return reconcile_status(report.value());
}

int reconcile_failure() {
  return kFailed;
}

}  // namespace

const Verb kReconcileVerb{
    .name = "reconcile",
    .synopsis = "reconcile [--json] [PEER]",
    .summary = "compare this node's archive with its peers' now, and level them",
    .help =
        "Has the daemon compare its archive with every peer's, or with that of PEER, and waits\n"
        "until what was missing on either side has come over. The daemon does the same by itself,\n"
        "every minute; this is for who does not want to wait. Nothing is ever overwritten.\n"
        "\n"
        "--json prints the result as JSON (docs/json.md).\n"
        "\n"
        "Exit status:\n"
        "  0  the archives hold the same\n"
        "  1  a peer could not be reached or caught up, or the daemon does not answer\n"
        "  2  wrong command line or configuration, or no such peer\n"
        "  3  the same, but for conflicts: `pgwalship conflicts` shows them\n",
    .run = run_reconcile,
    .failure_status = reconcile_failure};

}  // namespace pgwalship
