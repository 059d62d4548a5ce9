#include "cmd/postgres_checks.h"

#include <string>
#include <string_view>

namespace pgwalship {
namespace {

bool has(std::string_view text, std::string_view word) {
  return text.find(word) != std::string_view::npos;
}

// libpq's words; where they are another language's, the last hint is not wrong.
std::string connection_hint(std::string_view error) {
  for (const char* word : {"connection option", "connection info string", "invalid URI"}) {
    if (has(error, word)) {
      return "[postgres] conninfo is no connection string: keyword=value, with blanks in between, "
             "such as host=/var/run/postgresql user=postgres dbname=postgres";
    }
  }
  for (const char* word : {"No such file or directory", "Connection refused", "not answer",
                           "timeout expired", "No route to host"}) {
    if (has(error, word)) {
      return "does PostgreSQL run, and is it there that it listens (SHOW port, "
             "SHOW unix_socket_directories)? Mend [postgres] conninfo, or start it";
    }
  }
  return "may this user connect as [postgres] conninfo says? psql tells more";
}

std::string command_of(const Config& config, std::string_view rest) {
  const std::string option = config.path == kDefaultConfigPath ? "" : " --config " + config.path;
  return "'pgwalship" + option + " " + std::string(rest) + "'";
}

class PostgresLines {
 public:
  PostgresLines(const Config& config, const PostgresFacts& facts, const ArchiveIdentity& archive)
      : config_(config), facts_(facts), archive_(archive) {}

  std::vector<CheckLine> run() {
    if (!facts_.reachable) {
      lines_.fail("connection", facts_.error, connection_hint(facts_.error));
      return lines_.take();
    }
    const bool primary = facts_.role == PostgresFacts::Role::kPrimary;
    lines_.ok("connection", "version " + std::to_string(facts_.server_version / 10'000) +
                                (primary ? ", primary" : ", standby"));
    if (!facts_.far_address.empty()) {
      lines_.warn("where", "at " + facts_.far_address + ", which is no address of this node",
                  "[postgres] conninfo is for this node's own server, as by "
                  "host=/var/run/postgresql: another's, or an address that moves with the primary, "
                  "makes status speak of a server elsewhere");
    }
    if (facts_.elsewhere) {
      lines_.fail(
          "data directory",
          "no server runs in '" + config_.postgres.data_directory + "', and yet one answers",
          "[postgres] data-directory: name what SHOW data_directory prints");
    }
    check_identity();
    check_archiving();
    check_restoring();
    return lines_.take();
  }

 private:
  void check_identity() {
    if (archive_.system_id == 0 || archive_.system_id == facts_.system_id) {
      lines_.ok("system identifier", std::to_string(facts_.system_id));
    } else {
      lines_.fail("system identifier",
                  std::to_string(facts_.system_id) + ", but the archive holds WAL of " +
                      std::to_string(archive_.system_id),
                  "the archive is another cluster's, or is older than the last initdb: give this "
                  "cluster a directory of its own ([archive] directory)");
    }
    if (archive_.segment_bytes != 0 && archive_.segment_bytes != facts_.segment_bytes) {
      lines_.warn("wal_segment_size",
                  readable_size(facts_.segment_bytes) + ", but the archive's segments have " +
                      readable_size(archive_.segment_bytes),
                  "after pg_resetwal --wal-segsize take a new base backup and a new archive");
    } else {
      lines_.ok("wal_segment_size", readable_size(facts_.segment_bytes));
    }
  }

  void check_archiving() {
    if (facts_.wal_level == "minimal") {
      lines_.fail("wal_level", "minimal: nothing can be recovered from such WAL",
                  "wal_level = replica, and restart PostgreSQL");
    } else {
      lines_.ok("wal_level", facts_.wal_level);
    }
    if (facts_.archive_mode == "off") {
      lines_.fail("archive_mode", "off: PostgreSQL archives nothing",
                  "archive_mode = on, and restart PostgreSQL");
      return;
    }
    lines_.ok("archive_mode", facts_.archive_mode);
    const std::string wanted = command_of(config_, "push %p %f");
    check_command({"archive_command", facts_.archive_command, "push", wanted});
  }

  void check_restoring() {
    check_command(
        {"restore_command", facts_.restore_command, "fetch", command_of(config_, "fetch %f %p")});
  }

  struct Command {
    std::string name;
    std::string value;
    std::string verb;
    std::string wanted;
  };
  void check_command(const Command& command) {
    const std::string hint = command.name + " = " + command.wanted + ", and reload PostgreSQL";
    const bool ours = has(command.value, "pgwalship") && has(command.value, " " + command.verb) &&
                      has(command.value, "%p") && has(command.value, "%f");
    const bool other_file = config_.path != kDefaultConfigPath && !has(command.value, config_.path);
    if (!ours) {
      const std::string text = command.value.empty() ? "not set" : "'" + command.value + "'";
      if (command.verb == "push") {
        lines_.fail(command.name, text + ": that is not pgwalship", hint);
      } else {
        lines_.warn(command.name, text + ": a recovery would not ask pgwalship", hint);
      }
    } else if (other_file) {
      lines_.warn(command.name, "'" + command.value + "' does not name " + config_.path,
                  hint + "; or set PGWALSHIP_CONFIG for PostgreSQL");
    } else {
      lines_.ok(command.name, command.value);
    }
  }

  const Config& config_;
  const PostgresFacts& facts_;
  const ArchiveIdentity archive_;
  CheckLines lines_{"PostgreSQL"};
};

}  // namespace

std::vector<CheckLine> postgres_checks(const Config& config, const PostgresFacts& facts,
                                       const ArchiveIdentity& archive) {
  return PostgresLines(config, facts, archive).run();
}

}  // namespace pgwalship
