// What the daemon's parts are told by the configuration: one function for each, without effects.
#pragma once

#include "archiver/expire_service.h"
#include "archiver/look_ahead_service.h"
#include "archiver/pg_wal_gauge.h"
#include "archiver/push_service.h"
#include "cmd/config.h"
#include "transport/ssh_link.h"

#include <cstdint>
#include <functional>

namespace pgwalship {

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

LookAheadService::Options look_ahead_options(const Config& config);

PgWalGauge::Options space_options(const Config& config);

}  // namespace pgwalship
