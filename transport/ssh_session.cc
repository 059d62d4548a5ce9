// How libssh 0.10 behaves, read in its source and tried, and what this file does about it:
// - Blocking calls take SSH_OPTIONS_TIMEOUT differently, and opening a channel not at all. So the
//   session never blocks: every step is repeated, with a poll(2) of our own, until its deadline.
// - Once connected it makes the socket blocking again, and then sends all it has buffered after one
//   POLLOUT: a peer that stops reading would hold the thread for ever. So O_NONBLOCK is set again.
// - It closes the descriptor of SSH_OPTIONS_FD in ssh_free and after an error, but not in
//   ssh_disconnect. So the descriptor is given away, and ssh_disconnect is not called.
// - A write returns 0 when the remote's window is full; the window comes with POLLIN, and any read
//   may take it in: hence can_take(). A write can leave bytes in libssh until POLLOUT was seen;
//   each turn of its own poll sends one buffer.
// - At the end of the stream it reads no more packets: the exit status has to be asked for.
// - "@revoked" lines of known_hosts are skipped. So they are looked for here.
#include "transport/ssh_session.h"

#include "transport/tcp_connect.h"

#include <libssh/callbacks.h>
#include <libssh/libssh.h>

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <fstream>
#include <optional>
#include <poll.h>
#include <unistd.h>

namespace pgwalship {

namespace {

// AES-GCM costs half of the others with the processor's help, which every server of the last decade
// has; ChaCha20 and CTR are for sshd configurations without it.
constexpr const char* kDefaultCiphers =
    "aes128-gcm@openssh.com,aes256-gcm@openssh.com,chacha20-poly1305@openssh.com,"
    "aes256-ctr,aes192-ctr,aes128-ctr";

constexpr std::size_t kStderrTailBytes = 1024;

using Session = std::unique_ptr<ssh_session_struct, decltype(&ssh_free)>;
using Channel = std::unique_ptr<ssh_channel_struct, decltype(&ssh_channel_free)>;
using Key = std::unique_ptr<ssh_key_struct, decltype(&ssh_key_free)>;
using Text = std::unique_ptr<char, decltype(&ssh_string_free_char)>;

Key own(ssh_key key) {
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

Error silent_error(const SshSession::Options& options, const Error& cause, std::string_view step) {
  Error error = cause.within(std::string(step) + " " + place(options));
  if (cause.code == Errc::kTimeout) {
    error.hint = "the port is open but sshd does not answer: is " + options.host +
                 " overloaded, stopped or half dead? (connect-timeout is " +
                 std::to_string(options.connect_timeout.count()) + " ms)";
  }
  return error;
}

// What came from the other side goes to a log and to a terminal.
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
  if (ssh_options_set(session, SSH_OPTIONS_FD, &fd) != SSH_OK) {
    return ssh_error(session, options, "prepare ssh to");
  }
  ssh_set_blocking(session, 0);
  return {};
}

Result<void> check_readable(const std::string& path, std::string_view what, std::string hint) {
  if (::access(path.c_str(), R_OK) != 0) {
    Error error = errno_error(std::string(what) + " '" + path + "'", errno);
    error.code = Errc::kInvalid;
    error.hint = std::move(hint);
    return error;
  }
  return {};
}

// "[host]:port" unless it is 22, as OpenSSH writes it.
std::string known_hosts_name(const SshSession::Options& options) {
  return options.port == 22 ? options.host
                            : "[" + options.host + "]:" + std::to_string(options.port);
}

std::string pin_hint(const SshSession::Options& options) {
  return "on " + options.host +
         " run 'ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub'; if the fingerprint is the same, "
         "here 'ssh-keyscan -t ed25519 -p " +
         std::to_string(options.port) + " " + options.host + " >> " + options.known_hosts + "'";
}

std::string base64(ssh_key key) {
  char* encoded = nullptr;
  if (ssh_pki_export_pubkey_base64(key, &encoded) != SSH_OK) {
    return {};
  }
  return Text(encoded, &ssh_string_free_char).get();
}

std::string fingerprint(ssh_key key) {
  unsigned char* hash = nullptr;
  std::size_t size = 0;
  if (ssh_get_publickey_hash(key, SSH_PUBLICKEY_HASH_SHA256, &hash, &size) != SSH_OK) {
    return "(no fingerprint)";
  }
  char* text = ssh_get_fingerprint_hash(SSH_PUBLICKEY_HASH_SHA256, hash, size);
  ssh_clean_pubkey_hash(&hash);
  return text == nullptr ? "(no fingerprint)" : Text(text, &ssh_string_free_char).get();
}

bool is_revoked(const std::string& known_hosts, const std::string& key_base64) {
  std::ifstream file(known_hosts);
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("@revoked") && line.find(key_base64) != std::string::npos) {
      return true;
    }
  }
  return false;
}

Result<void> check_host_key(ssh_session session, const SshSession::Options& options) {
  ssh_key raw = nullptr;
  if (ssh_get_server_publickey(session, &raw) != SSH_OK) {
    return ssh_error(session, options, "host key of");
  }
  const Key key = own(raw);
  const std::string seen =
      std::string(ssh_key_type_to_char(ssh_key_type(key.get()))) + " " + fingerprint(key.get());
  const std::string name = known_hosts_name(options);
  const auto refuse = [&](std::string_view why, std::string hint) {
    return Error{Errc::kInvalid,
                 "host key of " + place(options) + " " + std::string(why) + ": it showed " + seen,
                 std::move(hint)};
  };
  if (is_revoked(options.known_hosts, base64(key.get()))) {
    return refuse("is revoked", "'" + options.known_hosts + "' has it as @revoked: give " +
                                    options.host + " a new host key, then " + pin_hint(options));
  }
  switch (ssh_session_is_known_server(session)) {
    case SSH_KNOWN_HOSTS_OK:
      return {};
    case SSH_KNOWN_HOSTS_CHANGED:
      return refuse("is not the pinned one",
                    "somebody may be in between, or the host was reinstalled; only when you know "
                    "why it changed: 'ssh-keygen -f " +
                        options.known_hosts + " -R " + name + "', then " + pin_hint(options));
    case SSH_KNOWN_HOSTS_OTHER:
      return refuse("is of another type than the pinned one", pin_hint(options));
    case SSH_KNOWN_HOSTS_NOT_FOUND:
    case SSH_KNOWN_HOSTS_UNKNOWN:
      return refuse("is not pinned as " + name + " in '" + options.known_hosts + "'",
                    pin_hint(options));
    case SSH_KNOWN_HOSTS_ERROR:
      break;
  }
  return ssh_error(session, options, "check the host key of");
}

std::string authorized_keys_hint(const SshSession::Options& options, ssh_key identity) {
  const std::string command =
      options.command.empty() ? "/usr/bin/pgwalship receive --from NODE" : options.command;
  return "authorized_keys of " + options.user + " on " + options.host +
         " needs the line: restrict,command=\"" + command + "\" " +
         ssh_key_type_to_char(ssh_key_type(identity)) + " " + base64(identity);
}

Result<Key> load_identity(const SshSession::Options& options) {
  const std::string make = "make one with: ssh-keygen -t ed25519 -N '' -f " + options.identity;
  TRY(check_readable(options.identity, "private key", make));
  ssh_key raw = nullptr;
  if (ssh_pki_import_privkey_file(options.identity.c_str(), nullptr, nullptr, nullptr, &raw) !=
      SSH_OK) {
    return Error{Errc::kInvalid,
                 "private key '" + options.identity +
                     "' cannot be used: not a key, or it has a "
                     "passphrase",
                 make};
  }
  return own(raw);
}

Result<void> log_in(ssh_session session, const SshSession::Options& options, ssh_key identity) {
  const Result<int> outcome = complete(session, options, SSH_AUTH_AGAIN, [&] {
    return ssh_userauth_publickey(session, nullptr, identity);
  });
  if (!outcome.ok()) {
    return silent_error(options, outcome.error(), "log in to");
  }
  const std::string who = "log in as '" + options.user + "' to " + place(options);
  if (outcome.value() == SSH_AUTH_DENIED) {
    return Error{Errc::kInvalid, who + ": the key '" + options.identity + "' is refused",
                 authorized_keys_hint(options, identity)};
  }
  if (outcome.value() == SSH_AUTH_PARTIAL) {
    return Error{Errc::kInvalid, who + ": sshd wants more than the key",
                 "AuthenticationMethods for " + options.user + " on " + options.host +
                     " must be publickey alone"};
  }
  if (outcome.value() != SSH_AUTH_SUCCESS) {
    return ssh_error(session, options, "log in to");
  }
  return {};
}

Result<void> open_command(ssh_session session, ssh_channel channel,
                          const SshSession::Options& options) {
  const Result<int> opened =
      complete(session, options, SSH_AGAIN, [&] { return ssh_channel_open_session(channel); });
  if (!opened.ok()) {
    return silent_error(options, opened.error(), "open a channel to");
  }
  if (opened.value() != SSH_OK) {
    return ssh_error(session, options, "open a channel to");
  }
  const Result<int> started = complete(session, options, SSH_AGAIN, [&] {
    return ssh_channel_request_exec(channel, options.command.c_str());
  });
  if (!started.ok()) {
    return silent_error(options, started.error(), "start the receiver on");
  }
  if (started.value() != SSH_OK) {
    return ssh_error(session, options, "start the receiver on");
  }
  return {};
}

// How the remote command ended, as libssh reports it while packets are handled.
struct Ending {
  std::optional<int> status;
  std::string signal;
};

void on_exit_status(ssh_session, ssh_channel, int status, void* ending) {
  static_cast<Ending*>(ending)->status = status;
}

void on_exit_signal(ssh_session, ssh_channel, const char* signal, int, const char*, const char*,
                    void* ending) {
  static_cast<Ending*>(ending)->signal = printable(signal);
}

// The last line that is not empty; `text` is left without it.
std::string take_last_line(std::string& text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) {
    text.pop_back();
  }
  const std::size_t start = text.rfind('\n') + 1;
  std::string line = printable(std::string_view(text).substr(start));
  text.resize(start);
  return line;
}

}  // namespace

struct SshSession::Handles {
  Options options;
  Ending ending;
  ssh_channel_callbacks_struct callbacks{};
  std::string stderr_tail;
  Session session{ssh_new(), &ssh_free};
  Channel channel{nullptr, &ssh_channel_free};  // before its session, in the order of destruction

  void read_stderr();
  bool channel_ended();
  Error why_ended() const;
};

void SshSession::Handles::read_stderr() {
  char piece[kStderrTailBytes];
  // Bounded: a remote that floods stderr must not hold the thread.
  for (int turn = 0; turn < 16; ++turn) {
    const int got = ssh_channel_read_nonblocking(channel.get(), piece, sizeof(piece), 1);
    if (got <= 0) {
      return;
    }
    stderr_tail.append(piece, static_cast<std::size_t>(got));
    if (stderr_tail.size() > kStderrTailBytes) {
      stderr_tail.erase(0, stderr_tail.size() - kStderrTailBytes);
    }
  }
}

bool SshSession::Handles::channel_ended() {
  if (ssh_channel_is_closed(channel.get()) != 0) {
    return true;
  }
  if (ssh_channel_is_eof(channel.get()) == 0) {
    return false;
  }
  std::ignore = ssh_channel_get_exit_status(channel.get());  // makes libssh read on, see above
  read_stderr();
  return ending.status || !ending.signal.empty() || ssh_channel_is_closed(channel.get()) != 0;
}

Error SshSession::Handles::why_ended() const {
  if (!ending.status && ending.signal.empty()) {
    const std::string reason = printable(ssh_get_error(session.get()));
    return Error{Errc::kRetry,
                 "connection to " + place(options) +
                     " lost: " + (reason.empty() ? "closed by the other side" : reason),
                 ""};
  }
  std::string message = "receiver on " + options.host + " ended (" +
                        (ending.signal.empty() ? "exit status " + std::to_string(*ending.status)
                                               : "signal " + ending.signal) +
                        ")";
  std::string hint = "does authorized_keys of " + options.user + " on " + options.host +
                     " give this key the right command=\"...\"?";
  std::string tail = stderr_tail;
  std::string line = take_last_line(tail);
  constexpr std::string_view kHint = "HINT: ";
  if (line.starts_with(kHint)) {
    hint = line.substr(kHint.size());
    line = take_last_line(tail);
  }
  if (!line.empty()) {
    message += ": " + line;
  }
  return Error{Errc::kRetry, std::move(message), std::move(hint)};
}

SshSession::SshSession(std::unique_ptr<Handles> handles) : handles_(std::move(handles)) {}
SshSession::~SshSession() = default;

Result<std::unique_ptr<SshSession>> SshSession::connect(const Options& options) {
  TRY(check_readable(options.known_hosts, "known hosts file", pin_hint(options)));
  TRY_ASSIGN(const Key identity, load_identity(options));
  auto handles = std::make_unique<Handles>();
  handles->options = options;
  ssh_session session = handles->session.get();
  CHECK(session != nullptr);

  TRY_ASSIGN(Fd socket, tcp_connect({.host = options.host,
                                     .port = options.port,
                                     .deadline = deadline_of(options),
                                     .cancel_fd = options.cancel_fd}));
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
  TRY(check_host_key(session, options));
  TRY(log_in(session, options, identity.get()));

  handles->channel.reset(ssh_channel_new(session));
  CHECK(handles->channel != nullptr);
  handles->callbacks.userdata = &handles->ending;
  handles->callbacks.channel_exit_status_function = &on_exit_status;
  handles->callbacks.channel_exit_signal_function = &on_exit_signal;
  ssh_callbacks_init(&handles->callbacks);
  CHECK(ssh_set_channel_callbacks(handles->channel.get(), &handles->callbacks) == SSH_OK);
  TRY(open_command(session, handles->channel.get(), options));
  TRY(make_nonblocking(ssh_get_fd(session)));
  return std::unique_ptr<SshSession>(new SshSession(std::move(handles)));
}

int SshSession::fd() const {
  return ssh_get_fd(handles_->session.get());
}

bool SshSession::wants_write() const {
  return has_pending_output(handles_->session.get());
}

bool SshSession::can_take() const {
  return !wants_write() && ssh_channel_window_size(handles_->channel.get()) > 0;
}

Result<std::size_t> SshSession::read_some(std::span<std::byte> into) {
  const auto size = static_cast<std::uint32_t>(std::min<std::size_t>(into.size(), 1U << 20));
  handles_->read_stderr();
  const int got = ssh_channel_read_nonblocking(handles_->channel.get(), into.data(), size, 0);
  if (got > 0) {
    return static_cast<std::size_t>(got);
  }
  if (got == SSH_ERROR || handles_->channel_ended()) {
    return handles_->why_ended();
  }
  return std::size_t{0};
}

Result<std::size_t> SshSession::write_some(ByteView data) {
  ssh_channel channel = handles_->channel.get();
  if (ssh_channel_is_closed(channel) != 0) {
    return std::size_t{0};
  }
  const auto size = static_cast<std::uint32_t>(std::min<std::size_t>(data.size(), 1U << 20));
  const int put = size == 0 ? 0 : ssh_channel_write(channel, data.data(), size);
  // One turn to see POLLOUT, one to send, one to see that the buffer is empty.
  for (int turn = 0; turn < 3 && has_pending_output(handles_->session.get()); ++turn) {
    if (ssh_channel_poll_timeout(channel, 0, 0) == SSH_ERROR) {
      break;
    }
  }
  return put > 0 ? static_cast<std::size_t>(put) : std::size_t{0};
}

}  // namespace pgwalship
