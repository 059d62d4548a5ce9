// Is the other side of a link alive? Pure: told what happened and when, it says when to ping and
// when to give up. Anything received counts as life. A peer is lost when it was silent for three
// intervals and a ping was out for two of them. An own pause (a stopped process, a suspended
// machine) is no silence of the peer's: it is pinged first.
#pragma once

#include "base/clock.h"

#include <algorithm>
#include <cstdint>
#include <optional>

namespace pgwalship {

class Keepalive {
 public:
  Keepalive(Duration interval, TimePoint now)
      : interval_(interval), last_life_(now), next_ping_(now) {}

  void on_life(TimePoint now) { last_life_ = now; }

  // The number of a Ping to send now. The first one at once: nothing is in its way yet, so it
  // measures the round trip. One at a time: the connection loses nothing, so a second one would
  // tell nothing that the first does not.
  std::optional<std::uint64_t> ping(TimePoint now) {
    if (now < next_ping_) {
      return std::nullopt;
    }
    next_ping_ = now + interval_;
    if (waiting_) {
      return std::nullopt;
    }
    waiting_ = true;
    sent_ = now;
    return ++number_;
  }

  // The round trip, when this is the answer that is waited for.
  std::optional<Duration> on_pong(std::uint64_t number, TimePoint now) {
    if (!waiting_ || number != number_) {
      return std::nullopt;
    }
    waiting_ = false;
    return now - sent_;
  }

  TimePoint last_life() const { return last_life_; }
  bool is_lost(TimePoint now) const { return waiting_ && now >= lost_at(); }
  TimePoint next_wakeup() const { return waiting_ ? std::min(next_ping_, lost_at()) : next_ping_; }

 private:
  TimePoint lost_at() const { return std::max(sent_ + 2 * interval_, last_life_ + 3 * interval_); }

  const Duration interval_;
  TimePoint last_life_;
  TimePoint next_ping_;
  TimePoint sent_{};  // meaningful while waiting_
  std::uint64_t number_ = 0;
  bool waiting_ = false;
};

}  // namespace pgwalship
