// One SSH connection with one exec channel, through libssh (0.10). The only file that knows libssh.
// Owned and used by one thread, from connect to destruction: libssh forbids more.
// Source of the libssh behaviour that shaped this: see ssh_session.cc.
#pragma once

#include "base/bytes.h"
#include "base/result.h"

#include <chrono>
#include <memory>
#include <string>

namespace pgwalship {

class SshSession {
 public:
  struct Options {
    std::string host;
    std::uint16_t port = 22;
    std::string user;
    std::string identity;     // private key file, ed25519, without passphrase
    std::string known_hosts;  // pinned host keys; an unknown or changed key is refused (H44)
    std::string ciphers;
    std::chrono::milliseconds connect_timeout{2000};  // for each of: connect, keys, login, exec
    std::string command;  // what to ask for; sshd's forced command decides what runs
  };

  // Blocks for at most a few connect_timeouts. Errors carry a hint: host key unknown or changed
  // (with the fingerprint seen), key refused, name not found, connection refused, no answer.
  static Result<std::unique_ptr<SshSession>> connect(const Options& options);
  ~SshSession();
  SshSession(const SshSession&) = delete;
  SshSession& operator=(const SshSession&) = delete;

  // The socket, for poll(2).
  int fd() const;
  // True when libssh holds bytes that the socket does not take yet: poll for writing, too.
  bool wants_write() const;

  // Never block. 0 bytes: nothing now. kRetry with the remote's last stderr lines when the channel
  // or the connection has ended.
  Result<std::size_t> read_some(std::span<std::byte> into);
  Result<std::size_t> write_some(ByteView data);

 private:
  struct Handles;
  explicit SshSession(std::unique_ptr<Handles> handles);

  std::unique_ptr<Handles> handles_;
};

}  // namespace pgwalship
