// What a probe of a peer means, line by line. Pure.
#pragma once

#include "cmd/check_lines.h"
#include "cmd/config.h"
#include "transport/peer_probe.h"

#include <cstdint>
#include <vector>

namespace pgwalship {

// `system_id`: of this node's archive or server; 0: not known.
std::vector<CheckLine> peer_checks(const Config& config, const Node& peer, const PeerProbe& probe,
                                   std::uint64_t system_id);

}  // namespace pgwalship
