#include "cmd/fetch_command.h"

#include "base/posix_file_system.h"
#include "cmd/command_line.h"
#include "cmd/daemon_call.h"
#include "cmd/emergency_exit.h"
#include "cmd/fetch_budget.h"
#include "cmd/paths.h"
#include "cmd/verbs.h"
#include "restorer/placement.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <tuple>
#include <unistd.h>

namespace pgwalship {
namespace {

constexpr std::uint64_t kFetchId = 1;  // the only request of the connection
constexpr std::uint64_t kRelayId = 2;  // and those after it
constexpr std::chrono::milliseconds kSignalsLook{100};
constexpr std::chrono::milliseconds kStartLimit{10'000};  // until the configuration is read
constexpr std::chrono::milliseconds kPauseMin{200};
constexpr std::chrono::milliseconds kPauseMax{2'000};

enum class Told {
  kAlways,
  kNotToStandby,  // a standby asks every few seconds and gets the same answer each time (H48)
};

struct Finding {
  FetchVerdict verdict = FetchVerdict::kFound;
  Error error;  // unless kFound
  Told told = Told::kAlways;
};

Finding unknown(Error error) {
  return {FetchVerdict::kUnknown, std::move(error)};
}

class Fetch {
 public:
  Fetch(const Config& config, const FetchBudget& budget, WalName name, std::string destination)
      : config_(config),
        budget_(budget),
        start_(clock_.now()),
        deadline_(start_ + budget.total),
        retry_until_(start_ + budget.retry),
        placement_{std::move(name), std::move(destination), deadline_},
        store_(file_system_, {.directory = config.archive.directory}),
        spool_(file_system_, {.directory = config.archive.directory,
                              .boot = ::geteuid() == 0 ? "" : boot_of_machine(file_system_)}) {}

  Finding run() {
    std::chrono::milliseconds pause = kPauseMin;
    for (;;) {
      Finding finding = try_once();
      if (finding.verdict != FetchVerdict::kUnknown || clock_.now() + pause >= retry_until_) {
        return finding;
      }
      pause_for(pause);
      pause = std::min(pause * 2, kPauseMax);
    }
  }

 private:
  using Outcome = PlacementResult::Outcome;

  Finding try_once() {
    const PlacementResult local = place();
    switch (local.outcome) {
      case Outcome::kPlaced:
        if (const auto hint = restored(local)) {
          leave_hint(config_.daemon.socket, client_hello(config_), *hint);
        }
        return {};
      case Outcome::kFailed:
        return unknown(local.error);
      case Outcome::kMissing:
      case Outcome::kCorrupt:
      case Outcome::kUnreadable:
        break;
    }
    return config_.nodes.size() <= 1 ? judge_alone(local) : ask_daemon(local);
  }

  PlacementResult place() {
    return place_from_archive(file_system_, store_, spool_, clock_, placement_);
  }

  // There are no peers: what this archive says is all there is to know.
  Finding judge_alone(const PlacementResult& local) {
    if (local.outcome == Outcome::kCorrupt) {
      return {FetchVerdict::kCorrupt, local.error};
    }
    if (local.outcome == Outcome::kUnreadable) {
      return unknown(local.error);
    }
    if (const Result<void> vouched = archive_is_there(); !vouched.ok()) {
      return unknown(vouched.error());
    }
    return {FetchVerdict::kAbsent,
            Error{Errc::kNotFound, "it is not in the archive '" + store_.directory() + "'", ""},
            Told::kNotToStandby};
  }

  // The empty directory under a file system that is not mounted proves nothing.
  Result<void> archive_is_there() {
    const ArchiveLayout layout(store_.directory());
    if (file_system_.stat(layout.state_directory()).ok()) {
      return {};
    }
    const auto names = store_.list();
    if (names.ok() && !names.value().empty()) {
      return {};
    }
    return Error{Errc::kRetry,
                 "the archive '" + store_.directory() + "' " +
                     (names.ok() ? "is empty and was never in use"
                                 : "cannot be read: " + names.error().message),
                 "is its file system mounted? Once pgwalshipd has run there, what it lacks counts "
                 "as absent"};
  }

  Finding ask_daemon(const PlacementResult& local) {
    const TimePoint greeted_by = std::min(deadline_, clock_.now() + budget_.greeting);
    auto daemon = connect_daemon(config_, clock_, greeted_by, budget_.if_down);
    if (!daemon.ok()) {
      return unknown(not_from_here(local, daemon.error()));
    }
    Result<FetchResult> answer = request(*daemon.value());
    if (!answer.ok()) {
      return unknown(not_from_here(local, answer.error()));
    }
    return judge(*daemon.value(), local, std::move(answer).value());
  }

  // What the daemon may be told so that it gets the next segments ready; nothing where it would
  // not.
  std::optional<Restored> restored(const PlacementResult& placed) const {
    if (config_.restore.prefetch == 0 || placement_.name.kind() != WalKind::kSegment) {
      return std::nullopt;
    }
    return Restored{placement_.name, static_cast<std::uint32_t>(placed.raw_bytes)};
  }

  Result<FetchResult> request(DaemonClient& daemon) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - clock_.now());
    const auto wait = std::clamp(left - kAnswerReserve, std::chrono::milliseconds(0), budget_.wait);
    TRY(daemon.send(
        pgwalship::Fetch{kFetchId, placement_.name, static_cast<std::uint32_t>(wait.count())},
        deadline_));
    for (;;) {
      TRY_ASSIGN(Message message, daemon.receive(deadline_));
      if (auto* result = std::get_if<FetchResult>(&message);
          result != nullptr && result->id == kFetchId) {
        return std::move(*result);
      }
    }
  }

  Finding judge(DaemonClient& daemon, const PlacementResult& local, FetchResult answer) {
    Error said{Errc::kNotFound, std::move(answer.message), std::move(answer.hint)};
    switch (answer.verdict) {
      case FetchVerdict::kFound:
        return place_what_came(daemon);
      case FetchVerdict::kAbsent:
        // The daemon may have looked after a bad copy was moved away: that copy existed.
        if (local.outcome == Outcome::kCorrupt) {
          return {FetchVerdict::kCorrupt, not_from_here(local, said)};
        }
        if (local.outcome == Outcome::kUnreadable) {
          return unknown(not_from_here(local, said));
        }
        return {FetchVerdict::kAbsent, std::move(said), Told::kNotToStandby};
      case FetchVerdict::kUnknown:
        return {FetchVerdict::kUnknown, not_from_here(local, said),
                local.outcome == Outcome::kMissing ? Told::kNotToStandby : Told::kAlways};
      case FetchVerdict::kCorrupt:
        return {FetchVerdict::kCorrupt, std::move(said)};
      case FetchVerdict::kNoRoom:
        return place_as_it_comes(daemon, local, said);
    }
    return unknown(said);
  }

  Finding place_what_came(DaemonClient& daemon) {
    const PlacementResult placed = place();
    switch (placed.outcome) {
      case Outcome::kPlaced:
        if (const auto hint = restored(placed)) {
          std::ignore = daemon.send(*hint, clock_.now());  // it is only a hint
        }
        return {};
      case Outcome::kCorrupt:
        return {FetchVerdict::kCorrupt, placed.error};
      case Outcome::kMissing:
      case Outcome::kUnreadable:
      case Outcome::kFailed:
        break;
    }
    return unknown(placed.error);
  }

  // The local archive has no room: what a peer has is placed without it.
  Finding place_as_it_comes(DaemonClient& daemon, const PlacementResult& local, Error said) {
    bool corrupt = false;
    for (std::size_t attempt = 0; attempt + 1 < config_.nodes.size(); ++attempt) {
      StreamedPlacement streamed(file_system_, clock_, placement_);
      const Result<void> whole = receive_copy(daemon, kRelayId + attempt, streamed);
      if (!whole.ok()) {
        said.message += "; and from there: " + whole.error().message;
        break;
      }
      const PlacementResult placed = streamed.finish();
      if (placed.outcome == Outcome::kPlaced) {
        return {};
      }
      said.message += "; that copy: " + placed.error.message;
      corrupt = placed.outcome == Outcome::kCorrupt;
      if (!corrupt) {
        break;
      }
    }
    return {corrupt ? FetchVerdict::kCorrupt : FetchVerdict::kUnknown, not_from_here(local, said)};
  }

  Result<void> receive_copy(DaemonClient& daemon, std::uint64_t id, StreamedPlacement& streamed) {
    TRY(daemon.send(Get{id, placement_.name}, deadline_));
    for (;;) {
      // In short steps, because signals are held back while the temporary file exists.
      const Result<Message> message =
          daemon.receive(std::min<TimePoint>(deadline_, clock_.now() + kSignalsLook));
      TRY(streamed.check_signals());
      if (!message.ok()) {
        if (message.error().code == Errc::kTimeout && clock_.now() < deadline_) {
          continue;
        }
        return message.error();
      }
      if (const auto* begin = std::get_if<GetBegin>(&message.value()); begin && begin->id == id) {
        TRY(streamed.begin());
      } else if (const auto* data = std::get_if<Data>(&message.value()); data && data->id == id) {
        TRY(streamed.append(data->bytes));
      } else if (const auto* end = std::get_if<GetEnd>(&message.value()); end && end->id == id) {
        return {};
      } else if (const auto* done = std::get_if<Done>(&message.value()); done && done->id == id) {
        return done->error ? *done->error : Error{Errc::kProtocol, "no file came", ""};
      }
    }
  }

  static Error not_from_here(const PlacementResult& local, const Error& elsewhere) {
    if (local.outcome == Outcome::kMissing) {
      return elsewhere;
    }
    return Error{elsewhere.code,
                 "the local copy is bad (" + local.error.message + "), and " + elsewhere.message,
                 elsewhere.hint};
  }

  const Config& config_;
  const FetchBudget& budget_;
  SystemClock clock_;
  PosixFileSystem file_system_;
  const TimePoint start_;
  const TimePoint deadline_;
  const TimePoint retry_until_;
  Placement placement_;
  ArchiveStore store_;
  Spool spool_;  // root gets a file of its own
};

RecoveryMode mode_here() {
  const PosixFileSystem file_system;
  const Result<std::string> directory = working_directory();
  return directory.ok() ? find_recovery_mode(file_system, directory.value())
                        : RecoveryMode::kRecovery;
}

bool is_too_old_here() {
  const Result<std::string> directory = working_directory();
  return directory.ok() && is_before_signal_files(PosixFileSystem(), directory.value());
}

int fetch_failure() {
  return to_status(fetch_exit(FetchVerdict::kUnknown, mode_here()));
}

int run_fetch(const Invocation& invocation) {
  limit_run_time(kStartLimit);
  const RecoveryMode mode = mode_here();
  const auto refuse = [mode](const std::string& who, const Error& error) {
    print_reason(who, error);
    return to_status(fetch_usage_exit(mode));
  };
  const auto arguments = parse_arguments({.positionals = {"NAME", "PATH"}}, invocation.arguments);
  if (!arguments.ok()) {
    return refuse("pgwalship fetch", arguments.error());
  }
  const auto name = WalName::parse(arguments.value().values.at("NAME"));
  if (!name.ok()) {
    return refuse("pgwalship fetch", name.error());
  }
  const std::string who = "pgwalship fetch " + name.value().text();
  if (is_too_old_here()) {
    return refuse(who,
                  Error{Errc::kInvalid,
                        "a recovery.conf is here: standby and point-in-time recovery cannot be "
                        "told apart",
                        "pgwalship fetch needs PostgreSQL 12 or newer, with its signal files"});
  }
  const auto destination = absolute_path(arguments.value().values.at("PATH"));
  if (!destination.ok()) {
    return refuse(who, destination.error());
  }
  const auto config = load_client_config(invocation.config_path);
  if (!config.ok()) {
    return refuse(who, config.error());
  }
  const FetchBudget budget =
      fetch_budget(mode, name.value().kind(), config.value().restore.fetch_timeout);
  limit_run_time(budget.watchdog);
  const Finding finding = Fetch(config.value(), budget, name.value(), destination.value()).run();
  if (finding.verdict != FetchVerdict::kFound &&
      (finding.told == Told::kAlways || mode != RecoveryMode::kStandby)) {
    print_reason(who, finding.error);
  }
  return to_status(fetch_exit(finding.verdict, mode));
}

}  // namespace

const Verb kFetchVerb{
    .name = "fetch",
    .synopsis = "fetch NAME PATH",
    .summary = "bring a file back; for restore_command",
    .help =
        "restore_command = 'pgwalship fetch %f %p'\n"
        "\n"
        "Looks in the local archive, with or without the daemon, then on the peers, and places\n"
        "the file at PATH when it is verified. The working directory tells who asks: a standby\n"
        "(standby.signal), a point-in-time recovery (recovery.signal alone), or a person.\n"
        "\n"
        "Exit status:\n"
        "  0    found, verified and in place\n"
        "  1    proven absent. For a standby or a person also: not found, or corrupt\n"
        "  2    wrong command line or configuration\n"
        "  255  point-in-time recovery only: anything that is not a proof of absence, after\n"
        "       fetch-timeout; PostgreSQL then stops instead of ending recovery too early\n",
    .run = run_fetch,
    .failure_status = fetch_failure};

}  // namespace pgwalship
