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
    last_ = name;
    if (!on_the_way) {
      ask_from(name.next(segment_bytes));
    } else if (!is_ahead(*packed_)) {
      packed_ = name.next(segment_bytes);
    }
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
    ask_from(name);
  }
  return more(now);
}

// Unpacked is what lies before `name` already.
void Prefetch::ask_from(const WalName& name) {
  next_ = name;
  packed_ = packed_ && is_ahead(*packed_) && position(*packed_) < position(name) ? packed_ : name;
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

bool Prefetch::unpacks(const WalName& name, TimePoint now) const {
  return in_recovery(now) && is_ahead(name) &&
         distance(name) <= std::min(window(), kUnpackedBytesMax);
}

void Prefetch::add(const WalName& name, Names& names) {
  if (under_way_.insert(name.text()).second) {
    names.push_back(name);
  }
}

Prefetch::Names Prefetch::more(TimePoint now) {
  Names names;
  if (!in_recovery(now)) {
    return names;
  }
  // What came when it was too far away for unpacking is needed sooner than what has not come.
  while (under_way_.size() < at_once() && position(*packed_) < position(*next_) &&
         unpacks(*packed_, now)) {
    add(*packed_, names);
    packed_ = packed_->next(segment_bytes_);
  }
  while (under_way_.size() < at_once() && is_ahead(*next_) && distance(*next_) <= window()) {
    if (gap_ && gap_->name == *next_ && now < gap_->retry_at) {
      break;
    }
    add(*next_, names);
    if (*packed_ == *next_ && unpacks(*next_, now)) {
      packed_ = next_->next(segment_bytes_);
    }
    next_ = next_->next(segment_bytes_);
  }
  return names;
}

}  // namespace pgwalship
