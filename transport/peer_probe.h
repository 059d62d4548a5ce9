// One real session with a peer's receiver, to see whether and how it works: for `pgwalship config
// --check`. What it writes there is no WAL, and is removed at once. Blocks until the deadline at
// most; one thread.
#pragma once

#include "base/clock.h"
#include "transport/messages.h"
#include "transport/ssh_session.h"

#include <chrono>
#include <optional>
#include <string>

namespace pgwalship {

struct PeerProbe {
  std::optional<SshStep> reached;  // the last step that is behind it
  std::optional<Error> error;      // why it went no further
  // The key is not tied to `pgwalship receive`: whoever has it has a shell there.
  bool runs_any_command = false;
  std::optional<Hello> hello;
  std::optional<MachineFacts> machine;
  bool stores = false;  // a file that was sent was written durably, and read back the same
  std::chrono::microseconds connect_time{};  // to the greeting
  std::chrono::microseconds round_trip{};
  std::chrono::microseconds clock_ahead{};  // the peer's clock against this one, give or take
                                            // half a round trip
};

struct ProbeOptions {
  SshSession::Options session;  // command and on_step are set here
  Hello mine;                   // with system_id 0, so that a difference is seen and no end
  std::string peer;             // the node name that the other side must claim
  std::chrono::milliseconds patience{10'000};  // from the login on
};

PeerProbe probe_peer(const Clock& clock, ProbeOptions options);

}  // namespace pgwalship
