#include "archiver/pg_wal_watch.h"

#include "archiver/back_fill_files.h"
#include "archiver/log_fields.h"

namespace pgwalship {
namespace {

// One listing and kExaminedAtOnceMax files.
constexpr std::size_t kJobsMax = 1 + kExaminedAtOnceMax;

}  // namespace

PgWalWatch::PgWalWatch(Options options, Machine machine)
    : options_(std::move(options)),
      machine_(std::move(machine)),
      files_{machine_.file_system, machine_.store,
             DataDirectory(machine_.file_system, options_.data_directory), options_.node,
             options_.compression_level},
      back_fill_(options_.on_marks ? BackFill::Ready::kOthers : BackFill::Ready::kMine),
      worker_(kJobsMax) {}

PgWalWatch::~PgWalWatch() {
  machine_.loop.unwatch(worker_.event_fd());
  if (marks_) {
    machine_.loop.unwatch(marks_->fd());
  }
}

Result<void> PgWalWatch::start() {
  return machine_.loop.watch(worker_.event_fd(), Interest::kRead,
                             [this](EventLoop::Ready) { worker_.drain(); });
}

TimePoint PgWalWatch::tick(TimePoint now) {
  if (back_fill_.next_wakeup() <= now) {
    feed(BackFillTick{});
  }
  return back_fill_.next_wakeup();
}

void PgWalWatch::feed(const BackFillEvent& event) {
  const BackFillActions actions = back_fill_.step(event, machine_.loop.now());
  for (const BackFillAction& action : actions) {
    std::visit([this](const auto& a) { act(a); }, action);
  }
}

void PgWalWatch::act(const ListPgWal&) {
  const bool wants_watch = !marks_.has_value();
  const bool posted = worker_.post([this, wants_watch]() -> Worker::Completion {
    // Before the listing: what it does not show is reported.
    auto watch = std::make_shared<std::optional<DirectoryWatch>>();
    if (wants_watch) {
      if (auto opened = DirectoryWatch::open(files_.directory.archive_status()); opened.ok()) {
        *watch = std::move(opened).value();
      }
    }
    const TimePoint start = machine_.clock.now();
    auto listed = std::make_shared<PgWalListed>(PgWalListed{list_marks(files_.directory)});
    listed->took = machine_.clock.now() - start;
    return [this, watch, listed] {
      if (watch->has_value()) {
        watch_marks(std::move(**watch));
      }
      if (options_.on_marks && listed->marks.ok()) {
        options_.on_marks(listed->marks.value());
      }
      feed(*listed);
    };
  });
  CHECK(posted);  // kJobsMax
}

// Without it there is a scan every second all the same.
void PgWalWatch::watch_marks(DirectoryWatch watch) {
  marks_ = std::move(watch);
  const auto watched =
      machine_.loop.watch(marks_->fd(), Interest::kRead, [this](EventLoop::Ready) { on_marks(); });
  if (!watched.ok()) {
    marks_.reset();
  }
}

void PgWalWatch::on_marks() {
  if (marks_->take().rescan) {
    machine_.loop.unwatch(marks_->fd());
    marks_.reset();  // the directory may be another one by now
  }
  feed(PgWalHint{});
}

void PgWalWatch::act(const ExamineFile& action) {
  const bool posted = worker_.post([this, action]() -> Worker::Completion {
    auto result = std::make_shared<FileExamined>(examine_file(files_, action));
    return [this, result] { feed(*result); };
  });
  CHECK(posted);  // kJobsMax
}

void PgWalWatch::act(const ArchiveHasGrown&) {
  machine_.on_archive_grown();
}

void PgWalWatch::act(const Report& action) {
  machine_.log.write(level_of(action.gravity), action.line, action.fields);
}

}  // namespace pgwalship
