// The line of authorized_keys that lets a node's daemon in on a peer, and nothing else.
#pragma once

#include <string>

namespace pgwalship {

struct AuthorizedLine {
  std::string client;  // the path of pgwalship on the peer
  std::string config;  // of the peer; empty: the default
  std::string node;    // whose key it is
  std::string key_type;
  std::string key_base64;
};

// restrict,command="/usr/bin/pgwalship receive --from pgdb1" ssh-ed25519 AAAA... pgwalship@pgdb1
std::string authorized_line(const AuthorizedLine& line);

}  // namespace pgwalship
