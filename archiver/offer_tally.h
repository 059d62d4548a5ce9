// How one peer has answered offers (docs/protocol.md, Offer), and whether the next fresh segment
// should be offered to it: a peer whose server does not stream would make every push wait in vain.
#pragma once

#include "base/clock.h"

#include <cstdint>

namespace pgwalship {

inline constexpr int kDeclinedInRowMax = 3;
inline constexpr std::chrono::seconds kOfferPause{10};

class OfferTally {
 public:
  bool may_offer(TimePoint now) const { return pause_until_ <= now; }
  void accepted() {
    ++accepted_;
    declined_in_row_ = 0;
  }
  void declined(TimePoint now) {
    if (++declined_in_row_ >= kDeclinedInRowMax) {
      declined_in_row_ = 0;
      pause_until_ = now + kOfferPause;
    }
  }
  std::uint64_t total_accepted() const { return accepted_; }

 private:
  std::uint64_t accepted_ = 0;
  int declined_in_row_ = 0;
  TimePoint pause_until_{};
};

}  // namespace pgwalship
