// The keys of [pacemaker], which pgwalship-cluster reads (cluster/pgwalship_cluster/config.py).
// They stand in the one file that all nodes have, so the programs here know them, check how they
// are written, and keep nothing of them. A test of tests/cluster compares the names with those
// there.
#pragma once

#include "cmd/config_keys.h"

#include <span>

namespace pgwalship {

std::span<const ConfigKey> pacemaker_keys();

}  // namespace pgwalship
