// What the daemon's parts are told by the configuration: one function for each. They change
// nothing.
#pragma once

#include "archiver/expire_service.h"
#include "archiver/look_ahead_service.h"
#include "archiver/pg_wal_gauge.h"
#include "archiver/push_service.h"
#include "cmd/config.h"
#include "restorer/fetch_service.h"
#include "transport/ssh_link.h"

#include <cstdint>
#include <functional>

namespace pgwalship {

// Unpredictable.
std::uint64_t seed_from_system();

// The configured nodes, or this one alone.
NodeList nodes_of(const Config& config);

// The greeting of this node. `system_id` is 0 while the archive is new.
Hello hello_of(const Config& config, Role role, std::uint64_t system_id);

// `seed` spreads the reconnects of nodes that lost each other at once.
SshLink::Options link_options(const Config& config, const Node& node, std::uint64_t system_id,
                              std::uint64_t seed);

PushService::Options push_options(const Config& config, const NodeList& nodes,
                                  std::function<void(const WalName&)> on_bad_copy);

ExpireService::Options expire_options(const Config& config, const NodeList& nodes);

FetchService::Options fetch_options(const Config& config, const NodeList& nodes,
                                    std::function<void()> on_repaired);

// Nothing is spooled where a server's pg_wal is known to be in another file system than the
// archive: moving a file there would be a copy.
Spool::Options spool_options(const Config& config, FileSystem& file_system, std::uint64_t seed);

LookAheadService::Options look_ahead_options(const Config& config);

PgWalGauge::Options space_options(const Config& config);

}  // namespace pgwalship
