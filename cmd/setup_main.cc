// pgwalship-setup: what `pgwalship keys`, `config` and `adopt` run.
#include "base/fd.h"
#include "cmd/emergency_exit.h"
#include "cmd/setup_program.h"

#include <array>
#include <csignal>
#include <exception>
#include <sys/stat.h>
#include <tuple>
#include <unistd.h>
#include <vector>

namespace pgwalship {
namespace {

struct SetupVerb {
  std::string_view name;
  int (*run)(const SetupInvocation& setup);
};
constexpr std::array kSetupVerbs{SetupVerb{"keys", run_keys}, SetupVerb{"config", run_config},
                                 SetupVerb{"adopt", run_adopt}};

// As cmd/setup_verbs.cc calls it: CLIENT VERB CONFIG [argument...].
int run(const std::vector<std::string>& words) {
  constexpr std::size_t kFixedWords = 3;
  if (words.size() >= kFixedWords) {
    for (const SetupVerb& verb : kSetupVerbs) {
      if (verb.name == words[1]) {
        set_emergency_exit(kSetupFailed, "pgwalship " + words[1]);
        return verb.run({{words[2], {words.begin() + kFixedWords, words.end()}}, words[0]});
      }
    }
  }
  print_reason("pgwalship-setup",
               Error{Errc::kInvalid, "this is a part of pgwalship",
                     "run `pgwalship keys`, `pgwalship config` or `pgwalship adopt`"});
  return kSetupUsage;
}

}  // namespace

void print_out(std::string_view text) {
  std::ignore = write_full(STDOUT_FILENO, as_bytes(text), "write");
}

void print_note(std::string_view text) {
  std::ignore = write_full(STDERR_FILENO, as_bytes(text), "write");
}

}  // namespace pgwalship

int main(int argc, char** argv) {
  ::signal(SIGPIPE, SIG_IGN);
  ::umask(077);
  try {
    return pgwalship::run(std::vector<std::string>(argv, argv + argc));
  } catch (const std::exception& exception) {
    pgwalship::print_reason("pgwalship-setup",
                            pgwalship::Error{pgwalship::Errc::kIo, exception.what(), ""});
    return pgwalship::kSetupFailed;
  }
}
