#include "archiver/expire_service.h"

#include "archiver/retention_facts.h"
#include "base/words.h"

#include <algorithm>

namespace pgwalship {
namespace {

// Each costs a request to every peer, which reads the file (not in a dry run), and a look at a
// header here. The floor rises, and the directory is synced, once for so many.
constexpr std::size_t kBatchFiles = 64;
// Peers that have all said nothing for so long are silent. The largest segment is read in less.
constexpr std::chrono::seconds kAnswerLimit{30};
// How often the two clocks are compared.
constexpr std::chrono::seconds kClockInterval{60};
// A report that shows more is not read.
constexpr std::size_t kNamesShown = 20;

// Any name does: the question is what the peer's server needs.
WalName probe_name() {
  const Result<WalName> name = WalName::parse("00000001.history");
  CHECK(name.ok());
  return name.value();
}

Error queue_full() {
  return Error{Errc::kRetry, "the disk is too slow, its queue is full",
               "see iostat for the file system of [archive] directory"};
}

}  // namespace

// The loop thread and one worker hand it to each other.
struct ExpireService::Run {
  ExpireMode mode = ExpireMode::kDryRun;
  SegmentPosition asked_needs = 0;
  ReportHandler on_report;
  RetentionPlan plan;
  std::size_t begin = 0;  // of the batch, in plan.expired
  std::size_t end = 0;
  std::unique_ptr<ExpireBatch> batch;  // null while the peers are asked what they need
  std::set<std::pair<NodeId, std::size_t>> open;
  TimePoint deadline = kNever;
  std::vector<std::string> holds;  // why the plan lets nothing go at all
  SegmentPosition floor = 0;       // that was recorded last
  std::size_t gone = 0;            // files; with kDryRun those that would go

  void say(std::string line) const {
    if (on_report) {
      on_report({0, ExpireOutcome::kRunning, false, std::move(line)});
    }
  }
  void show_progress(std::string line) const {
    if (on_report) {
      on_report({0, ExpireOutcome::kRunning, true, std::move(line)});
    }
  }
};

ExpireService::ExpireService(Options options, Machine machine)
    : options_(std::move(options)),
      machine_(machine),
      schedule_(options_.rules.any() ? options_.interval : std::nullopt, machine.loop.now()),
      peers_(options_.nodes.size()) {
  view_.configured = options_.rules.any();
  machine_.links.observe(*this);
}

ExpireService::~ExpireService() = default;

void ExpireService::follow(const RetentionRules& rules, std::optional<Duration> interval) {
  options_.rules = rules;
  options_.interval = interval;
  schedule_ = RetentionSchedule(rules.any() ? interval : std::nullopt, machine_.loop.now());
  view_.configured = rules.any();
}

void ExpireService::expire(const ExpireQuery& query, ReportHandler on_report) {
  if (query.needs != 0 && query.mode == ExpireMode::kRemove &&
      options_.server == Options::Server::kNotAsked) {
    record_needs(query.needs);
  }
  if (run_) {
    on_report({0, ExpireOutcome::kHeld, false, "another run is on: try again when it is over"});
    return;
  }
  schedule_.ran(machine_.loop.now());
  run_ = std::make_shared<Run>();
  run_->mode = query.mode;
  run_->asked_needs = query.needs;
  run_->on_report = std::move(on_report);
  probe_peers(run_);
}

// What peers' servers need is asked anew: their greeting may be weeks old.
void ExpireService::probe_peers(const RunRef& run) {
  if (!options_.rules.any()) {
    read_archive(run);
    return;
  }
  run->deadline = machine_.loop.now() + kAnswerLimit;
  for (NodeId peer = 0; peer < options_.nodes.size(); ++peer) {
    ask(run, peer, probe_name(), 0);
  }
  go_on_when_answered(run);
}

void ExpireService::ask(const RunRef& run, NodeId peer, const WalName& name, std::size_t index) {
  if (peer == options_.nodes.self || !machine_.links.is_up(peer)) {
    return;
  }
  run->open.insert({peer, index});
  const bool is_probe = run->batch == nullptr;
  // A header is worth nothing when the content behind it has rotted, and the last other copy goes.
  const Look look = is_probe || run->mode == ExpireMode::kDryRun ? Look::kHeader : Look::kContent;
  machine_.links.request(
      peer,
      [&](std::uint64_t id) -> Message {
        return Stat{id, name, look};
      },
      [this, run, peer, index, is_probe, begin = run->begin](const Message& answer) {
        const bool is_late =
            run_ != run || is_probe != (run->batch == nullptr) || begin != run->begin;
        if (!is_late) {
          on_answer(run, peer, index, answer);
        }
      });
}

void ExpireService::on_answer(const RunRef& run, NodeId peer, std::size_t index,
                              const Message& answer) {
  if (run->open.erase({peer, index}) == 0) {
    return;
  }
  run->deadline = machine_.loop.now() + kAnswerLimit;
  if (const auto* stat = std::get_if<StatResult>(&answer)) {
    peers_.at(peer).heard = true;
    peers_.at(peer).needs = stat->needs;
    if (run->batch) {
      run->batch->answer(peer, index, *stat);
    }
  } else if (const auto* done = std::get_if<Done>(&answer); done != nullptr && done->error) {
    if (run->batch) {
      run->batch->answer(peer, index, *done->error);
    }
  }
  go_on_when_answered(run);
}

void ExpireService::go_on_when_answered(const RunRef& run) {
  if (!run->open.empty()) {
    return;
  }
  run->deadline = kNever;
  if (run->batch) {
    judge(run);
  } else {
    read_archive(run);
  }
}

void ExpireService::on_up(NodeId, const Hello&) {}

void ExpireService::on_down(NodeId peer, const Error&) {
  if (!run_ || run_->open.empty()) {
    return;
  }
  std::erase_if(run_->open, [peer](const auto& asked) { return asked.first == peer; });
  go_on_when_answered(RunRef(run_));
}

TimePoint ExpireService::tick(TimePoint now) {
  clock_watch_.note(now, machine_.clock.wall());
  if (run_ && run_->deadline <= now) {
    run_->open.clear();
    go_on_when_answered(RunRef(run_));
  }
  if (!run_ && schedule_.due(now)) {
    expire({0, ExpireMode::kRemove, 0}, nullptr);
  }
  const TimePoint clock_check = view_.configured ? now + kClockInterval : kNever;
  return std::min({run_ ? run_->deadline : schedule_.next(), clock_check});
}

std::vector<std::string> ExpireService::holds() const {
  std::vector<std::string> holds;
  for (NodeId peer = 0; peer < options_.nodes.size(); ++peer) {
    if (peer != options_.nodes.self && !peers_.at(peer).heard) {
      holds.push_back(options_.nodes.at(peer).name +
                      " has not answered since this daemon started, so it is not known what its "
                      "server needs (a node that is gone for good has to leave the configuration)");
    }
  }
  return holds;
}

void ExpireService::read_archive(const RunRef& run) {
  RetentionInputs known;
  known.rules = options_.rules;
  known.server_timeline = server_timeline_;
  if (options_.rules.any()) {
    known.holds = holds();  // without rules nobody was asked
  }
  if (clock_watch_.trusted(machine_.loop.now())) {
    known.now = machine_.clock.wall();
  }
  for (NodeId peer = 0; peer < options_.nodes.size(); ++peer) {
    if (peers_.at(peer).needs != 0) {
      known.needs.push_back({"the server of " + options_.nodes.at(peer).name, peers_[peer].needs});
    }
  }
  if (run->asked_needs != 0) {
    known.needs.push_back({"the server that runs this command", run->asked_needs});
  }
  const bool alone = options_.nodes.size() < 2;
  const bool posted = machine_.scans.post([this, run, known, alone]() -> Worker::Completion {
    const bool complete = alone || machine_.store.reconciled();
    Result<RetentionInputs> read = read_retention_facts(machine_.store);
    if (!read.ok()) {
      return
          [this, run, error = read.error()] { finish(run, ExpireOutcome::kFailed, error.text()); };
    }
    RetentionInputs inputs = known;
    RetentionInputs& facts = read.value();
    inputs.files = std::move(facts.files);
    inputs.backups = std::move(facts.backups);
    inputs.histories = std::move(facts.histories);
    inputs.segment_bytes = facts.segment_bytes;
    inputs.recorded_floor = facts.recorded_floor;
    inputs.needs.insert(inputs.needs.begin(), facts.needs.begin(), facts.needs.end());
    if (!complete) {
      inputs.holds.push_back("this archive was never made complete by another node");
    }
    if (inputs.rules.any()) {
      run->holds = inputs.holds;
    }
    run->plan = plan_retention(inputs);
    return [this, run] { planned(run); };
  });
  if (!posted) {
    finish(run, ExpireOutcome::kFailed, queue_full().text());
  }
}

void ExpireService::planned(const RunRef& run) {
  for (const std::string& reason : run->plan.reasons) {
    run->say(reason);
  }
  if (!run->holds.empty()) {
    finish(run, ExpireOutcome::kHeld, "nothing was removed");
    return;
  }
  next_batch(run);
}

// A position is never split between two batches.
void ExpireService::next_batch(const RunRef& run) {
  const std::vector<StoredFile>& files = run->plan.expired;
  run->begin = run->end;
  run->end = std::min(files.size(), run->begin + kBatchFiles);
  while (run->end > run->begin && run->end < files.size() &&
         files[run->end].name.position() == files[run->end - 1].name.position()) {
    ++run->end;
  }
  if (run->begin == run->end) {
    const char* what = run->mode == ExpireMode::kDryRun ? " would go" : " removed";
    finish(run, ExpireOutcome::kDone, counted(run->gone, "file") + what);
    return;
  }
  const bool posted = machine_.scans.post([this, run]() -> Worker::Completion {
    auto candidates = std::make_shared<std::vector<ExpireBatch::Candidate>>();
    for (std::size_t i = run->begin; i < run->end; ++i) {
      const WalName& name = run->plan.expired[i].name;
      const Result<ArchiveFile> file = machine_.store.open(name);
      const bool known = file.ok() && file.value().facts;
      candidates->push_back(
          {name, known ? std::optional(file.value().facts->sha256) : std::nullopt});
    }
    return [this, run, candidates] {
      run->batch = std::make_unique<ExpireBatch>(options_.nodes, options_.quorum,
                                                 std::move(*candidates), run->plan.segment_bytes);
      ask_about_batch(run);
    };
  });
  if (!posted) {
    finish(run, ExpireOutcome::kFailed, queue_full().text());
  }
}

void ExpireService::ask_about_batch(const RunRef& run) {
  run->deadline = machine_.loop.now() + kAnswerLimit;
  for (NodeId peer = 0; peer < options_.nodes.size(); ++peer) {
    for (std::size_t index = 0; index < run->batch->size(); ++index) {
      ask(run, peer, run->batch->name(index), index);
    }
  }
  go_on_when_answered(run);
}

void ExpireService::judge(const RunRef& run) {
  ExpireBatch::Verdict verdict = run->batch->judge();
  const std::vector<StoredFile>& files = run->plan.expired;
  const SegmentPosition floor =
      verdict.why.empty()
          ? (run->end < files.size() ? files[run->end].name.position() : run->plan.floor)
          : run->batch->name(verdict.go.size()).position();
  if (run->mode == ExpireMode::kDryRun) {
    for (const WalName& name : verdict.go) {
      if (run->gone++ < kNamesShown) {
        run->say("would go: " + name.text());
      } else if (run->gone == kNamesShown + 1) {
        run->say("and so on, up to '" + files.back().name.text() + "' where the quorum allows it");
      }
    }
    if (verdict.why.empty()) {
      next_batch(run);
    } else {
      finish(run, ExpireOutcome::kHeld, verdict.why);
    }
    return;
  }
  if (verdict.go.empty()) {
    finish(run, ExpireOutcome::kHeld, verdict.why);
    return;
  }
  remove(run, floor, std::move(verdict.go));
}

void ExpireService::remove(const RunRef& run, SegmentPosition floor, std::vector<WalName> names) {
  auto job = [this, run, floor, names = std::move(names)]() -> Worker::Completion {
    Result<void> raised = machine_.store.raise_floor(floor);
    Result<ArchiveStore::Removed> removed =
        raised.ok() ? machine_.store.remove_expired(names) : raised.error();
    return [this, run, floor, removed] {
      if (!removed.ok()) {
        finish(run, ExpireOutcome::kFailed, removed.error().text());
        return;
      }
      run->gone += removed.value().files;
      view_.removed += removed.value().files;
      run->floor = floor;
      run->show_progress("removed " + std::to_string(run->gone) + " of " +
                         counted(run->plan.expired.size(), "file"));
      const std::string why = run->batch->judge().why;
      if (why.empty()) {
        next_batch(run);
      } else {
        finish(run, ExpireOutcome::kHeld, counted(run->gone, "file") + " removed; " + why);
      }
    };
  };
  if (!machine_.disk.post(std::move(job))) {
    finish(run, ExpireOutcome::kFailed, queue_full().text());
  }
}

void ExpireService::finish(const RunRef& run, ExpireOutcome outcome, std::string line) {
  run_ = nullptr;
  log_outcome(*run, outcome, line);
  if (run->on_report) {
    run->on_report({0, outcome, false, std::move(line)});
  }
}

// One line for a change, not one an hour (H48).
void ExpireService::log_outcome(const Run& run, ExpireOutcome outcome, const std::string& line) {
  if (run.mode == ExpireMode::kDryRun) {
    return;
  }
  view_.last_at = machine_.loop.now();
  std::string trouble = outcome == ExpireOutcome::kDone ? "" : line;
  for (const std::string& hold : run.holds) {
    trouble += ": " + hold;
  }
  if (outcome == ExpireOutcome::kDone && run.plan.size_unmet) {
    trouble = "the archive is larger than [retention] size allows, and what is left is needed";
  }
  if (run.gone > 0) {
    machine_.log.info("retention: " + counted(run.gone, "file") +
                      " removed from the archive; its floor is " +
                      start_text(run.floor, run.plan.segment_bytes));
  }
  if (!trouble.empty() && view_.trouble.empty()) {
    const LogLevel level =
        outcome == ExpireOutcome::kFailed ? LogLevel::kError : LogLevel::kWarning;
    machine_.log.write(level, "retention: " + trouble +
                                  "\nHINT: `pgwalship expire --dry-run` says what keeps what");
  } else if (trouble.empty() && !view_.trouble.empty()) {
    machine_.log.info("retention: nothing is held back any more");
  }
  view_.trouble = std::move(trouble);
}

void ExpireService::on_postgres(const PostgresFacts& facts, std::uint64_t archive_system_id) {
  if (!facts.reachable || !is_segment_size(facts.segment_bytes) || facts.redo_lsn == 0 ||
      (archive_system_id != 0 && facts.system_id != archive_system_id)) {
    return;
  }
  server_timeline_ = facts.timeline;
  std::uint64_t oldest = facts.redo_lsn;
  if (facts.oldest_slot_lsn != 0) {
    oldest = std::min(oldest, facts.oldest_slot_lsn);
  }
  record_needs(WalName::segment_at(1, oldest, facts.segment_bytes).position());
}

void ExpireService::record_needs(SegmentPosition needs) {
  if (needs == recorded_needs_) {
    return;
  }
  const bool posted = machine_.disk.post([this, needs]() -> Worker::Completion {
    const Result<void> recorded = machine_.store.record_needs(needs);
    return [this, needs, ok = recorded.ok()] {
      if (ok) {
        recorded_needs_ = needs;
      }
    };
  });
  std::ignore = posted;  // the next answer of the server is soon
}

}  // namespace pgwalship
