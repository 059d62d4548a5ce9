#include "cmd/command_line.h"
#include "cmd/daemon_call.h"
#include "cmd/emergency_exit.h"
#include "cmd/exit_status.h"
#include "cmd/file_push.h"
#include "cmd/paths.h"
#include "cmd/verbs.h"

namespace pgwalship {
namespace {

constexpr std::chrono::milliseconds kStartLimit{10'000};  // until the configuration is read

int push_failure() {
  return to_status(PushExit::kRetry);
}

int fail(const std::string& who, const Error& error) {
  print_reason(who, error);
  return to_status(push_exit(error.code));
}

int run_push(const Invocation& invocation) {
  limit_run_time(kStartLimit);
  const auto arguments = parse_arguments({.positionals = {"PATH", "NAME"}}, invocation.arguments);
  if (!arguments.ok()) {
    return fail("pgwalship push", arguments.error());
  }
  const std::string& text = arguments.value().values.at("NAME");
  const std::string who = "pgwalship push " + text;
  const auto name = WalName::parse(text);
  if (!name.ok()) {
    return fail("pgwalship push", name.error());
  }
  const auto config = load_client_config(invocation.config_path);
  if (!config.ok()) {
    return fail(who, config.error());
  }
  limit_run_time(config.value().cluster.push_timeout + 2 * kPushGrace);
  const auto path = absolute_path(arguments.value().values.at("PATH"));
  if (!path.ok()) {
    return fail(who, path.error());
  }
  const auto done = push_file(config.value(), path.value(), name.value());
  if (!done.ok()) {
    return fail(who, done.error());
  }
  if (done.value().error.has_value()) {
    return fail(who, *done.value().error);
  }
  if (!done.value().warning.empty()) {
    print_reason(who, Error{Errc::kRetry, "warning: " + done.value().warning, ""});
  }
  return to_status(PushExit::kDurable);
}

}  // namespace

const Verb kPushVerb{
    .name = "push",
    .synopsis = "push PATH NAME",
    .summary = "archive a file; for archive_command",
    .help =
        "archive_command = 'pgwalship push %p %f'\n"
        "\n"
        "Ends when the file is durable in the local archive and on the peers that the quorum\n"
        "asks for, or when push-timeout has passed.\n"
        "\n"
        "Exit status:\n"
        "  0  durable on the quorum: PostgreSQL may recycle the file\n"
        "  1  not now (peer, quorum, time limit, daemon): PostgreSQL tries again\n"
        "  2  wrong command line or configuration, wrong name, or a file that does not fit it\n"
        "  3  the archive holds other content under this name\n"
        "  4  no space left in the local archive, or on peers that the quorum needs\n",
    .run = run_push,
    .failure_status = push_failure};

}  // namespace pgwalship
