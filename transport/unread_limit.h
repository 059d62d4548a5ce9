// How much of what was sent over an SSH session may wait at the peer for its receiver to read it.
// Pure: told what happened and when.
//
// sshd keeps what the command has not read yet in one buffer, and OpenSSH (9.2, sshbuf.c) copies
// all of that buffer for each packet that it adds: a window of 2 MiB that is kept full costs the
// peer six times the CPU that the segment itself costs (docs/performance.md). A peer that is near
// needs no such supply; one that is far needs what is on its way during a round trip.
#pragma once

#include "base/clock.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>

namespace pgwalship {

class UnreadLimit {
 public:
  // sshd tells what was read after 96 KiB of it (three packets, channels.c): much less would stall.
  static constexpr std::size_t kNearBytes = std::size_t{512} << 10;
  static constexpr std::uint64_t kLineBytesPerSecond = 500'000'000;
  // A receiver that reads nothing for so long waits for its disk; or the SSH server there tells
  // later what was read, and must be sent more before it does.
  static constexpr std::chrono::milliseconds kPatience{100};
  static constexpr std::chrono::seconds kLeewayTime{60};

  // The shortest counts: the others had data before them. Before the first one there is no limit.
  void on_round_trip(Duration round_trip) {
    shortest_ = std::min(shortest_.value_or(round_trip), round_trip);
  }

  std::size_t bytes(TimePoint now) const {
    if (!shortest_) {
      return std::numeric_limits<std::size_t>::max();
    }
    const auto microseconds = std::chrono::duration_cast<std::chrono::microseconds>(*shortest_);
    const auto on_the_way =
        static_cast<std::uint64_t>(microseconds.count()) * kLineBytesPerSecond / 1'000'000;
    return (kNearBytes + on_the_way) << (now < leeway_ends_ ? leeway_ : 0U);
  }

  // After each attempt to write: whether nothing but the limit holds bytes back, and how many were
  // sent in all. When to try again at the latest: then there is more.
  TimePoint on_turn(bool held_back, std::uint64_t sent_bytes, TimePoint now) {
    if (!held_back || sent_bytes != sent_bytes_ || !held_since_) {
      held_since_ = held_back ? std::optional(now) : std::nullopt;
      sent_bytes_ = sent_bytes;
    }
    if (held_since_ && now >= *held_since_ + kPatience) {
      leeway_ = now < leeway_ends_ ? std::min(leeway_ + 1, kLeewayMax) : 1;
      leeway_ends_ = now + kLeewayTime;
      held_since_ = now;
      return now;
    }
    return held_since_ ? TimePoint(*held_since_ + kPatience) : kNever;
  }

 private:
  static constexpr unsigned kLeewayMax = 8;  // times two: far more than any window

  std::optional<Duration> shortest_;
  std::optional<TimePoint> held_since_;
  std::uint64_t sent_bytes_ = 0;
  unsigned leeway_ = 0;
  TimePoint leeway_ends_{};
};

}  // namespace pgwalship
