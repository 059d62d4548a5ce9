#include "transport/ssh_handle.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <utility>

namespace pgwalship {

namespace {

// AES-GCM costs half of the others with the processor's help, which every server of the last decade
// has; ChaCha20 and CTR are for sshd configurations without it.
constexpr const char* kDefaultCiphers =
    "aes128-gcm@openssh.com,aes256-gcm@openssh.com,chacha20-poly1305@openssh.com,"
    "aes256-ctr,aes192-ctr,aes128-ctr";

Result<void> set_options(ssh_session session, const SshSession::Options& options, Fd& socket) {
  const bool no_config = false;
  const int strict = 1;
  const unsigned int port = options.port;
  const int fd = socket.get();
  const char* ciphers = options.ciphers.empty() ? kDefaultCiphers : options.ciphers.c_str();
  const std::pair<ssh_options_e, const void*> wanted[] = {
      {SSH_OPTIONS_PROCESS_CONFIG, &no_config},
      {SSH_OPTIONS_STRICTHOSTKEYCHECK, &strict},
      {SSH_OPTIONS_HOST, options.host.c_str()},
      {SSH_OPTIONS_PORT, &port},
      {SSH_OPTIONS_USER, options.user.c_str()},
      {SSH_OPTIONS_KNOWNHOSTS, options.known_hosts.c_str()},
      {SSH_OPTIONS_GLOBAL_KNOWNHOSTS, "/dev/null"},
  };
  for (const auto& [option, value] : wanted) {
    if (ssh_options_set(session, option, value) != SSH_OK) {
      return Error{Errc::kInvalid,
                   "prepare ssh to " + place(options) + ": " + printable(ssh_get_error(session)),
                   "check the node's name and the [ssh] section of the configuration"};
    }
  }
  for (const ssh_options_e option : {SSH_OPTIONS_CIPHERS_C_S, SSH_OPTIONS_CIPHERS_S_C}) {
    if (ssh_options_set(session, option, ciphers) != SSH_OK) {
      return Error{Errc::kInvalid,
                   std::string("libssh knows none of the ciphers '") + ciphers + "'",
                   "check ciphers in the [ssh] section of the configuration"};
    }
  }
  if (!options.host_key_types.empty() &&
      ssh_options_set(session, SSH_OPTIONS_HOSTKEYS, options.host_key_types.c_str()) != SSH_OK) {
    return ssh_error(session, options, "prepare ssh to");
  }
  if (ssh_options_set(session, SSH_OPTIONS_FD, &fd) != SSH_OK) {
    return ssh_error(session, options, "prepare ssh to");
  }
  ssh_set_blocking(session, 0);
  return {};
}

}  // namespace

SshKey own(ssh_key key) {
  return {key, &ssh_key_free};
}

TimePoint deadline_of(const SshSession::Options& options) {
  return std::chrono::steady_clock::now() + options.connect_timeout;
}

std::string place(const SshSession::Options& options) {
  return options.host + ":" + std::to_string(options.port);
}

bool has_pending_output(ssh_session session) {
  return (ssh_get_poll_flags(session) & SSH_WRITE_PENDING) != 0;
}

Result<void> make_nonblocking(int fd) {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) {
    return errno_error("make the ssh socket non-blocking", errno);
  }
  return {};
}

Error silent_error(const SshSession::Options& options, const Error& cause, std::string_view step) {
  Error error = cause.within(std::string(step) + " " + place(options));
  if (cause.code == Errc::kTimeout) {
    error.hint = "the port is open but sshd does not answer: is " + options.host +
                 " overloaded, stopped or half dead? (connect-timeout is " +
                 std::to_string(options.connect_timeout.count()) + " ms)";
  }
  return error;
}

std::string printable(std::string_view text) {
  std::string clean(text);
  std::replace_if(
      clean.begin(), clean.end(),
      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, '?');
  return clean;
}

Error ssh_error(ssh_session session, const SshSession::Options& options, std::string_view step) {
  return Error{Errc::kRetry,
               std::string(step) + " " + place(options) + ": " + printable(ssh_get_error(session)),
               "see the log of sshd on " + options.host};
}

std::string known_hosts_name(const std::string& host, std::uint16_t port) {
  return port == 22 ? host : "[" + host + "]:" + std::to_string(port);
}

std::string base64(ssh_key key) {
  char* encoded = nullptr;
  if (ssh_pki_export_pubkey_base64(key, &encoded) != SSH_OK) {
    return {};
  }
  return SshText(encoded, &ssh_string_free_char).get();
}

std::string fingerprint(ssh_key key) {
  unsigned char* hash = nullptr;
  std::size_t size = 0;
  if (ssh_get_publickey_hash(key, SSH_PUBLICKEY_HASH_SHA256, &hash, &size) != SSH_OK) {
    return "(no fingerprint)";
  }
  char* text = ssh_get_fingerprint_hash(SSH_PUBLICKEY_HASH_SHA256, hash, size);
  ssh_clean_pubkey_hash(&hash);
  return text == nullptr ? "(no fingerprint)" : SshText(text, &ssh_string_free_char).get();
}

void tell_step(const SshSession::Options& options, SshStep step) {
  if (options.on_step) {
    options.on_step(step);
  }
}

Result<void> open_connection(ssh_session session, const SshSession::Options& options) {
  TRY_ASSIGN(Fd socket,
             tcp_connect({.host = options.host,
                          .port = options.port,
                          .deadline = deadline_of(options),
                          .cancel_fd = options.cancel_fd,
                          .on_resolved = [&] { tell_step(options, SshStep::kResolved); }}));
  tell_step(options, SshStep::kConnected);
  TRY(set_options(session, options, socket));
  const Result<int> connected = complete(session, options, SSH_AGAIN, [&] {
    const int outcome = ssh_connect(session);
    std::ignore = socket.release();  // the first call takes it over, whatever comes of it
    return outcome;
  });
  if (!connected.ok()) {
    return silent_error(options, connected.error(), "ssh greeting of");
  }
  if (connected.value() != SSH_OK) {
    return ssh_error(session, options, "ssh greeting of");
  }
  return {};
}

}  // namespace pgwalship
