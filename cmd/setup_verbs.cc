// keys, config and adopt: their help, and the way to the program that does them
// (cmd/setup_program.h). This process becomes that program.
#include "base/fd.h"
#include "cmd/emergency_exit.h"
#include "cmd/verbs.h"

#include <array>
#include <cerrno>
#include <unistd.h>
#include <vector>

namespace pgwalship {
namespace {

constexpr int kFailed = 1;
constexpr int kUsage = 2;

int setup_failure() {
  return kUsage;
}

Result<std::string> own_path() {
  std::array<char, 4096> path{};
  const ssize_t size = ::readlink("/proc/self/exe", path.data(), path.size() - 1);
  if (size < 0) {
    return errno_error("find this program", errno);
  }
  return std::string(path.data(), static_cast<std::size_t>(size));
}

int become_setup(const std::string& verb, const Invocation& invocation) {
  const std::string who = "pgwalship " + verb;
  const Result<std::string> client = own_path();
  if (!client.ok()) {
    print_reason(who, client.error());
    return kFailed;
  }
  std::vector<std::string> words{client.value(), verb, invocation.config_path};
  words.insert(words.end(), invocation.arguments.begin(), invocation.arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) {
    argv.push_back(word.data());
  }
  argv.push_back(nullptr);
  const std::string directory = client.value().substr(0, client.value().rfind('/') + 1);
  // Beside the client in a build tree; where it was installed otherwise.
  for (const char* place : {"pgwalship-setup", PGWALSHIP_SETUP_FROM_BIN}) {
    ::execv((directory + place).c_str(), argv.data());
  }
  print_reason(who, Error{Errc::kIo,
                          "start '" + directory + PGWALSHIP_SETUP_FROM_BIN +
                              "': " + errno_error("exec", errno).message,
                          "it comes with pgwalship: install the package again"});
  return kFailed;
}

int become_keys(const Invocation& invocation) {
  return become_setup("keys", invocation);
}

}  // namespace

const Verb kKeysVerb{
    .name = "keys",
    .synopsis = "keys create|show|pin [PEER...]",
    .summary = "this node's key for its peers, and the peers' host keys",
    .help =
        "  create     make the ed25519 key at [ssh] identity, unless there is one, and show it\n"
        "  show       print the line that lets this node in: append it to the authorized_keys of\n"
        "             the daemon's user on every peer\n"
        "  pin [PEER...]\n"
        "             ask each peer (all, by default) for its host key, show the fingerprint, and\n"
        "             write it into [ssh] known-hosts once you have confirmed it\n"
        "\n"
        "  --yes      pin without asking: only where nobody can be in between\n"
        "  --fingerprint SHA256:...\n"
        "             pin the key of one PEER if it has this fingerprint\n"
        "  --replace  pin another key than the one that is pinned, of a PEER that is named\n"
        "\n"
        "Run by root, it works as the owner of the archive directory.\n"
        "\n"
        "Exit status:\n"
        "  0    done, or nothing was left to do\n"
        "  1    a key could not be made, read, reached, or was not confirmed\n"
        "  2    wrong command line or configuration\n",
    .run = become_keys,
    .failure_status = setup_failure};

}  // namespace pgwalship
