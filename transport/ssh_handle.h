// What both users of libssh share, the sessions (ssh_session.cc) and the keys (ssh_keys.cc): its
// handles as RAII types, a step with a deadline, and the way to an encrypted connection. Only these
// files know libssh. Internal: nobody else includes this.
#pragma once

#include "base/clock.h"
#include "transport/ssh_session.h"
#include "transport/tcp_connect.h"

#include <libssh/libssh.h>

#include <memory>
#include <poll.h>
#include <string>
#include <string_view>

namespace pgwalship {

using SshHandle = std::unique_ptr<ssh_session_struct, decltype(&ssh_free)>;
using SshChannel = std::unique_ptr<ssh_channel_struct, decltype(&ssh_channel_free)>;
using SshKey = std::unique_ptr<ssh_key_struct, decltype(&ssh_key_free)>;
using SshText = std::unique_ptr<char, decltype(&ssh_string_free_char)>;

SshKey own(ssh_key key);

TimePoint deadline_of(const SshSession::Options& options);
// "host:port", for messages.
std::string place(const SshSession::Options& options);
bool has_pending_output(ssh_session session);
Result<void> make_nonblocking(int fd);

// Repeats one libssh call until it is done; its last result, or kTimeout, or kRetry when cancelled.
template <typename Step>
Result<int> complete(ssh_session session, const SshSession::Options& options, int again,
                     Step step) {
  const TimePoint deadline = deadline_of(options);
  for (;;) {
    const int outcome = step();
    if (outcome != again) {
      return outcome;
    }
    TRY(make_nonblocking(ssh_get_fd(session)));
    const int events = POLLIN | (has_pending_output(session) ? POLLOUT : 0);
    TRY(wait_for({.fd = ssh_get_fd(session),
                  .events = static_cast<short>(events),
                  .deadline = deadline,
                  .cancel_fd = options.cancel_fd}));
  }
}

// What an error of complete() means at that step.
Error silent_error(const SshSession::Options& options, const Error& cause, std::string_view step);
// What came from the other side goes to a log and to a terminal.
std::string printable(std::string_view text);
Error ssh_error(ssh_session session, const SshSession::Options& options, std::string_view step);

// "[host]:port" unless it is 22, as OpenSSH writes it.
std::string known_hosts_name(const std::string& host, std::uint16_t port);
std::string base64(ssh_key key);
// "SHA256:...", as ssh-keygen prints it.
std::string fingerprint(ssh_key key);

// A TCP connection, greetings and keys exchanged: the host key is known and not yet checked.
Result<void> open_connection(ssh_session session, const SshSession::Options& options);
void tell_step(const SshSession::Options& options, SshStep step);

}  // namespace pgwalship
