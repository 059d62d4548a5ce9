// What this archive lacks: pulled from whoever holds it.
#include "archiver/shipper.h"

#include <algorithm>

namespace pgwalship {

void Shipper::fill_pulls(TimePoint now) {
  const bool clients_wait = std::any_of(pushes_.begin(), pushes_.end(),
                                        [](const auto& entry) { return !entry.second.replied; });
  const std::size_t places = clients_wait ? kPullsBesidePushes : kPullsMax;
  pulls_wake_at_ = kNever;
  while (pulls_.waiting() && pulls_.in_flight() < places) {
    if (now < pulls_ripe_at_) {
      pulls_wake_at_ = pulls_ripe_at_;
      break;
    }
    const std::optional<PullQueue::Pull> pull = pulls_.start_next(next_transfer_);
    if (!pull) {
      break;
    }
    actions_.emplace_back(PullFile{pull->peer, next_transfer_++, pull->name, pull->conflict});
  }
  own_.missing = pulls_.missing();
  own_.in_flight = pulls_.in_flight();
}

void Shipper::on(const FilePulled& event, TimePoint now) {
  const std::optional<PullQueue::Pull> pull = pulls_.find(event.transfer);
  if (!pull) {
    return;  // of a session that is gone
  }
  if (event.result.ok()) {
    pulls_.finish(event.transfer, PullQueue::Ended::kSettled);
    own_.last_error.clear();
    pull_delay_ = kRetryMin;
    peers_[pull->peer].progressed = true;
    if (pull->conflict && event.result.value() == PutOutcome::kSameRecords) {
      forget_difference(*pull->conflict);
    }
    if (event.result.value() == PutOutcome::kStored) {
      ++own_.files_pulled;
      ++peers_[pull->peer].view.files_pulled;
      if (!std::exchange(pulled_some_, true)) {
        report(Gravity::kInfo, "files are missing here and are being fetched: " +
                                   std::to_string(pulls_.missing() + 1));
      }
    }
  } else {
    fail_pull(*pull, event, now);
  }
  settle_all(now);
  if (pulled_some_ && pulls_.missing() == 0) {
    pulled_some_ = false;
    report(Gravity::kInfo, "no file is known to be missing here any more");
    on(ArchiveGrew{}, now);
  }
}

void Shipper::fail_pull(const PullQueue::Pull& pull, const FilePulled& event, TimePoint now) {
  const Error& error = event.result.error();
  if (error.code == Errc::kConflict) {
    pulls_.finish(event.transfer, PullQueue::Ended::kSettled);
    note_conflict(
        pull.name, name_of(pull.peer), error,
        pull.conflict ? pull.conflict->theirs.hex().substr(0, ArchiveLayout::kHashDigits) : "");
    return;
  }
  if (event.fault == PullFault::kHere) {
    pulls_.finish(event.transfer, PullQueue::Ended::kAgain);
    if (own_.last_error.empty()) {
      report(Gravity::kWarning, "files are missing here and cannot be taken in: " + error.text());
    }
    own_.last_error = pull.name.text() + ": " + error.message;
    own_.refusals += is_refusal(error.code) ? 1 : 0;
    pulls_ripe_at_ = now + pull_delay_;
    pull_delay_ = std::min<Duration>(pull_delay_ * 2, kRetryMax);
    return;
  }
  pulls_.finish(event.transfer, PullQueue::Ended::kNotFromThere);
  if (error.code != Errc::kNotFound) {  // that one has expired there meanwhile
    Peer& peer = peers_[pull.peer];
    peer.pull_failed = true;
    peer.view.last_error = pull.name.text() + ": its copy cannot be fetched: " + error.message;
  }
}

// Recovery does the same with either: `pgwalship conflicts` does not show it, on no peer.
void Shipper::forget_difference(const Differences::Conflict& same) {
  for (Peer& peer : peers_) {
    std::erase_if(peer.differing, [&](const Differences::Conflict& each) {
      return each.name == same.name && each.theirs == same.theirs;
    });
    peer.view.conflicting = peer.differing.size();
  }
}

}  // namespace pgwalship
