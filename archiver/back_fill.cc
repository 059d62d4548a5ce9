#include "archiver/back_fill.h"

#include <algorithm>

namespace pgwalship {

BackFillActions BackFill::step(const BackFillEvent& event, TimePoint now) {
  actions_.clear();
  std::visit([&](const auto& e) { on(e, now); }, event);
  fill(now);
  return std::exchange(actions_, {});
}

TimePoint BackFill::next_wakeup() const {
  TimePoint next = listing_ ? kNever : scan_at_;
  if (!waiting_.empty() && in_flight_ < kExaminedAtOnceMax) {
    next = std::min(next, retry_at_);
  }
  return next;
}

// Events ---------------------------------------------------------------------------------------

void BackFill::on(const BackFillTick&, TimePoint now) {
  if (!listing_ && scan_at_ <= now) {
    listing_ = true;
    hinted_ = false;
    actions_.emplace_back(ListPgWal{});
  }
}

void BackFill::on(const PgWalHint&, TimePoint now) {
  hinted_ = listing_;
  scan_at_ = std::min(scan_at_, std::max<TimePoint>(now, listed_at_ + hinted_interval_));
  on(BackFillTick{}, now);
}

void BackFill::on(const PgWalListed& event, TimePoint now) {
  listing_ = false;
  listed_at_ = now;
  const Duration rest = kScanRest * event.took;
  hinted_interval_ = std::max<Duration>(kHintedScanInterval, rest);
  scan_at_ = now + (hinted_ ? hinted_interval_ : std::max<Duration>(kPgWalScanInterval, rest));
  if (!event.marks.ok()) {
    if (!std::exchange(unreadable_, true)) {
      view_.last_error = event.marks.error().message;
      report(Gravity::kWarning, "back-fill: " + event.marks.error().message);
    }
    return;
  }
  if (std::exchange(unreadable_, false)) {
    view_.last_error.clear();
    report(Gravity::kInfo, "back-fill: pg_wal can be read again");
  }
  take(event.marks.value());
  first_listing_ = false;
}

void BackFill::on(const FileExamined& event, TimePoint now) {
  const auto found = items_.find(event.name);
  CHECK(found != items_.end() && found->second.state == Item::State::kInFlight);
  --in_flight_;
  Item& item = found->second;
  item.state = Item::State::kSettled;
  switch (event.outcome) {
    case FileExamined::Outcome::kStored:
      ++view_.stored;
      view_.last_name = event.name.text();
      view_.last_error.clear();
      in_trouble_ = false;
      retry_delay_ = kBackFillRetryMin;
      actions_.emplace_back(ArchiveHasGrown{});
      break;
    case FileExamined::Outcome::kThere:
      break;
    case FileExamined::Outcome::kUnfinished:
      item.state = Item::State::kUnfinished;
      item.seen = event.seen;
      break;
    case FileExamined::Outcome::kGone:
      // Marks of files that were gone before this daemon started say nothing.
      if (item.fresh) {
        ++view_.missed;
        view_.last_error = event.name.text() + " was recycled before it could be archived";
        report(Gravity::kError, "back-fill: " + view_.last_error +
                                    "\nHINT: look for it in the archives and the pg_wal of the "
                                    "other nodes: `pgwalship status` there");
      }
      break;
    case FileExamined::Outcome::kFailed:
      on_failure(event.name, item, *event.error, now);
      break;
  }
  if (!item.marked) {
    waiting_.erase(event.name);
    items_.erase(found);
  }
}

void BackFill::on_failure(const WalName& name, Item& item, const Error& error, TimePoint now) {
  view_.last_error = name.text() + ": " + error.message;
  if (error.code == Errc::kConflict) {
    ++view_.conflicts;
    report(Gravity::kError, "back-fill: conflict: " + error.text());
    return;
  }
  if (!std::exchange(in_trouble_, true)) {
    report(Gravity::kError, "back-fill: " + name.text() + ": " + error.text());
  }
  if (error.code == Errc::kInvalid) {
    return;  // it will stay wrong
  }
  item.state = Item::State::kWaiting;
  waiting_.insert(name);
  retry_at_ = now + retry_delay_;
  retry_delay_ = std::min<Duration>(retry_delay_ * 2, kBackFillRetryMax);
}

// Decisions ------------------------------------------------------------------------------------

// On a primary its archiver is about to push what is ready.
bool BackFill::is_wanted(const ArchiveMark& mark, const PgWalMarks& marks) const {
  return mark.kind == ArchiveMark::Kind::kDone || (marks.in_recovery && ready_ == Ready::kMine);
}

void BackFill::take(const PgWalMarks& marks) {
  for (auto& [name, item] : items_) {
    item.marked = false;
  }
  for (const ArchiveMark& mark : marks.marks) {
    if (!is_wanted(mark, marks)) {
      continue;
    }
    const auto [at, is_new] = items_.try_emplace(mark.name);
    Item& item = at->second;
    item.marked = true;
    item.fresh = is_new ? !first_listing_ : item.fresh;
    if (is_new || item.state == Item::State::kUnfinished) {
      item.state = Item::State::kWaiting;
      waiting_.insert(mark.name);
    }
  }
  std::erase_if(items_, [&](const auto& entry) {
    const bool over = !entry.second.marked && entry.second.state != Item::State::kInFlight;
    if (over) {
      waiting_.erase(entry.first);
    }
    return over;
  });
}

// The oldest first: it is recycled first.
void BackFill::fill(TimePoint now) {
  while (!waiting_.empty() && in_flight_ < kExaminedAtOnceMax && retry_at_ <= now) {
    const WalName name = *waiting_.begin();
    waiting_.erase(waiting_.begin());
    Item& item = items_.at(name);
    item.state = Item::State::kInFlight;
    ++in_flight_;
    actions_.emplace_back(ExamineFile{name, item.seen});
  }
  view_.waiting = waiting_.size() + in_flight_;
}

void BackFill::report(Gravity gravity, std::string line) {
  actions_.emplace_back(Report{gravity, std::move(line)});
}

}  // namespace pgwalship
