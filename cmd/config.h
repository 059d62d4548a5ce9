// The configuration file, /etc/pgwalship/pgwalship.conf: read once, checked whole, and handed to
// the parts as plain values. docs/pgwalship.conf.example explains every key. What this version
// cannot do is refused: a key that is accepted has its effect.
#pragma once

#include "base/log.h"
#include "base/result.h"
#include "topology/node_list.h"
#include "topology/quorum.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pgwalship {

inline constexpr std::string_view kDefaultConfigPath = "/etc/pgwalship/pgwalship.conf";
inline constexpr std::string_view kCorosyncConfigPath = "/etc/corosync/corosync.conf";

struct Config {
  struct Cluster {
    std::string name = "main";
    std::chrono::milliseconds push_timeout{15'000};
    OnQuorumLoss on_quorum_loss = OnQuorumLoss::kWait;
  };
  struct Archive {
    std::string directory;
    int compression_level = 1;
    int compression_threads = 2;  // of the daemon, for look-ahead
    std::uint64_t minimum_free_bytes = 64ULL << 20;
    std::chrono::milliseconds scrub = std::chrono::hours(30 * 24);  // a full pass; 0: none
  };
  struct Postgres {
    std::string data_directory;                   // empty: not known
    std::string conninfo;                         // empty: PostgreSQL is not asked
    std::uint64_t pg_wal_minimum_free_bytes = 0;  // counts with OnQuorumLoss::kLocal
    std::chrono::milliseconds pg_wal_warning{std::chrono::hours(24)};
    std::chrono::milliseconds pg_wal_critical{std::chrono::hours(2)};
    bool acknowledge_from_pg_wal = false;  // needs data_directory
    int look_ahead = 8;                    // segments on their way; counts with data_directory
  };
  struct Ssh {
    std::string user;  // the current one by default
    std::string identity;
    std::string known_hosts;
    std::string ciphers =
        "aes128-gcm@openssh.com,aes256-gcm@openssh.com,chacha20-poly1305@openssh.com,aes256-ctr";
    std::chrono::milliseconds connect_timeout{2000};
    std::chrono::milliseconds keepalive{3000};
    int sessions = 1;  // to each peer
  };
  struct Restore {
    std::chrono::milliseconds fetch_timeout{60'000};
    int prefetch = 8;  // segments ahead of a recovery
  };
  struct Retention {  // nothing: the rule is not configured
    std::optional<int> backups;
    std::optional<std::chrono::milliseconds> days;
    std::optional<std::uint64_t> size_bytes;
    std::chrono::milliseconds interval{std::chrono::hours(1)};
  };
  struct Daemon {
    std::string socket = "/run/pgwalship/pgwalship.sock";
    LogLevel log_level = LogLevel::kInfo;
    std::optional<LogTarget> log_target;  // nothing: the journal when systemd runs it, else stderr
    std::string metrics_listen;           // ADDRESS:PORT for Prometheus; empty: nowhere
  };

  std::string path;
  NodeList nodes;         // empty: this node alone
  std::string node_name;  // this node's; nodes.self is where the list has it
  Quorum quorum;
  Cluster cluster;
  Archive archive;
  Postgres postgres;
  Ssh ssh;
  Restore restore;
  Retention retention;
  Daemon daemon;
  std::map<std::string, int, std::less<>> lines;  // "[section] key" -> line, for messages
  // "[section] key" -> as it is written; of a repeated key, one line for each.
  std::map<std::string, std::string, std::less<>> values;
};

// What may be asked outside of the file. kNone is for the verbs that PostgreSQL waits for: DNS and
// the user database can hang. Then node_name may be just the host name, nodes.self may stay 0, and
// ssh.user may stay empty.
enum class Lookups { kAllowed, kNone };

struct LoadOptions {
  Lookups lookups = Lookups::kAllowed;
  // Replaced by tests.
  std::function<std::string()> host_name;                    // gethostname(2)
  std::function<Result<std::string>()> canonical_host_name;  // hostname -f
  std::string corosync_conf{kCorosyncConfigPath};            // for `node = corosync`
};

// kInvalid, whatever is wrong: one line for each problem, all of them at once, in the form
//     FILE:LINE: [section] key: what is wrong (HINT: what to do)
Result<Config> load_config(const std::string& path, const LoadOptions& options = {});
// The same for a text; `path` is only named in messages.
Result<Config> parse_config(std::string_view text, const std::string& path,
                            const LoadOptions& options = {});

// Do the files exist that the daemon needs, and may it use them? All problems at once, as above.
Result<void> check_files(const Config& config);

// `explicit_path` unless it is empty, else $PGWALSHIP_CONFIG, else kDefaultConfigPath.
std::string find_config_path(std::string_view explicit_path);

// FNV-1a, 64 bits, of what must be equal on all nodes (H43), as text: cluster name, names and sites
// of the nodes in the order of their names, quorum in normal form, on-quorum-loss. The addresses
// are left out: nodes may see each other through different ones, and no majority depends on them.
std::uint64_t config_digest(const Config& config);

// Every key that is understood, as "[section] key".
std::vector<std::string> config_keys();

}  // namespace pgwalship
