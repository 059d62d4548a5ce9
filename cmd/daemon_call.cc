#include "cmd/daemon_call.h"

#include <poll.h>

namespace pgwalship {
namespace {

constexpr std::chrono::milliseconds kPause{50};

}  // namespace

Result<Config> load_client_config(const std::string& explicit_path) {
  LoadOptions options;
  options.lookups = Lookups::kNone;
  return load_config(find_config_path(explicit_path), options);
}

Hello client_hello(const Config& config) {
  Hello hello;
  hello.role = Role::kClient;
  hello.software = "pgwalship " PGWALSHIP_VERSION;
  hello.cluster = config.cluster.name;
  hello.node = config.node_name;
  hello.config_digest = config_digest(config);
  return hello;
}

Result<std::unique_ptr<DaemonClient>> connect_daemon(const Config& config, const Clock& clock,
                                                     TimePoint deadline, IfDown if_down,
                                                     const std::optional<Message>& first) {
  for (;;) {
    auto client =
        DaemonClient::connect(config.daemon.socket, client_hello(config), clock, deadline, first);
    if (client.ok() || client.error().code != Errc::kRetry || if_down == IfDown::kFail ||
        clock.now() + kPause >= deadline) {
      return client;
    }
    pause_for(kPause);
  }
}

void pause_for(std::chrono::milliseconds time) {
  ::poll(nullptr, 0, static_cast<int>(time.count()));
}

}  // namespace pgwalship
