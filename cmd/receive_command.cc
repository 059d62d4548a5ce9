#include "base/posix_file_system.h"
#include "cmd/command_line.h"
#include "cmd/config.h"
#include "cmd/config_change.h"
#include "cmd/emergency_exit.h"
#include "cmd/verbs.h"
#include "transport/local_socket.h"
#include "transport/receiver.h"
#include "wal/live_index.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <poll.h>
#include <random>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <tuple>
#include <unistd.h>

namespace pgwalship {
namespace {

constexpr int kEnded = 0;
constexpr int kFailed = 1;
constexpr int kUsage = 2;

// A sender pings every few seconds. When a machine loses its power sshd may not notice for hours,
// and each reconnect would leave one more of us.
constexpr std::chrono::milliseconds kSilenceMin{60'000};
constexpr int kSilentKeepalives = 10;
// Looks at the archive that wait: a sender's comparisons, and names that changed.
constexpr std::size_t kLooksMax = 64;
constexpr std::chrono::seconds kArchiveLookInterval{2};

Result<void> make_non_blocking(int fd) {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) {
    return errno_error("prepare the connection", errno);
  }
  return {};
}

Result<Fd> watch_for_end_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
    sigaddset(&signals, signal);
  }
  ::sigprocmask(SIG_BLOCK, &signals, nullptr);
  Fd fd(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd.valid()) {
    return errno_error("watch for signals", errno);
  }
  return fd;
}

// Moves messages between sshd and the receiver until either side ends the session.
class Pump {
 public:
  // Borrowed. `looks` works for `index`.
  struct Parts {
    const Clock& clock;
    Receiver& receiver;
    LiveIndex& index;
    Worker& looks;
    ConfigChange& change;
    const ArchiveStore& store;
  };
  Pump(Parts parts, Fd end_signals, std::chrono::milliseconds silence_max)
      : parts_(parts),
        receiver_(parts.receiver),
        end_signals_(std::move(end_signals)),
        silence_max_(silence_max) {}

  Result<void> run() {
    for (;;) {
      TRY(take_input());
      if (receiver_.next_look() <= parts_.clock.now()) {
        receiver_.look(parts_.clock.now());
      }
      TRY(give_output());
      if (receiver_.ended() && drained_ && !stream_.has_output()) {
        return {};
      }
      TRY_ASSIGN(const bool more, wait());
      if (!more) {
        return {};
      }
      TRY(check_configuration());
      TRY(check_archive());
    }
  }

 private:
  // Stops in between while the sender does not take our answers.
  Result<void> take_input() {
    while (!receiver_.ended() && stream_.wants_output()) {
      Result<std::optional<Message>> message = stream_.next();
      if (!message.ok()) {
        stream_.send(Failure{message.error()});
        std::ignore = stream_.flush();  // as far as it goes: the session is over
        return message.error();
      }
      if (!message.value().has_value()) {
        return {};
      }
      receiver_.on_message(std::move(*message.value()));
      TRY(give_output());
    }
    return {};
  }

  // As much as the stream wants now; what is left comes after a look at the input, so that a large
  // file on its way out keeps nobody waiting.
  Result<void> give_output() {
    drained_ = false;
    while (!drained_ && stream_.wants_output()) {
      if (const std::optional<Message> message = receiver_.next_output(); message.has_value()) {
        stream_.send(*message);
      } else {
        drained_ = true;
      }
    }
    return stream_.flush();
  }

  // False at the end of the session.
  Result<bool> wait() {
    const bool reads = !receiver_.ended() && stream_.wants_output();
    const bool busy = !drained_ && stream_.wants_output();
    std::array<pollfd, 5> fds{{{reads ? STDIN_FILENO : -1, POLLIN, 0},
                               {stream_.has_output() ? STDOUT_FILENO : -1, POLLOUT, 0},
                               {end_signals_.get(), POLLIN, 0},
                               {parts_.looks.event_fd(), POLLIN, 0},
                               {parts_.index.fd(), POLLIN, 0}}};
    const TimePoint wake_at = std::min<TimePoint>(heard_ + silence_max_, receiver_.next_look());
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(wake_at - parts_.clock.now());
    if (::poll(fds.data(), fds.size(),
               busy ? 0 : static_cast<int>(std::max<std::int64_t>(left.count(), 0))) < 0 &&
        errno != EINTR) {
      return errno_error("wait for the sender", errno);
    }
    if (fds[2].revents != 0) {
      return false;
    }
    if (fds[3].revents != 0) {
      parts_.looks.drain();
    }
    if (fds[4].revents != 0) {
      parts_.index.on_changes();
    }
    if (fds[0].revents != 0 || fds[1].revents != 0 || busy) {
      heard_ = parts_.clock.now();
    }
    if (fds[0].revents != 0) {
      return stream_.receive();
    }
    if (parts_.clock.now() - heard_ >= silence_max_) {
      return Error{Errc::kTimeout, "the sender has been silent for too long", ""};
    }
    return true;
  }

  // The sender knows this node by what was said in the greeting: a new session says it anew. The
  // daemon of this node takes a new configuration by a restart, of which nobody here hears.
  Result<void> check_configuration() {
    if (!parts_.change.has_happened(parts_.clock.now())) {
      return {};
    }
    return end_with({Errc::kRetry, "the configuration of this node has changed", ""});
  }

  // A file system that was unmounted, or an archive that was replaced: the next receiver finds out.
  Result<void> check_archive() {
    if (parts_.clock.now() < look_at_archive_) {
      return {};
    }
    look_at_archive_ = parts_.clock.now() + kArchiveLookInterval;
    const Result<void> same = parts_.store.check_directory();
    return same.ok() ? Result<void>() : end_with(same.error());
  }

  Error end_with(const Error& error) {
    stream_.send(Failure{error});
    std::ignore = stream_.flush();  // as far as it goes
    return error;
  }

  const Parts parts_;
  Receiver& receiver_;
  const Fd end_signals_;
  const std::chrono::milliseconds silence_max_;
  TimePoint heard_ = parts_.clock.now();  // the sender sent, or took what we sent
  MessageStream stream_{STDIN_FILENO, STDOUT_FILENO};
  bool drained_ = true;
  TimePoint look_at_archive_{};
};

Result<void> check_sender(const Config& config, const std::string& from) {
  const std::optional<NodeId> sender = config.nodes.find(from);
  if (!sender.has_value()) {
    return Error{Errc::kInvalid, "--from '" + from + "' is no node of '" + config.path + "'",
                 "correct the forced command of this key in authorized_keys"};
  }
  if (*sender == config.nodes.self) {
    return Error{Errc::kInvalid, "--from '" + from + "' is this node itself",
                 "the forced command in authorized_keys names the node that the key belongs to"};
  }
  return {};
}

// sshd tells the original command only to a forced one. Without a force this key runs any command,
// and a peer that is broken into is this node broken into (G6).
Result<void> check_forced() {
  const bool by_sshd =
      std::getenv("SSH_CONNECTION") != nullptr && std::getenv("SSH_TTY") == nullptr;
  if (by_sshd && std::getenv("SSH_ORIGINAL_COMMAND") == nullptr) {
    return Error{Errc::kInvalid, "the key that logs in may run any command on this node",
                 "give it a forced command in authorized_keys: "
                 "restrict,command=\"" PGWALSHIP_CLIENT_PATH
                 " receive --from NODE\" ssh-ed25519 ..."};
  }
  return {};
}

// A daemon has been here. Without one this may be the directory beneath an archive that is not
// mounted: what is put there would be acknowledged, and gone when it is mounted again.
Result<void> check_archive(FileSystem& file_system, const std::string& directory) {
  const auto state = file_system.stat(ArchiveLayout(directory).state_directory());
  if (state.ok() || state.error().code != Errc::kNotFound) {
    return {};
  }
  return Error{Errc::kIo, "there is no archive in '" + directory + "' on this node",
               "mount its file system there; on a new node start pgwalshipd first"};
}

Hello receiver_hello(const Config& config) {
  Hello hello;
  hello.role = Role::kReceiver;
  hello.software = "pgwalship " PGWALSHIP_VERSION;
  hello.cluster = config.cluster.name;
  hello.node = config.node_name;
  hello.config_digest = config_digest(config);
  hello.compression_level = static_cast<std::uint8_t>(config.archive.compression_level);
  return hello;
}

Result<void> receive(const Config& config, const std::string& from) {
  TRY(check_forced());
  TRY(check_sender(config, from));
  TRY_ASSIGN(Fd end_signals, watch_for_end_signals());
  TRY(make_non_blocking(STDIN_FILENO));
  TRY(make_non_blocking(STDOUT_FILENO));
  PosixFileSystem file_system;
  std::random_device entropy;
  ArchiveStore store(file_system, {.directory = config.archive.directory,
                                   .minimum_free_bytes = config.archive.minimum_free_bytes,
                                   .seed = std::uint64_t{entropy()} << 32 | entropy()});
  TRY(check_archive(file_system, config.archive.directory));
  TRY(store.prepare());
  const SystemClock clock;
  // A thread of its own: a scan may take long, and the sender's Pings must be answered.
  auto looks = std::make_unique<Worker>(kLooksMax);
  LiveIndex index(
      file_system, clock,
      {.directory = config.archive.directory,
       .names = LiveIndex::Names::kDurable,
       .seed = entropy(),
       .note_vanished =
           [&store](std::vector<WalName> names) { return store.note_vanished(std::move(names)); }},
      [&looks](Worker::Job job) { return looks->post(std::move(job)); });
  if (auto watch = DirectoryWatch::open(config.archive.directory); watch.ok()) {
    // Without one each comparison scans.
    index.watch(std::make_unique<DirectoryWatch>(std::move(watch).value()));
  }
  std::unique_ptr<OfferedFiles> offered;
  if (config.postgres.acknowledge_from_pg_wal) {
    offered = std::make_unique<OfferedFiles>(
        file_system, store,
        OfferedFiles::Options{config.postgres.data_directory, config.archive.compression_level});
  }
  Receiver receiver(store, index, receiver_hello(config), from, std::move(offered));
  receiver.look_at_machine_with([&]() -> Result<MachineFacts> {
    TRY_ASSIGN(const std::uint64_t free, store.free_bytes());
    const auto clock_us =
        std::chrono::duration_cast<std::chrono::microseconds>(clock.wall().time_since_epoch());
    return MachineFacts{0, static_cast<std::uint64_t>(clock_us.count()), free,
                        config.archive.minimum_free_bytes};
  });
  ConfigChange change(file_system, config, entropy());
  const std::chrono::milliseconds silence =
      std::max(kSilenceMin, config.ssh.keepalive * kSilentKeepalives);
  Result<void> ended =
      Pump({clock, receiver, index, *looks, change, store}, std::move(end_signals), silence).run();
  looks.reset();  // its jobs use the index
  return ended;
}

int receive_failure() {
  return kFailed;
}

int run_receive(const Invocation& invocation) {
  ::umask(077);
  const auto arguments = parse_arguments({.values = {"from"}}, invocation.arguments);
  if (!arguments.ok()) {
    print_reason("pgwalship receive", arguments.error());
    return kUsage;
  }
  const std::string& from = arguments.value().values.at("from");
  const std::string who = "pgwalship receive --from " + from;
  const auto config = load_config(find_config_path(invocation.config_path));
  if (!config.ok()) {
    print_reason(who, config.error());
    return kUsage;
  }
  if (const auto ended = receive(config.value(), from); !ended.ok()) {
    print_reason(who, ended.error());
    return ended.error().code == Errc::kInvalid ? kUsage : kFailed;
  }
  return kEnded;
}

}  // namespace

const Verb kReceiveVerb{
    .name = "receive",
    .synopsis = "receive --from NODE",
    .summary = "serve a peer's link; the forced command of its key in authorized_keys",
    .help =
        "restrict,command=\"" PGWALSHIP_CLIENT_PATH
        " receive --from NODE\" ssh-ed25519 ...\n"
        "\n"
        "Talks to the daemon of NODE over standard input and output (docs/protocol.md). It can\n"
        "add to this node's archive, read it and list it; it cannot delete or change anything.\n"
        "\n"
        "Exit status: 0 the sender ended the session, 1 failure, 2 wrong command line or\n"
        "configuration.\n",
    .run = run_receive,
    .failure_status = receive_failure};

}  // namespace pgwalship
