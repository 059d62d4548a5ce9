#include "cmd/daemon_options.h"

#include "base/posix_file_system.h"
#include "cmd/retention_config.h"
#include "cmd/session_options.h"

#include <algorithm>
#include <random>
#include <utility>

namespace pgwalship {

namespace {

// Of the default size so many segments: what PostgreSQL writes in seconds when it is busy.
constexpr std::uint64_t kPgWalFreeMin = 16ULL * (16ULL << 20U);

}  // namespace

std::uint64_t seed_from_system() {
  std::random_device device;
  return (static_cast<std::uint64_t>(device()) << 32U) | device();
}

NodeList nodes_of(const Config& config) {
  if (config.nodes.size() > 0) {
    return config.nodes;
  }
  return NodeList{{Node{config.node_name, "", "", 0}}, 0};
}

Hello hello_of(const Config& config, Role role, std::uint64_t system_id) {
  Hello hello;
  hello.role = role;
  hello.software = "pgwalship " PGWALSHIP_VERSION;
  hello.cluster = config.cluster.name;
  hello.node = config.node_name;
  hello.system_id = system_id;
  hello.config_digest = config_digest(config);
  hello.compression_level = static_cast<std::uint8_t>(config.archive.compression_level);
  return hello;
}

SshLink::Options link_options(const Config& config, const Node& node, std::uint64_t system_id,
                              std::uint64_t seed) {
  SshLink::Options options;
  options.session = session_options(config, node);
  options.session.command = PGWALSHIP_CLIENT_PATH " receive --from " + config.node_name;
  options.mine = hello_of(config, Role::kDaemon, system_id);
  options.peer = node.name;
  options.keepalive = config.ssh.keepalive;
  options.seed = seed;
  return options;
}

PushService::Options push_options(const Config& config, const NodeList& nodes,
                                  std::function<void(const WalName&)> on_bad_copy) {
  PushService::Options options;
  options.on_bad_copy = std::move(on_bad_copy);
  options.shipper.nodes = nodes;
  options.shipper.quorum = config.quorum;
  options.shipper.on_quorum_loss = config.cluster.on_quorum_loss;
  options.shipper.pg_wal_minimum_free = config.postgres.pg_wal_minimum_free_bytes;
  options.push_timeout = config.cluster.push_timeout;
  if (config.cluster.on_quorum_loss == OnQuorumLoss::kLocal) {
    options.pg_wal = config.postgres.data_directory + "/pg_wal";
  }
  return options;
}

ExpireService::Options expire_options(const Config& config, const NodeList& nodes) {
  ExpireService::Options options;
  options.nodes = nodes;
  options.quorum = config.quorum;
  options.rules = retention_rules(config);
  options.interval = config.retention.interval;
  options.server = config.postgres.conninfo.empty() ? ExpireService::Options::Server::kNotAsked
                                                    : ExpireService::Options::Server::kAsked;
  return options;
}

FetchService::Options fetch_options(const Config& config, const NodeList& nodes,
                                    std::function<void()> on_repaired) {
  FetchService::Options options;
  options.nodes = nodes;
  options.quorum = config.quorum;
  options.on_quorum_loss = config.cluster.on_quorum_loss;
  options.prefetch = static_cast<std::size_t>(config.restore.prefetch);
  options.on_repaired = std::move(on_repaired);
  return options;
}

Spool::Options spool_options(const Config& config, FileSystem& file_system, std::uint64_t seed) {
  Spool::Options options;
  options.directory = config.archive.directory;
  options.minimum_free_bytes = config.archive.minimum_free_bytes;
  options.seed = seed;
  options.write_back = begin_write_back;
  const auto archive = file_system.stat(config.archive.directory);
  const auto pg_wal = config.postgres.data_directory.empty()
                          ? archive
                          : file_system.stat(config.postgres.data_directory + "/pg_wal");
  // A server that is not there yet will be made where its data directory is said to be.
  if (!archive.ok() || !pg_wal.ok() || archive.value().device == pg_wal.value().device) {
    options.boot = boot_of_machine(file_system);
  }
  return options;
}

LookAheadService::Options look_ahead_options(const Config& config) {
  LookAheadService::Options options;
  options.data_directory = config.postgres.data_directory;
  options.node = config.node_name;
  options.compression_level = config.archive.compression_level;
  options.in_flight_max = static_cast<std::size_t>(config.postgres.look_ahead);
  options.threads = static_cast<std::size_t>(config.archive.compression_threads);
  return options;
}

PgWalGauge::Options space_options(const Config& config) {
  PgWalGauge::Options options;
  if (!config.postgres.data_directory.empty()) {
    options.pg_wal = config.postgres.data_directory + "/pg_wal";
  }
  options.forecast = {config.postgres.pg_wal_warning, config.postgres.pg_wal_critical,
                      std::max(config.postgres.pg_wal_minimum_free_bytes, kPgWalFreeMin)};
  return options;
}

}  // namespace pgwalship
