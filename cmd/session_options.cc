#include "cmd/session_options.h"

namespace pgwalship {

SshSession::Options session_options(const Config& config, const Node& peer) {
  SshSession::Options options;
  options.host = peer.address;
  options.node = peer.name;
  options.port = peer.port;
  options.user = config.ssh.user;
  options.identity = config.ssh.identity;
  options.known_hosts = config.ssh.known_hosts;
  options.ciphers = config.ssh.ciphers;
  options.connect_timeout = config.ssh.connect_timeout;
  return options;
}

}  // namespace pgwalship
