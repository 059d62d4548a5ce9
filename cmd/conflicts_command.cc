#include "base/fd.h"
#include "base/posix_file_system.h"
#include "cmd/command_line.h"
#include "cmd/conflicts_view.h"
#include "cmd/daemon_call.h"
#include "cmd/emergency_exit.h"
#include "cmd/verbs.h"

#include <algorithm>
#include <iostream>
#include <random>
#include <unistd.h>

namespace pgwalship {
namespace {

using Quarantined = ArchiveLayout::Quarantined;

constexpr int kDone = 0;
constexpr int kFailed = 1;
constexpr int kUsage = 2;
constexpr int kOpen = 3;

// Two contents of the largest segments are read in less.
constexpr std::chrono::minutes kRunLimit{10};
// As many as a person reads; comparing costs two reads each.
constexpr std::size_t kComparedMax = 100;
// Of a hash that is given by hand: with fewer digits a typing mistake may hit another.
constexpr std::size_t kPrefixMin = 6;

class Conflicts {
 public:
  explicit Conflicts(Config config)
      : config_(std::move(config)),
        store_(file_system_, {.directory = config_.archive.directory, .seed = seed()}) {}

  Result<std::vector<ConflictEntry>> open() const {
    TRY_ASSIGN(const std::vector<Quarantined> found, store_.conflicts());
    std::vector<ConflictEntry> entries;
    entries.reserve(found.size());
    for (const Quarantined& each : found) {
      entries.push_back(entries.size() < kComparedMax
                            ? compared(each)
                            : ConflictEntry{each, {}, "too many: `pgwalship conflicts show` does"});
    }
    return entries;
  }

  // All of one name that quarantine holds.
  Result<std::vector<ConflictEntry>> of(const WalName& name) const {
    TRY_ASSIGN(const std::vector<std::string> files, store_.quarantined());
    std::vector<ConflictEntry> entries;
    for (const std::string& file : files) {
      const std::optional<Quarantined> known = ArchiveLayout::quarantined_of_file(file);
      if (known && known->name == name && known->kind != Quarantined::Kind::kCorrupt) {
        entries.push_back(compared(*known));
      }
    }
    return entries;
  }

  const Config& config() const { return config_; }
  const std::string& directory() const { return store_.directory(); }
  ArchiveStore& store() { return store_; }

 private:
  static std::uint64_t seed() {
    std::random_device device;
    return static_cast<std::uint64_t>(device()) << 32U | device();
  }

  ConflictEntry compared(const Quarantined& refused) const {
    Result<ConflictFacts> facts = store_.compare(refused);
    return facts.ok() ? ConflictEntry{refused, std::move(facts).value(), ""}
                      : ConflictEntry{refused, {}, facts.error().message};
  }

  const Config config_;
  PosixFileSystem file_system_;
  ArchiveStore store_;
};

struct Decision {
  const ConflictEntry* chosen = nullptr;  // null: the archive's stays
  FileFacts kept;
};

Error no_such_content(const WalName& name, const std::string& keep) {
  return Error{Errc::kNotFound, "no content of '" + name.text() + "' here starts with " + keep,
               "`pgwalship conflicts show " + name.text() +
                   "` shows them; what only a peer has comes with `pgwalship reconcile`"};
}

Result<Decision> find_choice(ArchiveStore& store, const WalName& name, const std::string& keep,
                             const std::vector<ConflictEntry>& entries) {
  const Result<FileFacts> archived = store.verify(name);
  if (keep == "archive") {
    if (!archived.ok()) {
      return archived.error();
    }
    return Decision{nullptr, archived.value()};
  }
  if (keep.size() < kPrefixMin || keep.find_first_not_of("0123456789abcdef") != std::string::npos) {
    return Error{Errc::kInvalid,
                 "'" + keep + "' is neither 'archive' nor the start of a SHA-256, of at least " +
                     std::to_string(kPrefixMin) + " digits",
                 ""};
  }
  std::vector<Decision> matches;
  if (archived.ok() && archived.value().sha256.hex().starts_with(keep)) {
    matches.push_back(Decision{nullptr, archived.value()});
  }
  for (const ConflictEntry& entry : entries) {
    if (entry.facts && entry.facts->refused.sha256.hex().starts_with(keep) &&
        entry.facts->difference.kind != Difference::Kind::kIdentical) {
      matches.push_back(Decision{&entry, entry.facts->refused});
    }
  }
  if (matches.empty()) {
    return no_such_content(name, keep);
  }
  if (matches.size() > 1) {
    return Error{Errc::kInvalid, "several contents start with " + keep, "give more digits"};
  }
  return matches.front();
}

bool any_open(const std::vector<ConflictEntry>& entries) {
  return std::any_of(entries.begin(), entries.end(), [](const ConflictEntry& entry) {
    return entry.refused.kind == Quarantined::Kind::kConflict;
  });
}

std::string plan_text(const Decision& decision, const std::vector<ConflictEntry>& entries) {
  std::string text = "keep under the name:   " + content_text(decision.kept) +
                     (decision.chosen == nullptr ? " (it has it)\n" : " (now in quarantine)\n");
  if (decision.chosen != nullptr) {
    text += "move to quarantine:    " + content_text(decision.chosen->facts->kept) + "\n";
  }
  for (const ConflictEntry& entry : entries) {
    if (&entry != decision.chosen && entry.refused.kind == Quarantined::Kind::kConflict &&
        entry.facts && entry.facts->refused.sha256 != decision.kept.sha256) {
      text += "leave in quarantine:   " + content_text(entry.facts->refused) + "\n";
    }
  }
  return text + "Nothing is deleted. Only the archive of this node is changed.\n";
}

std::string elsewhere_text(const Config& config, const WalName& name, const FileFacts& kept) {
  std::string nodes;
  for (NodeId id = 0; id < config.nodes.size(); ++id) {
    if (id != config.nodes.self) {
      nodes += (nodes.empty() ? "" : ", ") + config.nodes.at(id).name;
    }
  }
  return nodes.empty() ? ""
                       : "On the other nodes (" + nodes + ") run\n  pgwalship conflicts resolve " +
                             name.text() + " --keep " +
                             kept.sha256.hex().substr(0, ArchiveLayout::kHashDigits) + "\n";
}

Result<void> print(const std::string& text) {
  return write_full(STDOUT_FILENO, as_bytes(text), "write");
}

// Nothing changes without a yes: given before, or by a person who has read the plan.
Result<void> ask() {
  if (::isatty(STDIN_FILENO) == 0) {
    return Error{Errc::kInvalid, "nothing was changed: there is no terminal to ask at",
                 "--yes says that it is meant"};
  }
  TRY(print("Type yes to do it: "));
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "yes" ? Result<void>() : Error{Errc::kRetry, "nothing was changed", ""};
}

Result<int> list(Conflicts& conflicts, const Arguments& arguments) {
  TRY_ASSIGN(const std::vector<ConflictEntry> entries, conflicts.open());
  TRY(print(arguments.flags.contains("json") ? conflicts_json(entries)
                                             : render_conflicts(entries, conflicts.directory())));
  return entries.empty() ? kDone : kOpen;
}

Result<int> show(Conflicts& conflicts, const Arguments& arguments) {
  TRY_ASSIGN(const WalName name, WalName::parse(arguments.values.at("NAME")));
  TRY_ASSIGN(const std::vector<ConflictEntry> entries, conflicts.of(name));
  if (entries.empty()) {
    return Error{Errc::kNotFound, "quarantine holds no other content of '" + name.text() + "'",
                 "`pgwalship conflicts` lists what it holds"};
  }
  TRY(print(render_conflict(entries, conflicts.directory())));
  return any_open(entries) ? kOpen : kDone;
}

Result<int> resolve(Conflicts& conflicts, const Arguments& arguments) {
  TRY_ASSIGN(const WalName name, WalName::parse(arguments.values.at("NAME")));
  TRY_ASSIGN(const std::vector<ConflictEntry> entries, conflicts.of(name));
  TRY_ASSIGN(const Decision decision,
             find_choice(conflicts.store(), name, arguments.values.at("keep"), entries));
  const std::string elsewhere = elsewhere_text(conflicts.config(), name, decision.kept);
  if (decision.chosen == nullptr && !any_open(entries)) {
    TRY(print("nothing to decide here: the archive has it, and no conflict is open\n" + elsewhere));
    return kDone;
  }
  TRY(print(plan_text(decision, entries)));
  if (!arguments.flags.contains("yes")) {
    TRY(ask());
  }
  TRY(decision.chosen == nullptr ? conflicts.store().keep_archived(name)
                                 : conflicts.store().keep_refused(decision.chosen->refused));
  TRY(print("done\n" + elsewhere));
  return kDone;
}

struct Action {
  std::string_view word;
  VerbSyntax syntax;
  Result<int> (*run)(Conflicts& conflicts, const Arguments& arguments);
};

Result<int> run_action(const Invocation& invocation) {
  static const std::vector<Action> kActions{
      {"show", {.positionals = {"NAME"}}, show},
      {"resolve", {.positionals = {"NAME"}, .values = {"keep"}, .flags = {"yes"}}, resolve}};
  static const Action kList{"", {.flags = {"json"}}, list};
  const Action* action = &kList;
  std::vector<std::string> words = invocation.arguments;
  if (!words.empty()) {
    const auto named = std::find_if(kActions.begin(), kActions.end(),
                                    [&](const Action& each) { return each.word == words.front(); });
    if (named != kActions.end()) {
      action = &*named;
      words.erase(words.begin());
    }
  }
  TRY_ASSIGN(const Arguments arguments, parse_arguments(action->syntax, words));
  TRY_ASSIGN(Config config, load_client_config(invocation.config_path));
  Conflicts conflicts(std::move(config));
  return action->run(conflicts, arguments);
}

int conflicts_failure() {
  return kFailed;
}

int run_conflicts(const Invocation& invocation) {
  limit_run_time(kRunLimit);
  const Result<int> status = run_action(invocation);
  if (!status.ok()) {
    print_reason("pgwalship conflicts", status.error());
    return status.error().code == Errc::kInvalid ? kUsage : kFailed;
  }
  return status.value();
}

}  // namespace

const Verb kConflictsVerb{
    .name = "conflicts",
    .synopsis = "conflicts [--json] | show NAME | resolve NAME --keep archive|HASH [--yes]",
    .summary = "contents that claim one name: list, show, decide",
    .help =
        "Works on this node's archive, with or without the daemon, as the user who owns it.\n"
        "\n"
        "  conflicts [--json]     the open conflicts, with a verdict each\n"
        "  conflicts show NAME    all contents of NAME: hashes, sizes, where from, what differs,\n"
        "                         why probably, and what to do\n"
        "  conflicts resolve NAME --keep archive|HASH [--yes]\n"
        "                         keep that content under the name, and all others in quarantine;\n"
        "                         HASH is the start of a SHA-256. Says what it will do and asks,\n"
        "                         unless --yes. Nothing is deleted\n"
        "\n"
        "Exit status: 0 no open conflict, or it is decided; 1 it failed, or was not confirmed;\n"
        "2 wrong command line or configuration; 3 there are open conflicts (list and show).\n",
    .run = run_conflicts,
    .failure_status = conflicts_failure};

}  // namespace pgwalship
