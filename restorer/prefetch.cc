#include "restorer/prefetch.h"

#include <algorithm>

namespace pgwalship {

Prefetch::Names Prefetch::restored(const WalName& name, std::uint32_t segment_bytes,
                                   TimePoint now) {
  if (segments_ == 0 || name.kind() != WalKind::kSegment || !is_segment_size(segment_bytes)) {
    return {};
  }
  const bool again = last_ == name && segment_bytes_ == segment_bytes;
  if (!again) {
    const bool continues = follows(name, segment_bytes, now);
    run_ = continues ? run_ + 1 : 1;
    segment_bytes_ = segment_bytes;
    const bool on_the_way = continues && last_->timeline() == name.timeline() && next_ &&
                            position(*next_) > position(name);
    if (!on_the_way) {
      next_ = name.next(segment_bytes);
    }
    last_ = name;
    if (gap_ && !is_ahead(gap_->name)) {
      gap_.reset();
    }
  }
  last_at_ = now;
  return more(now);
}

Prefetch::Names Prefetch::ended(const WalName& name, Outcome outcome, TimePoint now) {
  under_way_.erase(name.text());
  const bool is_gap = gap_ && gap_->name == name;
  if (outcome == Outcome::kHere) {
    if (is_gap) {
      gap_.reset();
    }
  } else if (is_ahead(name) && (!gap_ || is_gap || position(name) < position(gap_->name))) {
    const Duration pause =
        is_gap ? std::min<Duration>(gap_->pause * 2, kAheadPauseMax) : kAheadPauseMin;
    gap_ = Gap{name, now + pause, pause};
    next_ = name;
  }
  return more(now);
}

bool Prefetch::in_recovery(TimePoint now) const {
  return last_ && run_ >= 2 && now - last_at_ <= kRecoveryPatience;
}

// The same position again is what a recovery asks for that turns into the next timeline there.
bool Prefetch::follows(const WalName& name, std::uint32_t segment_bytes, TimePoint now) const {
  if (!last_ || segment_bytes != segment_bytes_ || now - last_at_ > kRecoveryPatience) {
    return false;
  }
  const std::uint64_t here = position(*last_);
  const std::uint64_t there = position(name);
  return (there == here + segment_bytes_ && name.timeline() >= last_->timeline()) ||
         (there == here && name.timeline() > last_->timeline());
}

// On the recovery's timeline, and after what it was given.
bool Prefetch::is_ahead(const WalName& name) const {
  return last_ && name.timeline() == last_->timeline() && position(name) > position(*last_);
}

std::size_t Prefetch::at_once() const {
  if (gap_) {
    return 1;
  }
  return std::clamp<std::size_t>(kAheadBytesMax / segment_bytes_, 1, kAheadAtOnceMax);
}

Prefetch::Names Prefetch::more(TimePoint now) {
  Names names;
  if (!in_recovery(now)) {
    return names;
  }
  const std::uint64_t window = std::uint64_t{segments_} * segment_bytes_;
  while (under_way_.size() < at_once() && is_ahead(*next_) &&
         position(*next_) - position(*last_) <= window) {
    if (gap_ && gap_->name == *next_ && now < gap_->retry_at) {
      break;
    }
    if (under_way_.insert(next_->text()).second) {
      names.push_back(*next_);
    }
    next_ = next_->next(segment_bytes_);
  }
  return names;
}

}  // namespace pgwalship
