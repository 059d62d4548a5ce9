// The way to a peer, as the configuration has it; what is to run there is the caller's.
#pragma once

#include "cmd/config.h"
#include "transport/ssh_session.h"

namespace pgwalship {

SshSession::Options session_options(const Config& config, const Node& peer);

}  // namespace pgwalship
