#include "tests/sim/client.h"

#include "tests/sim/receiver_process.h"

#include <algorithm>
#include <utility>

namespace pgwalship::sim {

namespace {

// What a daemon that lives may take beyond push-timeout: its own slow disk before the push is
// submitted.
constexpr seconds kReplySlack{10};
// PostgreSQL would go on for ever; a conflict does not go away.
constexpr int kConflictsMax = 4;
constexpr milliseconds kFetchWait{3000};

}  // namespace

Pusher::Pusher(Schedule& schedule, Checker& checker, Options options, std::deque<ContentRef> files)
    : schedule_(schedule),
      checker_(checker),
      options_(std::move(options)),
      files_(std::move(files)) {
  schedule_.after(schedule_.between({}, seconds(3)), [this] { start_next(); });
  if (options_.ready_max > 0) {
    mark_next();
  }
}

void Pusher::mark_next() {
  if (marked_ < std::min(files_.size(), options_.ready_max)) {
    mark_first_unmarked();
  }
  schedule_.after(schedule_.between({}, options_.between), [this] { mark_next(); });
}

void Pusher::mark_first_unmarked() {
  checker_.offered(*files_[marked_]);
  options_.on_offered(files_[marked_]);
  ++marked_;
}

std::vector<ContentRef> Pusher::ready() const {
  std::vector<ContentRef> all(files_.begin(),
                              files_.begin() + static_cast<std::ptrdiff_t>(marked_));
  for (const auto& [id, attempt] : open_) {
    all.push_back(attempt.content);
  }
  return all;
}

void Pusher::start_next() {
  if (files_.empty() || first_rounds_ >= options_.at_once) {
    return;
  }
  if (marked_ == 0) {
    mark_first_unmarked();
  }
  --marked_;
  const std::uint64_t id = next_id_++;
  open_[id] = Attempt{std::move(files_.front()), Round::kFirst};
  files_.pop_front();
  ++first_rounds_;
  attempt(id);
  schedule_.after(schedule_.between({}, options_.between), [this] { start_next(); });
}

void Pusher::attempt(std::uint64_t id) {
  Attempt& attempt = open_.at(id);
  Daemon* const daemon = options_.daemon();
  if (daemon == nullptr) {
    retry(id, seconds(1));
    return;
  }
  const std::uint64_t number = next_number_++;
  attempt.number = number;
  daemon->push(attempt.content, [this, id, number](const Result<std::string>& verdict) {
    on_reply(id, number, verdict);
  });
  schedule_.after(options_.push_timeout + kReplySlack, [this, id, number] {
    const auto found = open_.find(id);
    if (found != open_.end() && found->second.number == number) {
      checker_.fail("G8: " + node_name(options_.node) + " has not answered the push of " +
                    found->second.content->name.text() + " by its deadline");
    }
  });
}

void Pusher::on_reply(std::uint64_t id, std::uint64_t number, const Result<std::string>& verdict) {
  const auto found = open_.find(id);
  if (found == open_.end() || found->second.number != number) {
    return;  // this client has given up
  }
  Attempt& attempt = found->second;
  attempt.number = 0;
  const Content& content = *attempt.content;
  options_.say(node_name(options_.node) + ": push " + content.name.text() + ": " +
               (verdict.ok() ? "acknowledged" : verdict.error().message));
  if (!verdict.ok()) {
    // Peers that this node cannot reach never say that they hold the other content (seed 3277),
    // which nobody may have acknowledged (seed 12427).
    const bool is_conflict = verdict.error().code == Errc::kConflict;
    if (is_conflict) {
      checker_.refused_as_conflict(options_.node, content);
    }
    if (!(is_conflict || checker_.other_has_the_name(content)) ||
        ++attempt.conflicts < kConflictsMax) {
      retry(id, milliseconds(200 + schedule_.random().below(2000)));
      return;
    }
  } else {
    checker_.acknowledged(options_.node, content);
  }
  // A server that crashed before it noted the success pushes once more (H3).
  if (verdict.ok() && schedule_.random().one_in(6)) {
    if (std::exchange(attempt.round, Round::kAgain) == Round::kFirst) {
      --first_rounds_;
    }
    retry(id, schedule_.between({}, seconds(20)));
  } else {
    first_rounds_ -= attempt.round == Round::kFirst ? 1 : 0;
    open_.erase(found);
  }
  schedule_.after(schedule_.between({}, options_.between), [this] { start_next(); });
}

void Pusher::retry(std::uint64_t id, Duration delay) {
  schedule_.after(delay, [this, id] {
    if (const auto found = open_.find(id); found != open_.end() && found->second.number == 0) {
      attempt(id);
    }
  });
}

void Pusher::on_daemon_gone() {
  for (auto& [id, attempt] : open_) {
    if (std::exchange(attempt.number, 0) != 0) {
      retry(id, milliseconds(200 + schedule_.random().below(2000)));
    }
  }
}

std::string Pusher::waiting_for() const {
  if (finished()) {
    return {};
  }
  return node_name(options_.node) + " still has " + std::to_string(files_.size() + open_.size()) +
         " files to push" +
         (open_.empty() ? "" : ", " + open_.begin()->second.content->name.text());
}

// Fetches ----------------------------------------------------------------------------------------

Fetcher::Fetcher(Schedule& schedule, Checker& checker, NodeDisk& disk, NodeId node, WalName name,
                 FindDaemon daemon)
    : process_(schedule),
      checker_(checker),
      node_disk_(disk),
      node_(node),
      name_(std::move(name)),
      daemon_(std::move(daemon)),
      known_(checker.known(name_)) {
  process_.spawn([this] { run(); });
}

Fetcher::Outcome Fetcher::read(ArchiveStore& store) {
  Bytes raw;
  const auto facts = store.read_raw(name_, [&](ByteView piece) {
    raw.insert(raw.end(), piece.begin(), piece.end());
    return Result<void>();
  });
  if (!facts.ok()) {
    return Outcome::kFailed;
  }
  checker_.fetched(node_, name_, raw);
  if (Daemon* const daemon = process_.alive() ? daemon_() : nullptr;
      daemon != nullptr && name_.kind() == WalKind::kSegment) {
    daemon->restored(name_, facts.value().segment_bytes);
  }
  return Outcome::kFound;
}

void Fetcher::run() {
  ProcessDisk disk(process_, node_disk_);
  ArchiveStore store(disk, {.directory = kArchiveDirectory, .seed = 1});
  if (read(store) == Outcome::kFound) {
    outcome_ = Outcome::kFound;
    return;
  }
  Daemon* const daemon = process_.alive() ? daemon_() : nullptr;
  if (daemon == nullptr) {
    outcome_ = Outcome::kFailed;
    return;
  }
  daemon->fetch(name_, kFetchWait, [answer = answer_](FetchEnded ended) {
    answer->ended = std::move(ended);
    answer->bell.ring();
  });
  while (process_.alive() && !answer_->ended && !answer_->daemon_gone) {
    answer_->bell.wait(process_);
  }
  if (!process_.alive() || !answer_->ended) {
    outcome_ = Outcome::kFailed;
    return;
  }
  switch (answer_->ended->verdict) {
    case FetchVerdict::kFound:
      outcome_ = read(store);
      return;
    case FetchVerdict::kAbsent:
      checker_.told_absent(node_, name_, known_);
      outcome_ = Outcome::kAbsent;
      return;
    case FetchVerdict::kUnknown:
    case FetchVerdict::kCorrupt:
    case FetchVerdict::kNoRoom:
      outcome_ = Outcome::kFailed;
      return;
  }
}

void Fetcher::on_daemon_gone() {
  answer_->daemon_gone = true;
  answer_->bell.ring();
}

}  // namespace pgwalship::sim
