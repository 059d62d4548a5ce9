#include "archiver/postgres_watch.h"
#include "base/posix_file_system.h"
#include "cmd/acting_user.h"
#include "cmd/command_line.h"
#include "cmd/config_values.h"
#include "cmd/emergency_exit.h"
#include "cmd/machine_checks.h"
#include "cmd/peer_checks.h"
#include "cmd/session_options.h"
#include "cmd/setup_program.h"
#include "wal/data_directory.h"

#include <iterator>
#include <poll.h>
#include <sstream>
#include <thread>
#include <tuple>

namespace pgwalship {
namespace {

constexpr std::string_view kWho = "pgwalship config";
// More than the watch's own limits for a connection and a query.
constexpr std::chrono::milliseconds kPostgresPatience{5'000};

void append(std::vector<CheckLine>& all, std::vector<CheckLine> more) {
  all.insert(all.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

// The problems of a file, as load_config() puts them: one a line, with the hint in brackets.
std::vector<CheckLine> file_problems(const Error& error) {
  constexpr std::string_view kHint = " (HINT: ";
  CheckLines lines("configuration");
  std::istringstream in(error.message);
  for (std::string line; std::getline(in, line);) {
    std::string hint = error.hint;
    if (const std::size_t at = line.find(kHint); at != std::string::npos && line.ends_with(')')) {
      hint = line.substr(at + kHint.size(), line.size() - at - kHint.size() - 1);
      line.resize(at);
    }
    lines.fail("file", line, hint);
  }
  return lines.take();
}

PostgresFacts ask_postgres(const Clock& clock, const std::string& conninfo) {
  PostgresWatch watch(clock, {.conninfo = conninfo});
  pollfd answer{watch.event_fd(), POLLIN, 0};
  const TimePoint deadline = clock.now() + kPostgresPatience;
  while (clock.now() < deadline) {
    if (const auto facts = watch.next()) {
      return *facts;
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - clock.now());
    std::ignore = ::poll(&answer, 1, static_cast<int>(left.count()));
  }
  PostgresFacts silent;
  silent.error = "PostgreSQL does not answer";
  return silent;
}

ProbeOptions probe_options(const Config& config, const Node& peer) {
  ProbeOptions options;
  options.session = session_options(config, peer);
  options.session.command = PGWALSHIP_CLIENT_PATH " receive --from " + config.node_name;
  options.mine.role = Role::kDaemon;
  options.mine.software = "pgwalship " PGWALSHIP_VERSION;
  options.mine.cluster = config.cluster.name;
  options.mine.node = config.node_name;
  options.mine.config_digest = config_digest(config);
  options.peer = peer.name;
  return options;
}

// All at once, each on a thread of its own, which a session needs.
std::vector<CheckLine> check_peers(const Clock& clock, const Config& config,
                                   std::uint64_t system_id) {
  std::vector<PeerProbe> probes(config.nodes.size());
  {
    std::vector<std::jthread> threads;
    for (NodeId id = 0; id < config.nodes.size(); ++id) {
      if (id != config.nodes.self) {
        threads.emplace_back([&, id] {
          probes[id] = probe_peer(clock, probe_options(config, config.nodes.at(id)));
        });
      }
    }
  }
  std::vector<CheckLine> lines;
  for (NodeId id = 0; id < config.nodes.size(); ++id) {
    if (id != config.nodes.self) {
      append(lines, peer_checks(config, config.nodes.at(id), probes[id], system_id));
    }
  }
  return lines;
}

std::vector<CheckLine> check_all(const Config& config, const ActingUser& user) {
  const SystemClock clock;
  PosixFileSystem file_system;
  CheckLines file("configuration");
  file.ok("file", config.path);
  file.ok("quorum", config.quorum.text());
  std::vector<CheckLine> lines = file.take();
  MachineChecks machine = machine_checks(config, user, file_system);
  append(lines, std::move(machine.lines));
  if (config.postgres.conninfo.empty()) {
    CheckLines postgres("PostgreSQL");
    postgres.skip("settings", "[postgres] conninfo is not set: it is not asked");
    append(lines, postgres.take());
  } else {
    PostgresFacts facts = ask_postgres(clock, config.postgres.conninfo);
    const std::string& home = config.postgres.data_directory;
    facts.elsewhere = !home.empty() && !DataDirectory(file_system, home).running_server();
    append(lines, postgres_checks(config, facts, machine.archive));
  }
  append(lines, check_peers(clock, config, machine.archive.system_id));
  return lines;
}

enum class Form { kText, kJson };

int check(const std::string& path, Form form) {
  std::vector<CheckLine> lines;
  int status = kSetupUsage;
  const Result<Config> first = load_config(path);
  const Result<ActingUser> user =
      first.ok() ? become_daemon_user(first.value()) : Result<ActingUser>(first.error());
  // Once more, as that user: it must be able to read it, and may be the default of [ssh] user.
  const Result<Config> config = user.ok() ? load_config(path) : Result<Config>(user.error());
  if (config.ok()) {
    lines = check_all(config.value(), user.value());
    status = check_status(lines);
  } else {
    lines = file_problems(config.error());
  }
  print_out(form == Form::kJson ? check_json(lines) : check_text(lines));
  return status;
}

int show(const std::string& path, const std::string& key, Form form) {
  const auto fail = [](const Error& error) {
    print_reason(std::string(kWho), error);
    return kSetupUsage;
  };
  const Result<Config> config = load_config(path);
  if (!config.ok()) {
    return fail(config.error());
  }
  if (key.empty()) {
    print_out(form == Form::kJson ? config_json(config.value()) : config_text(config.value()));
    return kSetupDone;
  }
  const auto values = find_config_values(config.value(), key);
  if (!values.ok()) {
    return fail(values.error());
  }
  for (const ConfigValue& value : values.value()) {
    print_out(value.value + "\n");
  }
  return kSetupDone;
}

}  // namespace

int run_config(const SetupInvocation& setup) {
  const auto arguments = parse_arguments({.optional_values = {"get"}, .flags = {"check", "json"}},
                                         setup.invocation.arguments);
  Result<void> usage = arguments.ok() ? Result<void>() : Result<void>(arguments.error());
  if (usage.ok() && arguments.value().values.contains("get") &&
      (arguments.value().flags.contains("check") || arguments.value().flags.contains("json"))) {
    usage = Error{Errc::kInvalid, "--get prints one value and takes no other option", ""};
  }
  if (!usage.ok()) {
    print_reason(std::string(kWho), usage.error());
    return kSetupUsage;
  }
  const auto& given = arguments.value();
  const Form form = given.flags.contains("json") ? Form::kJson : Form::kText;
  const std::string path = find_config_path(setup.invocation.config_path);
  if (given.flags.contains("check")) {
    return check(path, form);
  }
  const auto key = given.values.find("get");
  return show(path, key == given.values.end() ? "" : key->second, form);
}

}  // namespace pgwalship
