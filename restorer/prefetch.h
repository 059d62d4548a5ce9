// Decides which segments are brought into the local archive ahead of a recovery. Pure: what the
// recovery was given and `now` go in, names to fetch come out.
//
// It runs for a recovery only: two consecutive segments start it, and a minute without a further
// one ends it. The window follows the recovery: at most `segments` after the last one it was given,
// on that one's timeline. A switch of the timeline, or a jump, drops what was planned (H32); what
// is under way then comes to its end, and counts as long as it does.
//
// The nearest of them are also unpacked into the spool (wal/spool.h). A file that was too far away
// for that when it came is named again when it is near enough.
//
// A name that is not there is the end of the WAL, as far as anybody knows. It is asked for again
// while the recovery moves, with growing pauses, one name at a time; nothing is concluded from it
// for anybody else (H29). Once the recovery asks for that name itself and does not get it, nothing
// moves, and the peers are left alone.
#pragma once

#include "base/clock.h"
#include "wal/segment_name.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace pgwalship {

// Longer than a segment takes to replay.
inline constexpr std::chrono::seconds kRecoveryPatience{60};
// Files on the way at a time: enough to keep several peers busy.
inline constexpr std::size_t kAheadAtOnceMax = 4;
// ... and what they may hold in memory together, when the disk is slower than the network.
inline constexpr std::uint64_t kAheadBytesMax = std::uint64_t{256} << 20;
// What may lie unpacked, ahead of the recovery. Larger segments are not unpacked ahead.
inline constexpr std::uint64_t kUnpackedBytesMax = std::uint64_t{512} << 20;
inline constexpr std::chrono::seconds kAheadPauseMin{2};
inline constexpr std::chrono::seconds kAheadPauseMax{30};

class Prefetch {
 public:
  // At most `segments` ahead; 0: never any.
  explicit Prefetch(std::size_t segments) : segments_(segments) {}

  using Names = std::vector<WalName>;

  // A recovery was given this file. Each returned name is to be fetched, and answered by ended().
  Names restored(const WalName& name, std::uint32_t segment_bytes, TimePoint now);

  enum class Outcome {
    kHere,    // it is in the local archive
    kAbsent,  // nobody who answers has it
    kFailed,  // it may exist, but did not come
  };
  Names ended(const WalName& name, Outcome outcome, TimePoint now);

  // Whether the recovery will soon ask for it: such a segment is unpacked, and stays so.
  bool unpacks(const WalName& name, TimePoint now) const;

  // Whether a recovery runs here, as far as is known.
  bool in_recovery(TimePoint now) const;

 private:
  struct Gap {  // the first name that did not come
    WalName name;
    TimePoint retry_at{};
    Duration pause{};
  };

  Names more(TimePoint now);
  void add(const WalName& name, Names& names);
  void ask_from(const WalName& name);
  bool follows(const WalName& name, std::uint32_t segment_bytes, TimePoint now) const;
  bool is_ahead(const WalName& name) const;
  std::uint64_t position(const WalName& name) const { return name.start_lsn(segment_bytes_); }
  std::size_t at_once() const;
  std::uint64_t distance(const WalName& name) const { return position(name) - position(*last_); }
  std::uint64_t window() const { return std::uint64_t{segments_} * segment_bytes_; }

  const std::size_t segments_;
  std::uint32_t segment_bytes_ = 0;
  std::optional<WalName> last_;  // the recovery's
  std::optional<WalName> next_;  // the first that was not asked for
  std::optional<WalName>
      packed_;  // the first that was not when it was near enough; not after next_
  TimePoint last_at_{};
  std::size_t run_ = 0;  // consecutive segments
  std::optional<Gap> gap_;
  std::set<std::string> under_way_;
};

}  // namespace pgwalship
