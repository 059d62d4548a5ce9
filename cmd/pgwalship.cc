// The client: a table of verbs.
#include "base/fd.h"
#include "base/posix_file_system.h"
#include "cmd/command_line.h"
#include "cmd/emergency_exit.h"
#include "cmd/paths.h"
#include "cmd/verbs.h"
#include "restorer/recovery_mode.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <exception>
#include <tuple>
#include <unistd.h>

namespace pgwalship {
namespace {

// In the order of the help.
const std::array kVerbs{
    &kPushVerb,     &kFetchVerb,  &kReceiveVerb,   &kStatusVerb, &kCheckVerb,   &kMetricsVerb,
    &kTimelineVerb, &kVerifyVerb, &kReconcileVerb, &kExpireVerb, &kCleanupVerb, &kConflictsVerb,
    &kRescueVerb,   &kKeysVerb,   &kConfigVerb,    &kAdoptVerb,
};

void print(std::string_view text) {
  std::ignore = write_full(STDOUT_FILENO, as_bytes(text), "write");  // a closed pipe wants no text
}

std::string general_help() {
  std::string text =
      "Usage: pgwalship [--config FILE] VERB [arguments]\n"
      "\n"
      "Archives PostgreSQL's WAL on several nodes.\n"
      "\n"
      "Verbs:\n";
  for (const Verb* verb : kVerbs) {
    std::string synopsis = "  " + std::string(verb->synopsis);
    synopsis.resize(std::max<std::size_t>(synopsis.size() + 2, 25), ' ');
    text += synopsis + std::string(verb->summary) + "\n";
  }
  return text +
         "\n"
         "Options:\n"
         "  -c, --config FILE      default: $PGWALSHIP_CONFIG, else /etc/pgwalship/pgwalship.conf\n"
         "  -h, --help             this, and after a verb its own help\n"
         "  -V, --version          the version\n";
}

std::string verb_help(const Verb& verb) {
  return "Usage: pgwalship [--config FILE] " + std::string(verb.synopsis) + "\n\n" +
         std::string(verb.help);
}

// A command line without a verb may be a restore_command with a mistake in it, and PostgreSQL reads
// 2 as "not in the archive": point-in-time recovery would end there (cmd/exit_status.h).
int usage_status() {
  const PosixFileSystem file_system;
  const Result<std::string> directory = working_directory();
  const bool ends_recovery =
      !directory.ok() ||
      find_recovery_mode(file_system, directory.value()) == RecoveryMode::kRecovery;
  return ends_recovery ? 255 : 2;
}

Error unknown_verb(const std::string& given) {
  std::array<std::string_view, kVerbs.size()> names;
  std::transform(kVerbs.begin(), kVerbs.end(), names.begin(),
                 [](const Verb* verb) { return verb->name; });
  const std::string_view meant = nearest_word(given, names);
  return Error{Errc::kInvalid, "no verb is called '" + given + "'",
               meant.empty() ? "`pgwalship --help` lists the verbs"
                             : "did you mean '" + std::string(meant) + "'?"};
}

int run_verb(const Verb& verb, const CommandLine& line) {
  const auto& words = line.arguments;
  if (std::any_of(words.begin(), words.end(),
                  [](const std::string& word) { return word == "--help" || word == "-h"; })) {
    print(verb_help(verb));
    return 0;
  }
  const std::string who = "pgwalship " + std::string(verb.name);
  const int failure_status = verb.failure_status();
  set_emergency_exit(failure_status, who);
  try {
    return verb.run(Invocation{line.config_path, line.arguments});
  } catch (const std::exception& exception) {  // Boost's, bad_alloc: none of ours (H13)
    print_reason(who, Error{Errc::kIo, exception.what(), ""});
    return failure_status;
  }
}

int run(const std::vector<std::string>& words) {
  const Result<CommandLine> line = parse_command_line(words);
  if (!line.ok()) {
    print_reason("pgwalship", Error{Errc::kInvalid, line.error().message,
                                    "`pgwalship --help` shows the command line"});
    return usage_status();
  }
  switch (line.value().wanted) {
    case CommandLine::Wanted::kHelp:
      print(general_help());
      return 0;
    case CommandLine::Wanted::kVersion:
      print("pgwalship " PGWALSHIP_VERSION "\n");
      return 0;
    case CommandLine::Wanted::kVerb:
      break;
  }
  for (const Verb* verb : kVerbs) {
    if (verb->name == line.value().verb) {
      return run_verb(*verb, line.value());
    }
  }
  print_reason("pgwalship", unknown_verb(line.value().verb));
  return usage_status();
}

}  // namespace
}  // namespace pgwalship

int main(int argc, char** argv) {
  ::signal(SIGPIPE, SIG_IGN);  // a daemon or a log that went away is an error, not an end
  try {
    return pgwalship::run(std::vector<std::string>(argv + 1, argv + argc));
  } catch (const std::exception& exception) {
    pgwalship::print_reason("pgwalship",
                            pgwalship::Error{pgwalship::Errc::kIo, exception.what(), ""});
    return 1;
  }
}
