#include "wal/live_index.h"

#include "wal/archive_scan.h"
#include "wal/index_cache.h"

#include <algorithm>
#include <memory>
#include <tuple>
#include <utility>
#include <vector>

namespace pgwalship {
namespace {

constexpr std::uint64_t kUnsavedShare = 16;
// Until the next event or refresh. Each try reads a few small files.
constexpr std::size_t kBusyTriesMax = 1000;

bool worth_saving(std::uint64_t changes, std::uint64_t changes_min, std::uint64_t size) {
  return changes >= std::max(changes_min, size / kUnsavedShare);
}

// What is known and was not found. A look at all of it is spared when as many were found again.
std::vector<WalName> gone_since(const ArchiveIndex& known, const ArchiveScan& found) {
  std::vector<WalName> gone;
  if (known.size() > found.index.size() - found.headers_read) {
    known.visit({}, 0, [&](const ArchivePlace& place, const ArchiveIndex::Entry&) {
      if (!found.index.find(place)) {
        gone.push_back(*place.name());
      }
      return ArchiveIndex::Visit::kGoOn;
    });
  }
  return gone;
}

Error queue_full() {
  return Error{Errc::kRetry, "index: the disk is too slow, its queue is full", {}};
}

}  // namespace

// At the names that changed.
struct LiveIndex::Look {
  std::vector<WalName> names;
  bool sync = false;
  std::vector<FileLook> files;
  bool complete = true;  // false: there are changes that these are not
  Result<void> synced;
  Noted noted;
};

struct LiveIndex::Scan {
  std::optional<ArchiveIndex> known;  // nothing: the cache's
  std::uint64_t unique = 0;
  bool sync = false;
  std::optional<Result<ArchiveScan>> result;
  Result<void> synced;
  bool watched = true;  // what changes after the scan will be reported
  std::uint64_t overflows = 0;
  Noted noted;
  bool saved = false;
};

LiveIndex::LiveIndex(FileSystem& file_system, const Clock& clock, Options options, Post post)
    : file_system_(file_system),
      clock_(clock),
      options_(std::move(options)),
      layout_(options_.directory),
      post_(std::move(post)),
      saved_at_(clock_.now()),
      next_unique_(options_.seed) {}

void LiveIndex::refresh(Handler handler) {
  take_changes();
  waiters_.push_back({jobs_ + 1, std::move(handler)});
  const std::uint64_t job = jobs_ + 1;
  const bool posted = needs_scan() ? post_scan() : post_look();
  if (!posted) {
    finish(job, queue_full());
  }
}

void LiveIndex::on_changes() {
  take_changes();
  if (lost_) {
    // The next refresh() scans when this finds no room.
    std::ignore = scans_ > 0 || post_scan();
  } else if (!changed_.empty()) {
    lost_ = !post_look() || lost_;  // a job may run at once
  }
}

void LiveIndex::take_changes() {
  if (watch_) {
    const NameWatch::Changes changes = watch_->take();
    lost_ = lost_ || changes.rescan;
    overflows_ += changes.rescan ? 1 : 0;
    changed_.insert(changes.names.begin(), changes.names.end());
  }
}

bool LiveIndex::in_doubt(const WalName& name) {
  if (watch_) {
    on_changes();
  }
  const std::string file = ArchiveLayout::file_of(name);
  const auto looks_at = [&](const std::shared_ptr<Look>& look) {
    return std::ranges::find(look->names, name) != look->names.end();
  };
  return !scanned_ || overflows_ != overflows_seen_ || changed_.contains(file) ||
         std::ranges::any_of(looks_, looks_at) || index_.find(ArchivePlace::of(name));
}

bool LiveIndex::needs_scan() const {
  return !watch_ || lost_ || !scanned_at_ || clock_.now() - *scanned_at_ >= kIndexScanInterval;
}

// Jobs -----------------------------------------------------------------------------------------

// Posted also when no name changed: it finds out whether the directory is still the same.
bool LiveIndex::post_look() {
  const std::uint64_t job = ++jobs_;
  auto look = std::make_shared<Look>();
  for (const std::string& file : changed_) {
    if (std::optional<WalName> name = ArchiveLayout::name_of_file(file)) {
      look->names.push_back(std::move(*name));
    }
  }
  changed_.clear();
  look->sync = must_sync(job);
  looks_.push_back(look);
  const bool posted = post_([this, job, look]() -> Worker::Completion {
    run(*look);
    return [this, job, look] {
      std::erase(looks_, look);
      apply(job, *look);
    };
  });
  if (!posted) {
    std::erase(looks_, look);
    look_again(look->names);
  }
  return posted;
}

void LiveIndex::look_again(const std::vector<WalName>& names) {
  for (const WalName& name : names) {
    changed_.insert(ArchiveLayout::file_of(name));
  }
}

bool LiveIndex::post_scan() {
  const std::uint64_t job = ++jobs_;
  auto scan = std::make_shared<Scan>();
  scan->unique = next_unique_++;
  if (scanned_) {
    scan->known = index_;
  }
  scan->sync = must_sync(job);
  ++scans_;
  lost_ = false;
  scan->overflows = overflows_;
  scanned_at_ = clock_.now();
  const bool posted = post_([this, job, scan]() -> Worker::Completion {
    run(*scan);
    return [this, job, scan] { apply(job, *scan); };
  });
  if (!posted) {
    --scans_;
    lost_ = true;
  }
  return posted;
}

// Only somebody who waits for the job relies on it.
bool LiveIndex::must_sync(std::uint64_t job) const {
  return options_.names == Names::kDurable &&
         std::ranges::any_of(waiters_, [&](const Waiter& waiter) { return waiter.job == job; });
}

bool LiveIndex::is_time_to_save() const {
  const auto interval = kIndexSaveInterval + std::chrono::milliseconds(index_.size());
  return worth_saving(unsaved_, options_.cache_changes_min, index_.size()) ||
         (unsaved_ > 0 && clock_.now() - saved_at_ >= interval);
}

void LiveIndex::save() {
  if (scanned_ && unsaved_ > 0) {
    // Whoever starts without it reads more headers.
    std::ignore = save_index_cache(file_system_, layout_, index_, next_unique_++);
  }
}

void LiveIndex::post_save() {
  saved_at_ = clock_.now();
  auto copy = std::make_shared<ArchiveIndex>(index_);
  const std::uint64_t unique = next_unique_++;
  const bool posted = post_([this, copy, unique]() -> Worker::Completion {
    // Whoever starts without it reads more headers.
    std::ignore = save_index_cache(file_system_, layout_, *copy, unique);
    return [] {};
  });
  unsaved_ = posted ? 0 : unsaved_;
}

// On the worker --------------------------------------------------------------------------------

void LiveIndex::run(Look& look) {
  std::vector<WalName> gone;
  for (const WalName& name : look.names) {
    const Result<FileLook> file = look_at_file(file_system_, layout_, name);
    if (file.ok()) {
      look.files.push_back(file.value());
    } else {
      look.complete = false;
    }
    if (file.ok() && !file.value().entry) {
      gone.push_back(name);
    }
  }
  // After the looks: it is true of them, too, that the path names the watched directory.
  const auto renewed = watch_->renew();
  if (renewed.ok() && renewed.value() == NameWatch::Renewed::kSame) {
    note(std::move(gone), look.noted);
  } else {
    look.complete = false;
  }
  if (look.sync && look.complete) {
    look.synced = file_system_.sync_directory(layout_.directory());
  }
}

void LiveIndex::run(Scan& scan) {
  // Before the scan, so that nothing falls between.
  const Result<NameWatch::Renewed> renewed = watch_ ? watch_->renew() : NameWatch::Renewed::kSame;
  scan.watched = watch_ && renewed.ok();
  if (!scan.known) {
    scan.known = load_index_cache(file_system_, layout_);
  }
  scan.result = scan_archive(file_system_, layout_, *scan.known);
  if (scan.result->ok()) {
    const ArchiveScan& found = scan.result->value();
    if (renewed.ok() && renewed.value() == NameWatch::Renewed::kSame) {
      note(gone_since(*scan.known, found), scan.noted);
    }
    // What is known to have vanished must not vanish again at the next start.
    const bool worth_it =
        !scan.noted.vanished.empty() ||
        worth_saving(found.headers_read, options_.cache_changes_min, found.index.size());
    scan.saved = worth_it && save_index_cache(file_system_, layout_, found.index, scan.unique).ok();
  }
  if (scan.sync && scan.result->ok()) {
    scan.synced = file_system_.sync_directory(layout_.directory());
  }
  scan.known.reset();
}

void LiveIndex::note(std::vector<WalName> gone, Noted& noted) const {
  if (gone.empty() || !options_.note_vanished) {
    return;
  }
  if (auto vanished = options_.note_vanished(gone); vanished.ok()) {
    noted.vanished = std::move(vanished).value();
  } else {
    noted.again = std::move(gone);
    noted.busy = vanished.error().code == Errc::kRetry;
  }
}

// Completions ----------------------------------------------------------------------------------

// Every process here sees them go, and records it; that takes each of them some milliseconds.
void LiveIndex::take(const Noted& noted) {
  look_again(noted.again);
  busy_ = noted.busy ? busy_ + 1 : 0;
  if (!noted.vanished.empty()) {
    ++vanishings_;
    if (on_vanished_) {
      on_vanished_(noted.vanished);
    }
  }
}

void LiveIndex::apply(std::uint64_t job, const Look& look) {
  take(look.noted);
  for (const FileLook& file : look.files) {
    if (file.entry) {
      const bool is_new = scanned_ && on_growth_ && !index_.find(file.place);
      index_.put(file.place, *file.entry);
      if (is_new) {
        on_growth_(file.place.name());
      }
    } else {
      index_.remove(file.place);
    }
    if (file.segment_bytes != 0) {
      index_.set_segment_bytes(file.segment_bytes);
    }
  }
  if (busy_ > 0 && busy_ < kBusyTriesMax) {
    lost_ = !post_look() || lost_;
  }
  unsaved_ += look.files.size();
  if (is_time_to_save()) {
    post_save();
  }
  if (look.complete) {
    finish(job, error_ ? Result<void>(*error_) : look.synced);
    return;
  }
  const std::uint64_t next = jobs_ + 1;
  for (Waiter& waiter : waiters_) {
    waiter.job = waiter.job <= job ? next : waiter.job;
  }
  if (!post_scan()) {
    finish(next, queue_full());
  }
}

// What changed since the scan began was reported since, and is looked at in a later job.
void LiveIndex::apply(std::uint64_t job, Scan& scan) {
  --scans_;
  if (scan.result->ok()) {
    ArchiveScan found = std::move(*scan.result).value();
    overflows_seen_ = scan.overflows;
    take(scan.noted);
    const bool has_grown = scanned_ && found.index.size() > index_.size();
    index_ = std::move(found.index);
    scanned_ = true;
    if (has_grown && on_growth_) {
      on_growth_(std::nullopt);
    }
    error_.reset();
    unsaved_ = scan.saved ? 0 : unsaved_ + found.headers_read;
    finish(job, scan.synced);
  } else {
    lost_ = true;
    error_ = scan.result->error();
    finish(job, *error_);
  }
  // Without a watch changes are always missed: the next refresh() scans, and nothing before.
  if (!scan.watched) {
    lost_ = true;
  } else if (lost_ && scans_ == 0 && !error_) {
    std::ignore = post_scan();  // the next refresh() scans when this finds no room
  } else if (!lost_ && !changed_.empty()) {
    lost_ = !post_look() || lost_;  // a job may run at once
  }
}

void LiveIndex::finish(std::uint64_t job, const Result<void>& outcome) {
  std::vector<Handler> handlers;
  std::erase_if(waiters_, [&](Waiter& waiter) {
    if (waiter.job > job) {
      return false;
    }
    handlers.push_back(std::move(waiter.handler));
    return true;
  });
  for (const Handler& handler : handlers) {
    handler(outcome);
  }
}

}  // namespace pgwalship
