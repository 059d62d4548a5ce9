// Keys as OpenSSH has them, through libssh: making one, telling its public half, and seeing which
// one a host shows. Blocks; touches no file but the one that is to be read.
#pragma once

#include "base/result.h"
#include "transport/ssh_session.h"

#include <string>

namespace pgwalship {

struct SshPublicKey {
  std::string type;         // "ssh-ed25519"
  std::string base64;       // as in authorized_keys and known_hosts
  std::string fingerprint;  // "SHA256:...", as `ssh-keygen -l` prints it

  friend bool operator==(const SshPublicKey&, const SshPublicKey&) = default;
};

// A new ed25519 key without a passphrase, in OpenSSH's own format: the content of its file.
Result<std::string> make_private_key();
// Of the text of a private key. kInvalid: not a key, or it has a passphrase.
Result<SshPublicKey> public_key_of(const std::string& private_key);
// From "ssh-ed25519 AAAA...", as in known_hosts. kInvalid.
Result<SshPublicKey> parse_public_key(const std::string& type, const std::string& base64);

// The key that the host at options.host shows when nothing is pinned, ed25519 when it has one.
// Nobody logs in: identity and known_hosts are not used. Errors as of SshSession::connect.
Result<SshPublicKey> fetch_host_key(SshSession::Options options);

}  // namespace pgwalship
