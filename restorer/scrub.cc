#include "restorer/scrub.h"

#include <algorithm>

namespace pgwalship {

ScrubPace::ScrubPace(Duration pass, TimePoint now) : pass_(pass) {
  if (pass_ > Duration::zero()) {
    next_ = now + std::min<Duration>(kScrubStartDelay, pass_ / 10);
  }
}

// A file that is being read keeps its turn: done() plans the next one.
void ScrubPace::set_pass(Duration pass, TimePoint now) {
  if (pass != pass_ && !reading_) {
    *this = ScrubPace(pass, now);
  }
  pass_ = pass;
}

bool ScrubPace::may_start(Load load, TimePoint now) {
  if (load == Load::kBusy) {
    deferred_since_ = deferred_since_.value_or(now);
    if (now - *deferred_since_ < kScrubDeferMax) {
      next_ = now + kScrubDeferStep;
      return false;
    }
  }
  deferred_since_.reset();
  reading_ = true;
  next_ = kNever;  // until done()
  return true;
}

void ScrubPace::done(std::uint64_t files, Duration took, TimePoint now) {
  reading_ = false;
  if (pass_ == Duration::zero()) {
    next_ = kNever;  // switched off while a file was read
    return;
  }
  const Duration even =
      files > 0 ? pass_ / static_cast<Duration::rep>(files) : std::min<Duration>(kScrubIdle, pass_);
  next_ = now + std::max<Duration>(even, took * kScrubRest);
}

}  // namespace pgwalship
