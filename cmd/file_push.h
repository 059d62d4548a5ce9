// One file through the daemon, up to its verdict: what archive_command waits for, and `rescue` does
// again and again.
#pragma once

#include "cmd/config.h"
#include "transport/messages.h"

#include <chrono>
#include <string>

namespace pgwalship {

// The daemon answers at push-timeout; this much later its silence is believed, and again this much
// later nothing else than the system can be in the way.
inline constexpr std::chrono::milliseconds kPushGrace{1000};

// Over a connection of its own, within push-timeout and kPushGrace. `path` is absolute. An Error is
// about the way there or the file; the daemon's own verdict is in Done.
Result<Done> push_file(const Config& config, const std::string& path, const WalName& name);

}  // namespace pgwalship
