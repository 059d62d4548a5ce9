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
  argv.reserve(words.size() + 1);
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

int become_config(const Invocation& invocation) {
  return become_setup("config", invocation);
}

int become_adopt(const Invocation& invocation) {
  return become_setup("adopt", invocation);
}

}  // namespace

const Verb kAdoptVerb{
    .name = "adopt",
    .synopsis = "adopt [--script FILE] [--directory DIR] [--into DIR] [--dry-run]",
    .summary = "move from a tutorial's archive script to pgwalship",
    .help =
        "Reads a script that archives with gzip and rsync for its archive directory and its\n"
        "nodes (its text; it is never executed), verifies every .gz file there, says what is bad\n"
        "and what is missing, and writes a configuration. The files stay where they are, unless\n"
        "another directory is named. It can be interrupted and run again.\n"
        "\n"
        "  --script FILE     the script\n"
        "  --directory DIR   where its files are, when the script does not say\n"
        "  --into DIR        copy the good ones into this archive; default: [archive] directory\n"
        "                    of a configuration that exists, else they stay\n"
        "  --data-directory DIR\n"
        "                    of PostgreSQL: for the configuration, and to know whose WAL it is\n"
        "  --output FILE     the configuration to write, never over another one; default: the\n"
        "                    one that was named before the verb\n"
        "  --dry-run         write nothing and print the configuration\n"
        "\n"
        "Run by root, it works as the owner of the directory with the files.\n"
        "\n"
        "Exit status:\n"
        "  0    all files are good and in the archive\n"
        "  1    it could not be done\n"
        "  2    wrong command line or script\n"
        "  3    done, but for files that are bad, or missing between others\n",
    .run = become_adopt,
    .failure_status = setup_failure};

const Verb kConfigVerb{
    .name = "config",
    .synopsis = "config [--get KEY | --check] [--json]",
    .summary = "the effective configuration; whether it works, peers included",
    .help =
        "Prints every key with the value that holds and where it comes from.\n"
        "\n"
        "  --get SECTION.KEY   print that value alone, such as --get archive.directory\n"
        "  --check             test everything at once: the file; this machine's directories,\n"
        "                      keys, space and PostgreSQL; then a real session with each peer:\n"
        "                      name, connection, host key, login, forced command, version,\n"
        "                      system identifier, configuration, free space, clock, round trip\n"
        "  --json              as JSON\n"
        "\n"
        "Run by root, --check works as the owner of the archive directory, or of [postgres]\n"
        "data-directory where that is root. It changes nothing.\n"
        "\n"
        "Exit status:\n"
        "  0    all is good\n"
        "  1    something does not work, and the daemon would not either\n"
        "  2    wrong command line or configuration file\n"
        "  3    it works, and there is something to look at\n",
    .run = become_config,
    .failure_status = setup_failure};

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
        "Run by root, it works as the owner of the archive directory, or of [postgres]\n"
        "data-directory where that is root.\n"
        "\n"
        "Exit status:\n"
        "  0    done, or nothing was left to do\n"
        "  1    a key could not be made, read, reached, or was not confirmed\n"
        "  2    wrong command line or configuration\n",
    .run = become_keys,
    .failure_status = setup_failure};

}  // namespace pgwalship
