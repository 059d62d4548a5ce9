#include "base/posix_file_system.h"
#include "cmd/command_line.h"
#include "cmd/daemon_call.h"
#include "cmd/emergency_exit.h"
#include "cmd/exit_status.h"
#include "cmd/paths.h"
#include "cmd/push_source.h"
#include "cmd/verbs.h"

#include <future>

namespace pgwalship {
namespace {

constexpr std::uint64_t kPutId = 1;  // the only request of the connection
// The daemon answers at push-timeout; this much later its silence is believed, and again this much
// later nothing else than the system can be in the way.
constexpr std::chrono::milliseconds kGrace{1000};
constexpr std::chrono::milliseconds kStartLimit{10'000};  // until the configuration is read

// The conversation about one file.
class Delivery {
 public:
  Delivery(DaemonClient& daemon, TimePoint deadline) : daemon_(daemon), deadline_(deadline) {}

  Result<Done> run(const PushSource& source, const WalName& name) {
    const int level = daemon_.theirs().compression_level;
    const PushSource::Recipient recipient{
        .announce =
            [&](const FileFacts& facts) {
              return send(Put{kPutId, name, 0, facts});
            },
        .sink =
            [this](ByteView piece) {
              return send(Data{kPutId, Bytes(piece.begin(), piece.end())});
            }};
    // Where the system has no thread to give, this is measured when compress() asks for it.
    auto measuring = std::async([&source] { return source.measure(); });
    TRY_ASSIGN(const std::optional<std::uint32_t> file_crc32,
               source.compress(level >= 1 && level <= 9 ? level : kGzipLevelDefault,
                               std::move(measuring), recipient));
    if (file_crc32.has_value()) {
      TRY(send(PutEnd{kPutId, *file_crc32}));
    }
    return wait_for_verdict();
  }

 private:
  using Next = PushSource::Next;

  // Stops when the daemon has answered already. It may also have hung up after that.
  Result<Next> send(const Message& message) {
    const Result<void> sent = daemon_.send(message, deadline_);
    const Result<bool> answered = daemon_.has_message();
    if (answered.ok() && answered.value()) {
      return Next::kStop;
    }
    TRY(sent);
    TRY(answered);
    return Next::kGoOn;
  }

  Result<Done> wait_for_verdict() {
    for (;;) {
      TRY_ASSIGN(Message message, daemon_.receive(deadline_));
      if (auto* done = std::get_if<Done>(&message); done != nullptr && done->id == kPutId) {
        return std::move(*done);
      }
    }
  }

  DaemonClient& daemon_;
  const TimePoint deadline_;
};

Result<Done> push(const Config& config, const std::string& path, const WalName& name) {
  const SystemClock clock;
  PosixFileSystem file_system;
  const TimePoint start = clock.now();
  const TimePoint deadline = start + config.cluster.push_timeout + kGrace;
  TRY_ASSIGN(const std::string full_path, absolute_path(path));
  TRY_ASSIGN(const auto daemon,
             connect_daemon(config, clock, std::min(deadline, start + kRestartPatience),
                            IfDown::kTryAgain));
  TRY_ASSIGN(const PushSource source,
             PushSource::open(file_system, {.path = full_path,
                                            .name = name,
                                            .origin = daemon->theirs().node,
                                            .system_id = daemon->theirs().system_id}));
  return Delivery(*daemon, deadline).run(source, name);
}

int push_failure() {
  return to_status(PushExit::kRetry);
}

int fail(const std::string& who, const Error& error) {
  print_reason(who, error);
  return to_status(push_exit(error.code));
}

int run_push(const Invocation& invocation) {
  limit_run_time(kStartLimit);
  const auto arguments = parse_arguments({.positionals = {"PATH", "NAME"}}, invocation.arguments);
  if (!arguments.ok()) {
    return fail("pgwalship push", arguments.error());
  }
  const std::string& text = arguments.value().values.at("NAME");
  const std::string who = "pgwalship push " + text;
  const auto name = WalName::parse(text);
  if (!name.ok()) {
    return fail("pgwalship push", name.error());
  }
  const auto config = load_client_config(invocation.config_path);
  if (!config.ok()) {
    return fail(who, config.error());
  }
  limit_run_time(config.value().cluster.push_timeout + 2 * kGrace);
  const auto done = push(config.value(), arguments.value().values.at("PATH"), name.value());
  if (!done.ok()) {
    return fail(who, done.error());
  }
  if (done.value().error.has_value()) {
    return fail(who, *done.value().error);
  }
  if (!done.value().warning.empty()) {
    print_reason(who, Error{Errc::kRetry, "warning: " + done.value().warning, ""});
  }
  return to_status(PushExit::kDurable);
}

}  // namespace

const Verb kPushVerb{
    .name = "push",
    .synopsis = "push PATH NAME",
    .summary = "archive a file; for archive_command",
    .help =
        "archive_command = 'pgwalship push %p %f'\n"
        "\n"
        "Ends when the file is durable in the local archive and on the peers that the quorum\n"
        "asks for, or when push-timeout has passed.\n"
        "\n"
        "Exit status:\n"
        "  0  durable on the quorum: PostgreSQL may recycle the file\n"
        "  1  not now (peer, quorum, time limit, daemon): PostgreSQL tries again\n"
        "  2  wrong command line or configuration, wrong name, or a file that does not fit it\n"
        "  3  the archive holds other content under this name\n"
        "  4  no space left in the local archive, or on peers that the quorum needs\n",
    .run = run_push,
    .failure_status = push_failure};

}  // namespace pgwalship
