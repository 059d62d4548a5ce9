// A verb's way to the daemon.
#pragma once

#include "cmd/config.h"
#include "transport/local_socket.h"

#include <memory>
#include <optional>

namespace pgwalship {

// Without any lookup outside of the file: PostgreSQL waits for the verb.
Result<Config> load_client_config(const std::string& explicit_path);

Hello client_hello(const Config& config);

// A daemon that restarts is away for a moment, and PostgreSQL gives up after three tries: better to
// wait here (H49).
inline constexpr std::chrono::milliseconds kRestartPatience{2000};

enum class IfDown { kFail, kTryAgain };
// With kTryAgain, tries until `deadline`. `first` as in DaemonClient::connect().
Result<std::unique_ptr<DaemonClient>> connect_daemon(
    const Config& config, const Clock& clock, TimePoint deadline, IfDown if_down,
    const std::optional<Message>& first = std::nullopt);

// For the main thread of a verb.
void pause_for(std::chrono::milliseconds time);

}  // namespace pgwalship
