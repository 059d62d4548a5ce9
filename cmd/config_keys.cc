#include "cmd/config_keys.h"

#include "cmd/pacemaker_keys.h"
#include "cmd/units.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <charconv>
#include <sstream>
#include <utility>
#include <vector>

namespace pgwalship {
namespace {

using std::chrono::milliseconds;

Error invalid(std::string what, std::string hint = "") {
  return Error{Errc::kInvalid, std::move(what), std::move(hint)};
}

std::string quoted(std::string_view text) {
  return "'" + std::string(text) + "'";
}

template <typename T>
struct Limits {
  T min;
  T max;
};

Result<void> set_duration(milliseconds& into, std::string_view value, Limits<milliseconds> limits) {
  TRY_ASSIGN(const milliseconds duration, parse_duration(value));
  if (duration < limits.min || duration > limits.max) {
    return invalid(quoted(value) + " is out of range",
                   duration_text(limits.min) + " to " + duration_text(limits.max));
  }
  into = duration;
  return {};
}

// 0, or long enough to be a pass: a second is for tests of tiny archives.
Result<void> set_scrub(milliseconds& into, std::string_view value) {
  if (value == "off" || value == "0") {
    into = milliseconds(0);
    return {};
  }
  return set_duration(into, value, {std::chrono::seconds(1), std::chrono::hours(10 * 365 * 24)});
}

Result<void> set_size(std::uint64_t& into, std::string_view value) {
  TRY_ASSIGN(into, parse_size(value));
  return {};
}

Result<void> set_number(int& into, std::string_view value, Limits<int> limits) {
  int number = 0;
  const char* end = value.data() + value.size();
  const auto [stop, code] = std::from_chars(value.data(), end, number);
  if (code != std::errc() || stop != end || number < limits.min || number > limits.max) {
    return invalid(quoted(value) + " is not a number from " + std::to_string(limits.min) + " to " +
                   std::to_string(limits.max));
  }
  into = number;
  return {};
}

Result<void> set_text(std::string& into, std::string_view value) {
  into = std::string(value);
  return {};
}

Result<void> set_path(std::string& into, std::string_view value) {
  if (value.front() != '/') {
    const bool in_quotes = value.front() == '\'' || value.front() == '"';
    return invalid(quoted(value) + " is not an absolute path",
                   in_quotes ? "values stand without quotes" : "");
  }
  into = std::string(value);
  while (into.size() > 1 && into.back() == '/') {
    into.pop_back();
  }
  return {};
}

Result<void> set_name(std::string& into, std::string_view value) {
  if (!is_valid_name(value)) {
    return invalid(quoted(value) + " is not a name",
                   "letters, digits, dot, hyphen and underscore, at most 253 of them");
  }
  into = std::string(value);
  return {};
}

template <typename T, std::size_t size>
using Words = std::array<std::pair<std::string_view, T>, size>;

template <typename T, std::size_t size>
Result<void> set_word(T& into, std::string_view value, const Words<T, size>& words) {
  std::string all;
  for (const auto& [word, meaning] : words) {
    if (word == value) {
      into = meaning;
      return {};
    }
    all += (all.empty() ? "" : ", ") + std::string(word);
  }
  return invalid(quoted(value) + " is not known", "one of " + all);
}

constexpr Words<OnQuorumLoss, 2> kOnQuorumLossWords = {
    {{"wait", OnQuorumLoss::kWait}, {"local", OnQuorumLoss::kLocal}}};
constexpr Words<bool, 2> kSwitchWords = {{{"on", true}, {"off", false}}};
constexpr Words<LogLevel, 4> kLogLevelWords = {{{"debug", LogLevel::kDebug},
                                                {"info", LogLevel::kInfo},
                                                {"warning", LogLevel::kWarning},
                                                {"error", LogLevel::kError}}};
constexpr Words<LogTarget, 3> kLogTargetWords = {{{"journal", LogTarget::kJournal},
                                                  {"syslog", LogTarget::kSyslog},
                                                  {"stderr", LogTarget::kStderr}}};

Result<void> set_node_attribute(Node& node, std::string_view word, std::string_view value) {
  if (value.empty()) {
    return invalid(quoted(word) + " has no value");
  }
  if (word == "site") {
    std::string lower(value);
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    if (lower == "local") {
      return invalid("a site cannot be called " + quoted(value),
                     "site:local in a quorum means the site of the node itself");
    }
    return set_name(node.site, value);
  }
  if (word == "address") {
    if (value.front() == '-' || value.find_first_of("/@,;") != std::string_view::npos) {
      return invalid(quoted(value) + " is not a host name or an IP address");
    }
    node.address = std::string(value);
    return {};
  }
  if (word == "port") {
    int port = 0;
    TRY(set_number(port, value, {1, 65535}));
    node.port = static_cast<std::uint16_t>(port);
    return {};
  }
  return invalid(quoted(word) + " is not known", "after the name: site=, address=, port=");
}

// NAME [site=NAME] [address=HOST] [port=NUMBER]
Result<void> add_node(Config& config, std::string_view value) {
  std::istringstream words{std::string(value)};
  std::string word;
  words >> word;
  if (word == "corosync") {
    return invalid("'corosync' takes no attributes", "the nodes and addresses are Corosync's");
  }
  Node node;
  TRY(set_name(node.name, word));
  node.address = node.name;
  std::vector<std::string> seen;
  while (words >> word) {
    const auto equals = word.find('=');
    if (equals == std::string::npos) {
      return invalid(quoted(word) + " is not understood", "after the name: site=, address=, port=");
    }
    const std::string attribute = word.substr(0, equals);
    if (std::find(seen.begin(), seen.end(), attribute) != seen.end()) {
      return invalid(quoted(attribute) + " is given twice");
    }
    seen.push_back(attribute);
    TRY(set_node_attribute(node, attribute, std::string_view(word).substr(equals + 1)));
  }
  config.nodes.nodes.push_back(std::move(node));
  return {};
}

Result<void> set_ciphers(std::string& into, std::string_view value) {
  constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyz0123456789@.-,";
  if (value.find_first_not_of(kAllowed) != std::string_view::npos || value.front() == ',' ||
      value.back() == ',' || value.find(",,") != std::string_view::npos) {
    return invalid(quoted(value) + " is not a list of ciphers",
                   "names as `ssh -Q cipher` prints them, with commas and no blanks between");
  }
  into = std::string(value);
  return {};
}

// sockaddr_un.sun_path is 108 bytes with its NUL.
constexpr std::size_t kSocketPathMax = 107;

Result<void> set_socket(std::string& into, std::string_view value) {
  if (value.size() > kSocketPathMax) {
    return invalid("the path is " + std::to_string(value.size()) + " characters long, a socket's " +
                   "is at most " + std::to_string(kSocketPathMax));
  }
  return set_path(into, value);
}

// ADDRESS:PORT; a numeric address, because a name may mean several.
Result<void> set_listen(std::string& into, std::string_view value) {
  const std::size_t colon = value.rfind(':');
  const auto wrong = [&](const std::string& what) {
    return invalid(quoted(value) + what,
                   "as in 127.0.0.1:9187, or [::1]:9187; 0.0.0.0:9187 "
                   "listens on all addresses");
  };
  if (colon == std::string_view::npos) {
    return wrong(" is not an address and a port");
  }
  int port = 0;
  if (!set_number(port, value.substr(colon + 1), {1, 65535}).ok()) {
    return wrong(" does not end in a port from 1 to 65535");
  }
  std::string address(value.substr(0, colon));
  std::array<unsigned char, sizeof(in6_addr)> parsed{};
  const bool six = address.size() > 2 && address.front() == '[' && address.back() == ']';
  if (six) {
    address = address.substr(1, address.size() - 2);
  }
  if (inet_pton(six ? AF_INET6 : AF_INET, address.c_str(), parsed.data()) != 1) {
    return wrong(" does not begin with an IP address");
  }
  into = std::string(value);
  return {};
}

using namespace std::chrono_literals;

constexpr Limits<int> kCompressionLevelLimits{1, 9};
constexpr Limits<int> kCompressionThreadsLimits{1, 16};
// As many as a link has on their way at most (kFreshInFlightMax).
constexpr Limits<int> kLookAheadLimits{0, 16};
// Longer than any of these nobody waits: PostgreSQL's archiver is stopped with the server.
constexpr Limits<milliseconds> kPushTimeoutLimits{100ms, 5min};
constexpr Limits<milliseconds> kConnectTimeoutLimits{100ms, 60s};
// A peer is lost after three unanswered, and must be known to be lost within 10 s.
constexpr Limits<milliseconds> kKeepaliveLimits{100ms, 3s};
constexpr Limits<milliseconds> kFetchTimeoutLimits{0ms, 60min};
// Eight windows are 16 MiB a round trip: 160 MB/s at 100 ms.
constexpr Limits<int> kSessionsLimits{1, 8};
// More than that no recovery outruns: 64 segments are 1 GiB of WAL.
constexpr Limits<int> kPrefetchLimits{0, 64};
constexpr Limits<milliseconds> kPgWalForecastLimits{1min, 24h * 30};
// Fewer than one backup would be none at all.
constexpr Limits<int> kBackupsLimits{1, 10'000};
constexpr Limits<int> kDaysLimits{1, 36'500};
// Each run reads the archive and asks the peers about every file that may go.
constexpr Limits<milliseconds> kRetentionIntervalLimits{1s, 24h};

// A setter for one member of one section, from the function that reads such a value.
template <auto section, auto member, auto read, auto&... more>
Result<void> set(Config& config, std::string_view value) {
  return read((config.*section).*member, value, more...);
}

Result<void> set_backups(std::optional<int>& into, std::string_view value) {
  int number = 0;
  TRY(set_number(number, value, kBackupsLimits));
  into = number;
  return {};
}

Result<void> set_days(std::optional<milliseconds>& into, std::string_view value) {
  int number = 0;
  TRY(set_number(number, value, kDaysLimits));
  into = number * 24h;
  return {};
}

Result<void> set_size_limit(std::optional<std::uint64_t>& into, std::string_view value) {
  std::uint64_t bytes = 0;
  TRY(set_size(bytes, value));
  if (bytes == 0) {
    return invalid("0 would keep nothing", "leave the key out for no limit");
  }
  into = bytes;
  return {};
}

Result<void> set_log_target(std::optional<LogTarget>& into, std::string_view value) {
  LogTarget target = LogTarget::kStderr;
  TRY(set_word(target, value, kLogTargetWords));
  into = target;
  return {};
}

Result<void> set_quorum(Config& config, std::string_view value) {
  TRY_ASSIGN(config.quorum, Quorum::parse(value));
  return {};
}

Result<void> set_node_name(Config& config, std::string_view value) {
  return set_name(config.node_name, value);
}

using Cluster = Config::Cluster;
using Archive = Config::Archive;
using Postgres = Config::Postgres;
using Ssh = Config::Ssh;
using Restore = Config::Restore;
using Retention = Config::Retention;
using Daemon = Config::Daemon;
constexpr auto kCluster = &Config::cluster;
constexpr auto kArchive = &Config::archive;
constexpr auto kPostgres = &Config::postgres;
constexpr auto kSsh = &Config::ssh;
constexpr auto kRestore = &Config::restore;
constexpr auto kRetention = &Config::retention;
constexpr auto kDaemon = &Config::daemon;

constexpr auto kOwnKeys = std::to_array<ConfigKey>({
    {"cluster", "name", set<kCluster, &Cluster::name, set_name>},
    {"cluster", "node", add_node, ConfigKey::Times::kRepeated},
    {"cluster", "node-name", set_node_name},
    {"cluster", "quorum", set_quorum},
    {"cluster", "push-timeout",
     set<kCluster, &Cluster::push_timeout, set_duration, kPushTimeoutLimits>},
    {"cluster", "on-quorum-loss",
     set<kCluster, &Cluster::on_quorum_loss, set_word<OnQuorumLoss, 2>, kOnQuorumLossWords>},
    {"archive", "directory", set<kArchive, &Archive::directory, set_path>},
    {"archive", "compression-level",
     set<kArchive, &Archive::compression_level, set_number, kCompressionLevelLimits>},
    {"archive", "compression-threads",
     set<kArchive, &Archive::compression_threads, set_number, kCompressionThreadsLimits>},
    {"archive", "minimum-free", set<kArchive, &Archive::minimum_free_bytes, set_size>},
    {"archive", "scrub", set<kArchive, &Archive::scrub, set_scrub>},
    {"postgres", "data-directory", set<kPostgres, &Postgres::data_directory, set_path>},
    {"postgres", "conninfo", set<kPostgres, &Postgres::conninfo, set_text>},
    {"postgres", "pg-wal-minimum-free",
     set<kPostgres, &Postgres::pg_wal_minimum_free_bytes, set_size>},
    {"postgres", "pg-wal-warning",
     set<kPostgres, &Postgres::pg_wal_warning, set_duration, kPgWalForecastLimits>},
    {"postgres", "pg-wal-critical",
     set<kPostgres, &Postgres::pg_wal_critical, set_duration, kPgWalForecastLimits>},
    {"postgres", "acknowledge-from-pg-wal",
     set<kPostgres, &Postgres::acknowledge_from_pg_wal, set_word<bool, 2>, kSwitchWords>},
    {"postgres", "look-ahead", set<kPostgres, &Postgres::look_ahead, set_number, kLookAheadLimits>},
    {"ssh", "user", set<kSsh, &Ssh::user, set_name>},
    {"ssh", "identity", set<kSsh, &Ssh::identity, set_path>},
    {"ssh", "known-hosts", set<kSsh, &Ssh::known_hosts, set_path>},
    {"ssh", "ciphers", set<kSsh, &Ssh::ciphers, set_ciphers>},
    {"ssh", "connect-timeout",
     set<kSsh, &Ssh::connect_timeout, set_duration, kConnectTimeoutLimits>},
    {"ssh", "keepalive", set<kSsh, &Ssh::keepalive, set_duration, kKeepaliveLimits>},
    {"ssh", "sessions", set<kSsh, &Ssh::sessions, set_number, kSessionsLimits>},
    {"restore", "fetch-timeout",
     set<kRestore, &Restore::fetch_timeout, set_duration, kFetchTimeoutLimits>},
    {"restore", "prefetch", set<kRestore, &Restore::prefetch, set_number, kPrefetchLimits>},
    {"retention", "backups", set<kRetention, &Retention::backups, set_backups>},
    {"retention", "days", set<kRetention, &Retention::days, set_days>},
    {"retention", "size", set<kRetention, &Retention::size_bytes, set_size_limit>},
    {"retention", "interval",
     set<kRetention, &Retention::interval, set_duration, kRetentionIntervalLimits>},
    {"daemon", "socket", set<kDaemon, &Daemon::socket, set_socket>},
    {"daemon", "log-level",
     set<kDaemon, &Daemon::log_level, set_word<LogLevel, 4>, kLogLevelWords>},
    {"daemon", "log-target", set<kDaemon, &Daemon::log_target, set_log_target>},
    {"daemon", "metrics-listen", set<kDaemon, &Daemon::metrics_listen, set_listen>},
});

// How many characters to insert, drop, change or swap with the next one.
std::size_t edit_distance(std::string_view from, std::string_view to) {
  using Row = std::vector<std::size_t>;
  std::vector<Row> distance(from.size() + 1, Row(to.size() + 1));
  for (std::size_t i = 0; i <= from.size(); ++i) {
    for (std::size_t j = 0; j <= to.size(); ++j) {
      if (i == 0 || j == 0) {
        distance[i][j] = i + j;
        continue;
      }
      const std::size_t changed = from[i - 1] == to[j - 1] ? 0 : 1;
      distance[i][j] = std::min(
          {distance[i - 1][j - 1] + changed, distance[i - 1][j] + 1, distance[i][j - 1] + 1});
      if (i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1]) {
        distance[i][j] = std::min(distance[i][j], distance[i - 2][j - 2] + 1);
      }
    }
  }
  return distance.back().back();
}

// "did you mean 'x'?" for the nearest, or a list of all when none is near.
std::string suggestion(std::string_view word, const std::vector<std::string_view>& all) {
  // A third may be wrong; beyond that a suggestion would be a guess.
  const std::size_t near = std::max<std::size_t>(1, word.size() / 3);
  std::size_t best = near + 1;
  std::string_view nearest;
  std::string list;
  for (const std::string_view candidate : all) {
    const bool comparable = word.size() <= candidate.size() + near;
    const std::size_t distance = comparable ? edit_distance(word, candidate) : best;
    if (distance < best) {
      best = distance;
      nearest = candidate;
    }
    list += (list.empty() ? "" : ", ") + std::string(candidate);
  }
  return nearest.empty() ? "one of " + list : "did you mean " + quoted(nearest) + "?";
}

std::vector<std::string_view> all_sections() {
  std::vector<std::string_view> sections;
  for (const ConfigKey& key : all_config_keys()) {
    if (sections.empty() || sections.back() != key.section) {
      sections.push_back(key.section);
    }
  }
  return sections;
}

}  // namespace

std::span<const ConfigKey> all_config_keys() {
  static const std::vector<ConfigKey> kAll = [] {
    std::vector<ConfigKey> all(kOwnKeys.begin(), kOwnKeys.end());
    const auto pacemaker = pacemaker_keys();
    all.insert(all.end(), pacemaker.begin(), pacemaker.end());
    return all;
  }();
  return kAll;
}

bool is_config_section(std::string_view section) {
  const auto sections = all_sections();
  return std::find(sections.begin(), sections.end(), section) != sections.end();
}

const ConfigKey* find_config_key(std::string_view section, std::string_view name) {
  const auto keys = all_config_keys();
  const auto found = std::find_if(keys.begin(), keys.end(), [&](const ConfigKey& key) {
    return key.section == section && key.name == name;
  });
  return found == keys.end() ? nullptr : &*found;
}

Error unknown_section(std::string_view section) {
  return invalid("unknown section", suggestion(section, all_sections()));
}

Error unknown_key(std::string_view section, std::string_view name) {
  std::vector<std::string_view> names;
  for (const ConfigKey& key : all_config_keys()) {
    if (key.name == name) {
      return invalid("unknown key", "it belongs into [" + std::string(key.section) + "]");
    }
    if (key.section == section) {
      names.push_back(key.name);
    }
  }
  return invalid("unknown key", suggestion(name, names));
}

}  // namespace pgwalship
