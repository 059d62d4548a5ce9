// One SSH connection with one exec channel, through libssh (0.10). libssh is known to
// ssh_session.cc, ssh_keys.cc and what they share (ssh_handle.h), and to nobody else.
// Owned and used by one thread, from connect to destruction: libssh forbids more.
// Source of the libssh behaviour that shaped this: see ssh_session.cc.
#pragma once

#include "base/bytes.h"
#include "base/result.h"

#include <chrono>
#include <functional>
#include <limits>
#include <memory>
#include <string>

namespace pgwalship {

// What connect() has behind it; kPrepared: the key and the known hosts of this node were read.
enum class SshStep { kPrepared, kResolved, kConnected, kHostKeyAccepted, kLoggedIn, kStarted };

class SshSession {
 public:
  struct Options {
    std::string host;
    std::uint16_t port = 22;
    std::string user;
    std::string identity;     // private key file, ed25519, without passphrase
    std::string known_hosts;  // pinned host keys; an unknown or changed key is refused (H44)
    std::string ciphers;      // OpenSSH's names in order of preference; empty: AES-GCM first
    std::chrono::milliseconds connect_timeout{2000};  // for each of: connect, keys, login, exec
    std::string command;              // what to ask for; sshd's forced command decides what runs
    std::string forced_command = {};  // what authorized_keys should force, when that is another
    int cancel_fd = -1;               // readable: connect() gives up at once
    std::string host_key_types = {};  // to ask for, the best first; empty: what is pinned
    std::function<void(SshStep)> on_step = {};
    std::string node = {};  // what `keys pin` calls the host, for hints

    // Whether both make the same connection, whoever watches it (cancel_fd, on_step).
    bool operator==(const Options& other) const;
  };

  // Blocks for at most a few connect_timeouts. Errors carry a hint: host key unknown or changed
  // (with the fingerprint seen), key refused, name not found, connection refused, no answer.
  // kInvalid: somebody has to change something; kRetry and kTimeout: it may work later.
  static Result<std::unique_ptr<SshSession>> connect(const Options& options);
  ~SshSession();
  SshSession(const SshSession&) = delete;
  SshSession& operator=(const SshSession&) = delete;

  // The socket, for poll(2).
  int fd() const;
  // True when libssh holds bytes that the socket does not take yet: poll for writing, too.
  bool wants_write() const;
  // True when the remote's window is open, as far as it may be used, and libssh holds nothing back.
  // A read may open it: a writer that got 0 asks again after the read, because poll(2) then no
  // longer tells.
  bool can_take() const;
  // At most so much of what was written waits at the remote for the command to read it; its window
  // bounds that, too. From the start on: all that the window takes.
  void set_unread_max(std::size_t bytes) { unread_max_ = bytes; }
  // True when that, and not the window, is why it takes nothing.
  bool holds_back() const;

  // Never blocks. 0 bytes: nothing now. kRetry with the remote's last stderr line when the channel
  // or the connection has ended. Read until 0 before poll(2): what libssh has taken from the socket
  // no longer wakes it.
  Result<std::size_t> read_some(std::span<std::byte> into);
  // Never blocks. 0 bytes: the remote takes no more now; poll for reading (the remote's window),
  // and for writing too while wants_write(). It may take bytes from the socket: read after it. Once
  // the channel has ended it is 0, too: read_some() gives what is left, and then the reason.
  // Without data it only moves what libssh holds on to the socket.
  Result<std::size_t> write_some(ByteView data);

 private:
  struct Handles;
  explicit SshSession(std::unique_ptr<Handles> handles);
  std::uint32_t window() const;
  std::uint32_t room() const;

  std::unique_ptr<Handles> handles_;
  std::uint32_t window_max_ = 0;  // when the command has read everything
  std::size_t unread_max_ = std::numeric_limits<std::size_t>::max();
};

}  // namespace pgwalship
