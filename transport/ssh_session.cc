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

#include "transport/ssh_handle.h"

#include <libssh/callbacks.h>

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <fstream>
#include <optional>
#include <poll.h>
#include <tuple>
#include <unistd.h>

namespace pgwalship {

namespace {

constexpr std::size_t kStderrTailBytes = 1024;

Result<void> check_readable(const std::string& path, std::string_view what, std::string hint) {
  if (::access(path.c_str(), R_OK) != 0) {
    Error error = errno_error(std::string(what) + " '" + path + "'", errno);
    error.code = Errc::kInvalid;
    if (error.hint.empty()) {  // it is not there; else it may not be read
      error.hint = std::move(hint);
    }
    return error;
  }
  return {};
}

std::string pin_hint(const SshSession::Options& options, const std::string& how = "") {
  return "on " + options.host +
         " run 'ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub'; if the fingerprint is the same, "
         "here 'pgwalship keys pin" +
         how + "'";
}

std::string replace_hint(const SshSession::Options& options) {
  return pin_hint(options, " --replace " + (options.node.empty() ? "NODE" : options.node));
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
  const SshKey key = own(raw);
  const std::string seen =
      std::string(ssh_key_type_to_char(ssh_key_type(key.get()))) + " " + fingerprint(key.get());
  const std::string name = known_hosts_name(options.host, options.port);
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
                    "why it changed, " +
                        replace_hint(options));
    case SSH_KNOWN_HOSTS_OTHER:
      return refuse("is of another type than the pinned one", replace_hint(options));
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
  const std::string& wanted =
      options.forced_command.empty() ? options.command : options.forced_command;
  const std::string command =
      wanted.empty() ? PGWALSHIP_CLIENT_PATH " receive --from NODE" : wanted;
  return "authorized_keys of " + options.user + " on " + options.host +
         ", which nobody else may write to, needs the line: restrict,command=\"" + command + "\" " +
         ssh_key_type_to_char(ssh_key_type(identity)) + " " + base64(identity);
}

Result<SshKey> load_identity(const SshSession::Options& options) {
  const std::string make = "make one with: pgwalship keys create";
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
  SshHandle session{ssh_new(), &ssh_free};
  SshChannel channel{nullptr,
                     &ssh_channel_free};  // before its session, in the order of destruction

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
  constexpr int kShellsSignals = 128;  // a shell in between adds it to the signal's number
  const bool was_killed = !ending.signal.empty() || *ending.status > kShellsSignals;
  std::string hint =
      was_killed ? "it was killed, by hand or for lack of memory: see the journal of " +
                       options.host + "; a new one is started"
                 : (*ending.status == 0 ? "it was told to stop, as by an upgrade there, and a "
                                          "new one is started; when it ends again, "
                                        : "") +
                       ("does authorized_keys of " + options.user + " on " + options.host +
                        " give this key the right command=\"...\"?");
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

SshSession::SshSession(std::unique_ptr<Handles> handles)
    : handles_(std::move(handles)), window_max_(window()) {}
SshSession::~SshSession() = default;

bool SshSession::Options::operator==(const Options& other) const {
  const auto terms = [](const Options& it) {
    return std::tie(it.host, it.port, it.user, it.identity, it.known_hosts, it.ciphers,
                    it.connect_timeout, it.command, it.host_key_types);
  };
  return terms(*this) == terms(other);
}

Result<std::unique_ptr<SshSession>> SshSession::connect(const Options& options) {
  TRY(check_readable(options.known_hosts, "known hosts file", pin_hint(options)));
  TRY_ASSIGN(const SshKey identity, load_identity(options));
  tell_step(options, SshStep::kPrepared);
  auto handles = std::make_unique<Handles>();
  handles->options = options;
  ssh_session session = handles->session.get();
  CHECK(session != nullptr);

  TRY(open_connection(session, options));
  TRY(check_host_key(session, options));
  tell_step(options, SshStep::kHostKeyAccepted);
  TRY(log_in(session, options, identity.get()));
  tell_step(options, SshStep::kLoggedIn);

  handles->channel.reset(ssh_channel_new(session));
  CHECK(handles->channel != nullptr);
  handles->callbacks.userdata = &handles->ending;
  handles->callbacks.channel_exit_status_function = &on_exit_status;
  handles->callbacks.channel_exit_signal_function = &on_exit_signal;
  ssh_callbacks_init(&handles->callbacks);
  CHECK(ssh_set_channel_callbacks(handles->channel.get(), &handles->callbacks) == SSH_OK);
  TRY(open_command(session, handles->channel.get(), options));
  TRY(make_nonblocking(ssh_get_fd(session)));
  tell_step(options, SshStep::kStarted);
  return std::unique_ptr<SshSession>(new SshSession(std::move(handles)));
}

int SshSession::fd() const {
  return ssh_get_fd(handles_->session.get());
}

bool SshSession::wants_write() const {
  return has_pending_output(handles_->session.get());
}

std::uint32_t SshSession::window() const {
  return ssh_channel_window_size(handles_->channel.get());
}

std::uint32_t SshSession::room() const {
  const std::uint32_t open = window();
  const std::uint32_t unread = window_max_ - std::min(open, window_max_);
  return unread >= unread_max_
             ? 0
             : static_cast<std::uint32_t>(std::min<std::size_t>(open, unread_max_ - unread));
}

bool SshSession::can_take() const {
  return !wants_write() && room() > 0;
}

bool SshSession::holds_back() const {
  return !wants_write() && room() == 0 && window() > 0;
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
  window_max_ = std::max(window_max_, window());
  const auto size = static_cast<std::uint32_t>(
      std::min<std::size_t>({data.size(), std::size_t{1} << 20, room()}));
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
