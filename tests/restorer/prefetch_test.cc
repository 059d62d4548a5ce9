#include "restorer/prefetch.h"

#include <gtest/gtest.h>

namespace pgwalship {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Outcome = Prefetch::Outcome;

constexpr std::uint32_t kMiB = 1U << 20;
const TimePoint kStart{std::chrono::hours(1)};

// A recovery that asks by position, and the names that are fetched ahead of it.
class Recovery {
 public:
  explicit Recovery(std::size_t segments, std::uint32_t segment_bytes = 16 * kMiB)
      : prefetch_(segments), segment_bytes_(segment_bytes) {}

  WalName name(std::uint64_t position, std::uint32_t timeline = 1) const {
    return WalName::segment_at(timeline, position * segment_bytes_, segment_bytes_);
  }
  std::string given(std::uint64_t position, std::uint32_t timeline = 1) {
    return text(prefetch_.restored(name(position, timeline), segment_bytes_, now_));
  }
  std::string ended(std::uint64_t position, Outcome outcome, std::uint32_t timeline = 1) {
    return text(prefetch_.ended(name(position, timeline), outcome, now_));
  }
  bool unpacks(std::uint64_t position, std::uint32_t timeline = 1) const {
    return prefetch_.unpacks(name(position, timeline), now_);
  }
  void pass(Duration time) { now_ += time; }
  Prefetch& prefetch() { return prefetch_; }
  TimePoint now() const { return now_; }

 private:
  // "5 6", and "2:5" on timeline 2.
  std::string text(const Prefetch::Names& names) const {
    std::string all;
    for (const WalName& each : names) {
      all += (all.empty() ? "" : " ") +
             (each.timeline() == 1 ? "" : std::to_string(each.timeline()) + ":") +
             std::to_string(each.start_lsn(segment_bytes_) / segment_bytes_);
    }
    return all;
  }

  Prefetch prefetch_;
  const std::uint32_t segment_bytes_;
  TimePoint now_ = kStart;
};

TEST(Prefetch, TwoConsecutiveSegmentsStartItAndAtMostSomeAreOnTheWay) {
  Recovery recovery(8);
  EXPECT_EQ(recovery.given(10), "");
  EXPECT_FALSE(recovery.prefetch().in_recovery(recovery.now()));
  EXPECT_EQ(recovery.given(11), "12 13 14 15");
  EXPECT_TRUE(recovery.prefetch().in_recovery(recovery.now()));
  EXPECT_EQ(recovery.ended(13, Outcome::kHere), "16");
}

TEST(Prefetch, StaysWithinItsWindowAndMovesOnWithTheRecovery) {
  Recovery recovery(3);
  recovery.given(10);
  EXPECT_EQ(recovery.given(11), "12 13 14");
  for (const std::uint64_t position : {12U, 13U, 14U}) {
    EXPECT_EQ(recovery.ended(position, Outcome::kHere), "");
  }
  EXPECT_EQ(recovery.given(12), "15");
  EXPECT_EQ(recovery.given(12), "") << "the same again";
}

// 512 MiB: two segments of 256 MiB, none of 1 GiB.
TEST(Prefetch, UnpacksWhatIsNear) {
  Recovery recovery(3, 256 * kMiB);
  recovery.given(10);
  EXPECT_FALSE(recovery.unpacks(11)) << "no recovery yet";
  EXPECT_EQ(recovery.given(11), "12");
  EXPECT_FALSE(recovery.unpacks(11)) << "it has that one";
  EXPECT_TRUE(recovery.unpacks(12));
  EXPECT_TRUE(recovery.unpacks(13));
  EXPECT_FALSE(recovery.unpacks(14));
  EXPECT_FALSE(recovery.unpacks(12, 2)) << "H32: another timeline";
  recovery.pass(kRecoveryPatience + seconds(1));
  EXPECT_FALSE(recovery.unpacks(12)) << "the recovery is over";
  Recovery large(3, 1024 * kMiB);
  large.given(10);
  EXPECT_EQ(large.given(11), "12");
  EXPECT_FALSE(large.unpacks(12));
}

TEST(Prefetch, WhatCameTooFarAheadIsNamedAgainWhenItIsNear) {
  Recovery recovery(4, 256 * kMiB);
  recovery.given(10);
  EXPECT_EQ(recovery.given(11), "12");
  EXPECT_EQ(recovery.ended(12, Outcome::kHere), "13");
  EXPECT_EQ(recovery.ended(13, Outcome::kHere), "14") << "not unpacked";
  EXPECT_EQ(recovery.ended(14, Outcome::kHere), "15");
  EXPECT_EQ(recovery.ended(15, Outcome::kHere), "");
  EXPECT_EQ(recovery.given(12), "14") << "now for unpacking";
  EXPECT_EQ(recovery.ended(14, Outcome::kHere), "16");
  EXPECT_EQ(recovery.ended(16, Outcome::kAbsent), "");
  EXPECT_EQ(recovery.given(13), "15");
  EXPECT_EQ(recovery.ended(15, Outcome::kHere), "") << "the gap waits";
}

TEST(Prefetch, H31UnpacksAcrossTheEndOfALogFile) {
  Recovery recovery(8);
  recovery.given(0xFD);
  recovery.given(0xFE);
  EXPECT_TRUE(recovery.unpacks(0x100));
  EXPECT_EQ(recovery.name(0x100).text(), "000000010000000100000000");
}

TEST(Prefetch, ZeroIsNever) {
  Recovery recovery(0);
  recovery.given(10);
  EXPECT_EQ(recovery.given(11), "");
}

TEST(Prefetch, H33SingleRequestsHistoriesAndJumpsDoNotStartIt) {
  Recovery recovery(8);
  recovery.given(10);
  EXPECT_EQ(recovery.given(12), "");
  EXPECT_EQ(recovery.given(11), "") << "backwards";
  const WalName history = WalName::parse("00000002.history").value();
  EXPECT_TRUE(recovery.prefetch().restored(history, 0, recovery.now()).empty());
  const WalName partial = WalName::parse("000000010000000000000001.partial").value();
  EXPECT_TRUE(recovery.prefetch().restored(partial, 16 * kMiB, recovery.now()).empty());
  EXPECT_TRUE(recovery.prefetch().restored(recovery.name(12), 12345, recovery.now()).empty());
}

TEST(Prefetch, AMinuteWithoutARequestEndsIt) {
  Recovery recovery(8);
  recovery.given(10);
  recovery.given(11);
  recovery.pass(kRecoveryPatience + seconds(1));
  EXPECT_EQ(recovery.ended(12, Outcome::kHere), "");
  EXPECT_FALSE(recovery.prefetch().in_recovery(recovery.now()));
  EXPECT_EQ(recovery.given(12), "") << "it takes two again";
}

TEST(Prefetch, WhatTheRecoveryHasOvertakenIsNotFetched) {
  Recovery recovery(8);
  recovery.given(10);
  EXPECT_EQ(recovery.given(11), "12 13 14 15");
  recovery.given(12);
  recovery.given(13);
  recovery.given(14);
  recovery.given(15);
  recovery.given(16);
  recovery.given(17);
  EXPECT_EQ(recovery.ended(12, Outcome::kHere), "18");
}

TEST(Prefetch, H31RollsOverWithEverySegmentSize) {
  for (std::uint32_t bytes = kSegmentBytesMin; bytes != 0 && bytes <= kSegmentBytesMax;
       bytes *= 2) {
    Prefetch prefetch(2);
    const std::uint64_t per_log = (std::uint64_t{1} << 32) / bytes;
    const auto at = [&](std::uint64_t position) {
      return WalName::segment_at(1, position * bytes, bytes);
    };
    std::ignore = prefetch.restored(at(5 * per_log - 3), bytes, kStart);
    Prefetch::Names names = prefetch.restored(at(5 * per_log - 2), bytes, kStart);
    if (names.size() == 1) {  // of the largest segments one at a time
      const Prefetch::Names more = prefetch.ended(names[0], Outcome::kHere, kStart);
      names.insert(names.end(), more.begin(), more.end());
    }
    ASSERT_EQ(names.size(), 2U) << bytes;
    char last_of_log[25];
    std::snprintf(last_of_log, sizeof last_of_log, "0000000100000004%08X",
                  static_cast<unsigned>(per_log - 1));
    EXPECT_EQ(names[0].text(), last_of_log);
    EXPECT_EQ(names[1].text(), "000000010000000500000000") << bytes;
  }
}

TEST(Prefetch, LargeSegmentsDoNotFillTheMemory) {
  Recovery recovery(8, 1024 * kMiB);
  recovery.given(10);
  EXPECT_EQ(recovery.given(11), "12");
  EXPECT_EQ(recovery.ended(12, Outcome::kHere), "13");
}

TEST(Prefetch, EndsWhereTheAddressesEnd) {
  Prefetch prefetch(8);
  const auto last = WalName::parse("00000001FFFFFFFF000000FF").value();
  const auto before = WalName::parse("00000001FFFFFFFF000000FE").value();
  std::ignore = prefetch.restored(before, 16 * kMiB, kStart);
  EXPECT_TRUE(prefetch.restored(last, 16 * kMiB, kStart).empty());
}

TEST(Prefetch, H32ATimelineSwitchDropsWhatWasPlanned) {
  Recovery recovery(8);
  recovery.given(10);
  EXPECT_EQ(recovery.given(11), "12 13 14 15");
  EXPECT_EQ(recovery.given(12, 2), "") << "four are under way";
  EXPECT_EQ(recovery.ended(12, Outcome::kAbsent), "2:13");
  EXPECT_EQ(recovery.ended(13, Outcome::kHere), "2:14");
}

TEST(Prefetch, H32TheSamePositionOnTheNextTimelineGoesOn) {
  Recovery recovery(2);
  recovery.given(10);
  EXPECT_EQ(recovery.given(11), "12 13");
  recovery.ended(12, Outcome::kAbsent);
  recovery.ended(13, Outcome::kAbsent);
  EXPECT_EQ(recovery.given(11, 2), "2:12 2:13");
  EXPECT_EQ(recovery.given(11, 1), "") << "an older timeline is a jump";
}

TEST(Prefetch, H29WhatIsAbsentIsAskedForAgainWhileTheRecoveryMovesAndOneAtATime) {
  Recovery recovery(8);
  recovery.given(10);
  EXPECT_EQ(recovery.given(11), "12 13 14 15");
  EXPECT_EQ(recovery.ended(14, Outcome::kAbsent), "");
  EXPECT_EQ(recovery.ended(15, Outcome::kAbsent), "");
  EXPECT_EQ(recovery.ended(12, Outcome::kHere), "");
  EXPECT_EQ(recovery.ended(13, Outcome::kHere), "") << "not at once";
  EXPECT_EQ(recovery.given(12), "");
  recovery.pass(kAheadPauseMin);
  EXPECT_EQ(recovery.given(13), "14") << "one, until it is there";
  EXPECT_EQ(recovery.ended(14, Outcome::kAbsent), "");
  recovery.pass(kAheadPauseMin);
  EXPECT_EQ(recovery.given(13), "") << "with growing pauses";
  recovery.pass(kAheadPauseMin);
  EXPECT_EQ(recovery.given(13), "14");
  EXPECT_EQ(recovery.ended(14, Outcome::kHere), "15 16 17 18");
}

TEST(Prefetch, H29WhatTheRecoveryWasGivenIsNotAbsentAnyMore) {
  Recovery recovery(8);
  recovery.given(10);
  recovery.given(11);
  for (const std::uint64_t position : {12U, 13U, 14U, 15U}) {
    recovery.ended(position, Outcome::kAbsent);
  }
  EXPECT_EQ(recovery.given(12), "13 14 15 16");
}

TEST(Prefetch, H29AtTheEndOfTheWalThePeersAreLeftAlone) {
  Recovery recovery(8);
  recovery.given(10);
  recovery.given(11);
  std::size_t asked = 4;
  for (const std::uint64_t position : {12U, 13U, 14U, 15U}) {
    EXPECT_EQ(recovery.ended(position, Outcome::kAbsent), "");
  }
  // It polls 12, which is not there: nobody is given anything. Then it goes back to 11.
  for (int poll = 0; poll < 100; ++poll) {
    recovery.pass(seconds(5));
    const std::string names = recovery.given(11);
    asked += names.empty() ? 0 : 1;
    EXPECT_TRUE(names.empty() || names == "12");
    if (!names.empty()) {
      EXPECT_EQ(recovery.ended(12, Outcome::kAbsent), "");
    }
  }
  EXPECT_LE(asked, 4U + 500 / 30 + 5) << "with growing pauses";
}

TEST(Prefetch, AFailureIsTriedAgainLater) {
  Recovery recovery(2);
  recovery.given(10);
  EXPECT_EQ(recovery.given(11), "12 13");
  EXPECT_EQ(recovery.ended(12, Outcome::kFailed), "");
  EXPECT_EQ(recovery.ended(13, Outcome::kHere), "");
  recovery.pass(kAheadPauseMin);
  EXPECT_EQ(recovery.given(11), "12");
  EXPECT_EQ(recovery.ended(12, Outcome::kHere), "13") << "it is here: that costs a look";
}

}  // namespace
}  // namespace pgwalship
