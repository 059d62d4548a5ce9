#include "base/fd.h"
#include "base/posix_file_system.h"
#include "base/worker.h"
#include "cmd/command_line.h"
#include "cmd/daemon_call.h"
#include "cmd/emergency_exit.h"
#include "cmd/terminal.h"
#include "cmd/verbs.h"
#include "cmd/verify_report.h"
#include "wal/archive_layout.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <poll.h>
#include <sched.h>
#include <sys/resource.h>
#include <tuple>
#include <unistd.h>

namespace pgwalship {
namespace {

constexpr int kGood = 0;
constexpr int kProblems = 1;
constexpr int kUsage = 2;

// PostgreSQL and the daemon go first.
constexpr int kNice = 10;
// Each reader needs up to 33 MiB, and more than so many do not get more out of a disk.
constexpr std::size_t kReadersMax = 8;
// Files that a reader has been given: enough to never wait for us.
constexpr std::size_t kPostedMax = 4;
constexpr std::chrono::milliseconds kProgressInterval{200};
constexpr std::chrono::milliseconds kGreetingTime{5'000};
// The largest segment over a slow line.
constexpr std::chrono::minutes kRepairTime{30};
constexpr std::uint32_t kSilentPeersMs = 3'000;

std::size_t readers_allowed() {
  cpu_set_t cpus;
  if (::sched_getaffinity(0, sizeof cpus, &cpus) != 0) {
    return 1;
  }
  return std::clamp<std::size_t>(static_cast<std::size_t>(CPU_COUNT(&cpus)), 1, kReadersMax);
}

// What has a name of WAL and is no file: no list of the archive has it, and no put gets past it.
std::vector<Problem> find_no_files(const std::string& archive) {
  namespace fs = std::filesystem;
  std::vector<Problem> problems;
  std::error_code failed;
  for (fs::directory_iterator it(archive, failed), end; !failed && it != end;
       it.increment(failed)) {
    std::error_code ignored;
    const fs::file_type type = it->status(ignored).type();
    const auto name = ArchiveLayout::name_of_file(it->path().filename().string());
    if (name && type != fs::file_type::regular) {
      problems.push_back({Problem::Kind::kUnreadable,
                          name->text(),
                          type == fs::file_type::not_found   ? "it is a symbolic link to nothing"
                          : type == fs::file_type::directory ? "it is a directory"
                                                             : "it is no regular file",
                          "move it away by hand: while it has the name no file can",
                          {}});
    }
  }
  return problems;
}

// Reads the files on several threads and hands what it found to one.
class Readers {
 public:
  using OnChecked = std::function<void(const CheckedFile&)>;

  Readers(const ArchiveStore& store, std::uint64_t system_id, OnChecked on_checked)
      : store_(store), system_id_(system_id), on_checked_(std::move(on_checked)) {
    for (std::size_t i = readers_allowed(); i > 0; --i) {
      workers_.push_back(std::make_unique<Worker>(kPostedMax));
    }
  }

  void read(const std::vector<WalName>& names, const std::function<void()>& on_pause) {
    std::size_t next = 0;
    std::size_t open = 0;
    for (bool posted = true; next < names.size() || open > 0; posted = true) {
      while (posted && next < names.size()) {
        posted = false;
        for (const auto& worker : workers_) {
          if (next < names.size() && post(*worker, names[next], open)) {
            ++next;
            ++open;
            posted = true;
          }
        }
      }
      wait();
      for (const auto& worker : workers_) {
        worker->drain();
      }
      on_pause();
    }
  }

 private:
  bool post(Worker& worker, const WalName& name, std::size_t& open) {
    return worker.post([this, name, &open]() -> Worker::Completion {
      auto checked = std::make_shared<CheckedFile>(check_file(store_, name, system_id_));
      return [this, checked, &open] {
        --open;
        on_checked_(*checked);
      };
    });
  }

  void wait() {
    std::vector<pollfd> fds;
    for (const auto& worker : workers_) {
      fds.push_back({worker->event_fd(), POLLIN, 0});
    }
    ::poll(fds.data(), fds.size(), static_cast<int>(kProgressInterval.count()));
  }

  const ArchiveStore& store_;
  const std::uint64_t system_id_;
  const OnChecked on_checked_;
  std::vector<std::unique_ptr<Worker>> workers_;
};

class Verify {
 public:
  enum class Repair { kNo, kYes };
  enum class Form { kText, kJson };

  Verify(const Config& config, Repair repair, Form form)
      : config_(config),
        repair_(repair),
        form_(form),
        store_(file_system_, {.directory = config.archive.directory}) {}

  Result<int> run(std::vector<WalName> names) {
    const TimePoint began = clock_.now();
    const bool everything = names.empty();
    if (everything) {
      TRY_ASSIGN(names, store_.list());
      TRY(check_there(names));
    }
    TRY_ASSIGN(const std::uint64_t system_id, store_.system_id());
    Verification verification;
    Readers readers(store_, system_id, [&](const CheckedFile& checked) {
      ++totals_.files;
      totals_.bytes += checked.file_bytes;
      verification.add(checked);
      for (const Problem& problem : checked.problems) {
        take(problem);
      }
    });
    readers.read(names, [&] {
      totals_.time = std::chrono::duration_cast<std::chrono::milliseconds>(clock_.now() - began);
      progress_.show(
          {.what = "verified", .done = totals_.files, .all = names.size(), .bytes = totals_.bytes});
    });
    if (everything) {
      for (const Problem& problem : verification.problems()) {
        take(problem);
      }
      for (const Problem& problem : find_no_files(config_.archive.directory)) {
        take(problem);
      }
    }
    progress_.clear();
    print(form_ == Form::kJson ? verify_json(totals_, problems_)
                               : summary_line(totals_, problems_));
    const bool good = std::all_of(problems_.begin(), problems_.end(), [](const auto& each) {
      return each.state == VerifiedProblem::State::kRepaired;
    });
    return good ? kGood : kProblems;
  }

 private:
  // Nothing at all is no good archive: a daemon has never been there, or its file system is gone.
  Result<void> check_there(const std::vector<WalName>& names) {
    const std::string& directory = config_.archive.directory;
    if (!names.empty() || file_system_.stat(ArchiveLayout(directory).state_directory()).ok()) {
      return {};
    }
    return Error{Errc::kNotFound, "there is no archive in '" + directory + "'",
                 "mount its file system there; on a new node start pgwalshipd first"};
  }

  void take(const Problem& problem) {
    VerifiedProblem verified{problem};
    if (repair_ == Repair::kYes) {
      repair(verified);
    }
    if (form_ == Form::kText) {
      progress_.clear();
      print(problem_line(verified));
    }
    problems_.push_back(std::move(verified));
  }

  void repair(VerifiedProblem& verified) {
    if (verified.problem.wanted.empty()) {
      return;
    }
    verified.state = VerifiedProblem::State::kRepaired;
    for (const WalName& name : verified.problem.wanted) {
      const Result<std::string> repaired = ask_daemon(name);
      if (!repaired.ok()) {
        verified.state = VerifiedProblem::State::kNotRepaired;
        verified.outcome = (verified.problem.wanted.size() > 1 ? name.text() + ": " : "") +
                           repaired.error().message;
        daemon_.reset();  // an answer that comes late is not mistaken for the next one's
        return;
      }
      verified.outcome = repaired.value();
    }
  }

  // Where it came from. The daemon verifies the copy here, and replaces it when it is bad.
  Result<std::string> ask_daemon(const WalName& name) {
    if (daemon_ == nullptr) {
      TRY_ASSIGN(daemon_,
                 connect_daemon(config_, clock_, clock_.now() + kGreetingTime, IfDown::kFail));
    }
    const std::uint64_t id = ++last_request_;
    const TimePoint deadline = clock_.now() + kRepairTime;
    TRY(daemon_->send(Fetch{id, name, kSilentPeersMs}, deadline));
    for (;;) {
      TRY_ASSIGN(const Message message, daemon_->receive(deadline));
      const auto* result = std::get_if<FetchResult>(&message);
      if (result == nullptr || result->id != id) {
        continue;
      }
      if (result->verdict != FetchVerdict::kFound) {
        return Error{Errc::kNotFound, result->message, result->hint};
      }
      TRY(store_.verify(name));
      return result->message;
    }
  }

  static void print(const std::string& text) {
    std::ignore =
        write_full(STDOUT_FILENO, as_bytes(text), "write");  // a closed pipe wants no text
  }

  const Config& config_;
  const Repair repair_;
  const Form form_;
  SystemClock clock_;
  ProgressLine progress_{clock_};
  PosixFileSystem file_system_;
  ArchiveStore store_;
  std::unique_ptr<DaemonClient> daemon_;
  std::uint64_t last_request_ = 0;
  VerifyTotals totals_;
  std::vector<VerifiedProblem> problems_;
};

int verify_failure() {
  return kUsage;
}

int run_verify(const Invocation& invocation) {
  const auto fail = [](const Error& error) {
    print_reason("pgwalship verify", error);
    return error.code == Errc::kInvalid ? kUsage : kProblems;
  };
  std::vector<std::string> options;
  std::vector<WalName> names;
  for (const std::string& word : invocation.arguments) {
    if (word.starts_with('-')) {
      options.push_back(word);
      continue;
    }
    Result<WalName> name = WalName::parse(word);
    if (!name.ok()) {
      return fail(name.error());
    }
    names.push_back(std::move(name).value());
  }
  const auto arguments = parse_arguments({.flags = {"repair", "json"}}, options);
  if (!arguments.ok()) {
    return fail(arguments.error());
  }
  const auto config = load_client_config(invocation.config_path);
  if (!config.ok()) {
    return fail(config.error());
  }
  std::ignore = ::setpriority(PRIO_PROCESS, 0, kNice);
  const auto& flags = arguments.value().flags;
  Verify verify(config.value(),
                flags.contains("repair") ? Verify::Repair::kYes : Verify::Repair::kNo,
                flags.contains("json") ? Verify::Form::kJson : Verify::Form::kText);
  const Result<int> status = verify.run(std::move(names));
  return status.ok() ? status.value() : fail(status.error());
}

}  // namespace

const Verb kVerifyVerb{
    .name = "verify",
    .synopsis = "verify [--repair] [--json] [NAME...]",
    .summary = "read the archive again and say what is wrong with it",
    .help =
        "Reads every file of this node's archive, or those that are named, on all cores and at "
        "low\n"
        "priority: gzip, hash, header and first page against the name, system identifier; then\n"
        "gaps between segments and timeline histories. Works without the daemon.\n"
        "\n"
        "  --repair   have the daemon replace bad copies, and fetch what is missing, from peers\n"
        "             that have good ones; bad copies go to quarantine\n"
        "  --json     the findings as JSON\n"
        "\n"
        "Exit status:\n"
        "  0    all is good, or has been repaired\n"
        "  1    there are problems\n"
        "  2    wrong command line or configuration\n",
    .run = run_verify,
    .failure_status = verify_failure};

}  // namespace pgwalship
