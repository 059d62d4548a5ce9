#include "base/fd.h"
#include "base/posix_file_system.h"
#include "base/words.h"
#include "cmd/command_line.h"
#include "cmd/daemon_call.h"
#include "cmd/emergency_exit.h"
#include "cmd/file_push.h"
#include "cmd/paths.h"
#include "cmd/rescue_plan.h"
#include "cmd/terminal.h"
#include "cmd/verbs.h"

#include <string>
#include <tuple>
#include <unistd.h>

namespace pgwalship {
namespace {

constexpr int kAllSafe = 0;
constexpr int kNotShipped = 1;
constexpr int kUsage = 2;
constexpr int kConflicts = 3;

// So many files in a row that could not be shipped now: the next would fail in the same way, each
// after push-timeout.
constexpr int kFailuresInRowMax = 3;

void say(const std::string& text) {
  std::ignore = write_full(STDOUT_FILENO, as_bytes(text), "write");  // nobody may be listening
}

class Rescue {
 public:
  enum class Mode { kShip, kDryRun };

  Rescue(const Config& config, std::string path, Mode mode)
      : config_(config),
        mode_(mode),
        directory_(file_system_, std::move(path)),
        archive_(file_system_, {.directory = config.archive.directory}) {}

  Result<int> run() {
    TRY_ASSIGN(const std::uint64_t system_id, check_server());
    TRY_ASSIGN(const RescuePlan plan, plan_rescue(file_system_, directory_, archive_, system_id,
                                                  [this](const WalName& name) {
                                                    progress_.show_text("reading " + name.text());
                                                  }));
    progress_.clear();
    for (const std::string& line : plan.left_out) {
      say(line + "\n");
    }
    for (const RescueLoss& loss : plan.lost) {
      say(words_for(loss.name, loss.is_ready) + ": NOT SHIPPED: " + loss.why + "\n");
    }
    lost_ = plan.lost.size();
    failed_ = lost_;
    std::size_t number = 0;
    for (const RescueFile& file : plan.files) {
      ++number;
      progress_.show({.what = "shipping",
                      .done = number - 1,
                      .all = plan.files.size(),
                      .now = file.name.text()});
      ship(file);
      if (failures_in_row_ == kFailuresInRowMax) {
        failed_ += plan.files.size() - number;
        say("giving up after " + std::to_string(kFailuresInRowMax) + " failures in a row\n");
        break;
      }
    }
    progress_.clear();
    say(summary());
    return failed_ > 0 ? kNotShipped : conflicts_ > 0 ? kConflicts : kAllSafe;
  }

 private:
  // The system identifier, after all that speaks against a rescue.
  Result<std::uint64_t> check_server() {
    const Result<std::uint64_t> read = directory_.system_id();
    if (!read.ok()) {
      const Error& error = read.error();
      return Error{error.code, error.message,
                   !error.hint.empty() ? error.hint
                                       : "name the data directory of a server, which has "
                                         "PG_VERSION in it"};
    }
    const std::uint64_t system_id = read.value();
    if (const std::optional<int> pid = directory_.running_server()) {
      return Error{Errc::kInvalid,
                   "a server runs in '" + directory_.path() + "', process " + std::to_string(*pid),
                   "it archives by itself: rescue is for servers that are stopped or dead"};
    }
    TRY_ASSIGN(const std::uint64_t pinned, archive_.system_id());
    if (pinned != 0 && pinned != system_id) {
      return Error{Errc::kInvalid,
                   "'" + directory_.path() +
                       "' is of the PostgreSQL cluster with system identifier " +
                       std::to_string(system_id) + ", the archive '" + archive_.directory() +
                       "' is of " + std::to_string(pinned),
                   "give each PostgreSQL cluster an archive of its own"};
    }
    return system_id;
  }

  void ship(const RescueFile& file) {
    const bool was_there = archive_.open(file.name).ok();
    const std::string name = words_for(file.name, file.is_ready);
    if (mode_ == Mode::kDryRun) {
      ++(was_there ? there_ : shipped_);
      if (!was_there) {
        tell(name + ": would be shipped");
      }
      return;
    }
    const Result<Done> done = push_file(config_, file.path, file.name);
    const std::optional<Error> error = !done.ok() ? done.error() : done.value().error;
    if (!error.has_value()) {
      failures_in_row_ = 0;
      ++(was_there ? there_ : shipped_);
      if (!was_there) {
        tell(name + ": shipped");
      }
    } else if (error->code == Errc::kConflict) {
      failures_in_row_ = 0;
      ++conflicts_;
      tell(name + ": CONFLICT: " + error->message);
    } else {
      ++failures_in_row_;
      ++failed_;
      tell(name + ": NOT SHIPPED: " + error->text());
    }
  }

  static std::string words_for(const WalName& name, bool is_ready) {
    return name.text() + (is_ready ? " (ready)" : "");
  }

  void tell(const std::string& line) {
    progress_.clear();
    say(line + "\n");
  }

  std::string summary() const {
    std::string text = counted(shipped_, "file") +
                       (mode_ == Mode::kDryRun ? " would be shipped, " : " shipped, ") +
                       std::to_string(there_) + " in the archive already, " +
                       counted(conflicts_, "conflict") + ", " + std::to_string(failed_) +
                       " not shipped\n";
    if (conflicts_ > 0) {
      text +=
          "HINT: `pgwalship conflicts` shows who wrote what; this server's files are kept in "
          "quarantine\n";
    }
    if (failed_ > 0) {
      text += "Keep '" + directory_.path() + "' as it is, and run this again.\n";
    }
    if (lost_ > 0) {
      text +=
          "HINT: another node may have what cannot be read here: `pgwalship fetch NAME /tmp/NAME` "
          "brings it into the archive; to give a file up for good, move it and its mark out of '" +
          directory_.pg_wal() + "'\n";
    }
    return text;
  }

  const Config& config_;
  const Mode mode_;
  PosixFileSystem file_system_;
  const DataDirectory directory_;
  const ArchiveStore archive_;
  const SystemClock clock_;
  ProgressLine progress_{clock_};
  std::size_t shipped_ = 0;
  std::size_t there_ = 0;
  std::size_t conflicts_ = 0;
  std::size_t failed_ = 0;
  std::size_t lost_ = 0;  // of the failed ones, those that cannot be read
  int failures_in_row_ = 0;
};

int rescue_failure() {
  return kNotShipped;
}

int run_rescue(const Invocation& invocation) {
  const auto fail = [](const Error& error) {
    print_reason("pgwalship rescue", error);
    const bool is_usage = error.code == Errc::kInvalid || error.code == Errc::kNotFound;
    return is_usage ? kUsage : kNotShipped;
  };
  const auto arguments =
      parse_arguments({.positionals = {"PGDATA"}, .flags = {"dry-run"}}, invocation.arguments);
  if (!arguments.ok()) {
    return fail(arguments.error());
  }
  const auto config = load_client_config(invocation.config_path);
  if (!config.ok()) {
    return fail(config.error());
  }
  const auto path = absolute_path(arguments.value().values.at("PGDATA"));
  if (!path.ok()) {
    return fail(path.error());
  }
  const auto mode =
      arguments.value().flags.contains("dry-run") ? Rescue::Mode::kDryRun : Rescue::Mode::kShip;
  const Result<int> status = Rescue(config.value(), path.value(), mode).run();
  return status.ok() ? status.value() : fail(status.error());
}

}  // namespace

const Verb kRescueVerb{
    .name = "rescue",
    .synopsis = "rescue PGDATA [--dry-run]",
    .summary = "ship what a stopped or dead server still holds in pg_wal",
    .help =
        "Before pg_rewind, pg_basebackup or removing PGSQL.lock destroys it. Ships every finished\n"
        "segment of PGDATA/pg_wal, its .history and .backup files, and a last segment that is not\n"
        "finished as NAME.partial, each as `pgwalship push` would. PGDATA is not changed.\n"
        "\n"
        "  --dry-run   only say what would be shipped\n"
        "\n"
        "Exit status:\n"
        "  0  all of it is durable on the quorum\n"
        "  1  something could not be shipped: run it again; or what PostgreSQL has marked .ready\n"
        "     cannot be read or is missing, which no other run changes: a hint says what to do\n"
        "  2  wrong command line or configuration, a running server, another cluster's directory\n"
        "  3  the archive holds other content under some of the names; the rest is safe\n",
    .run = run_rescue,
    .failure_status = rescue_failure};

}  // namespace pgwalship
