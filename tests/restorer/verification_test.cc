#include "restorer/verification.h"

#include "tests/support/memory_file_system.h"
#include "tests/support/segment_builder.h"

#include <gtest/gtest.h>

namespace pgwalship {
namespace {

using Kind = Problem::Kind;

class VerificationTest : public testing::Test {
 protected:
  static SegmentSpec spec(std::uint64_t number, std::uint32_t timeline = 1) {
    SegmentSpec each;
    each.timeline = timeline;
    each.lsn = number * each.segment_bytes;
    return each;
  }
  static WalName name(std::uint64_t number, std::uint32_t timeline = 1) {
    return name_of(spec(number, timeline));
  }

  void plant(const WalName& file, ByteView content) {
    disk_.plant("/archive/" + file.text() + ".gz", content);
  }
  void hold(std::uint64_t number, std::uint32_t timeline = 1) {
    const Bytes raw = build_segment(spec(number, timeline));
    plant(name(number, timeline), build_archive_file(name(number, timeline), raw));
  }
  void hold_history(std::uint32_t timeline, std::string_view text) {
    char digits[17];
    std::snprintf(digits, sizeof digits, "%08X.history", timeline);
    const WalName file = WalName::parse(digits).value();
    plant(file, build_archive_file(file, as_bytes(text)));
  }

  std::vector<Problem> look() const {
    Verification verification;
    std::vector<Problem> found;
    const auto names = store_.list();
    EXPECT_TRUE(names.ok());
    for (const WalName& each : names.value()) {
      const CheckedFile checked = check_file(store_, each, kTestSystemId);
      found.insert(found.end(), checked.problems.begin(), checked.problems.end());
      verification.add(checked);
    }
    const std::vector<Problem> together = verification.problems();
    found.insert(found.end(), together.begin(), together.end());
    return found;
  }
  Problem only() const {
    const std::vector<Problem> found = look();
    EXPECT_EQ(found.size(), 1U);
    return found.empty() ? Problem{} : found.front();
  }

  MemoryFileSystem disk_;
  ArchiveStore store_{disk_, {.directory = "/archive"}};
};

TEST_F(VerificationTest, FindsNothingInAGoodArchive) {
  hold(5);
  hold(6);
  hold(6, 2);
  hold(7, 2);
  hold_history(2, "1\t0/600060\tno recovery target specified\n\n");
  EXPECT_TRUE(look().empty());
}

TEST_F(VerificationTest, H28FindsACopyThatIsBad) {
  hold(5);
  Bytes damaged = build_archive_file(name(6), build_segment(spec(6)));
  damaged[damaged.size() / 2] ^= std::byte{0x10};
  plant(name(6), damaged);
  const Problem problem = only();
  EXPECT_EQ(problem.kind, Kind::kCorrupt);
  EXPECT_EQ(problem.name, name(6).text());
  EXPECT_EQ(problem.wanted, std::vector<WalName>{name(6)});
}

TEST_F(VerificationTest, FindsALegacyFileUnderAWrongName) {
  plant(name(6), build_legacy_file(build_segment(spec(5)), {}));
  const Problem problem = only();
  EXPECT_EQ(problem.kind, Kind::kMisfit) << problem.what;
  EXPECT_TRUE(problem.wanted.empty());
}

TEST_F(VerificationTest, FindsAFileOfAnotherCluster) {
  SegmentSpec foreign = spec(6);
  foreign.system_id = 42;
  plant(name(6), build_archive_file(name(6), build_segment(foreign)));
  EXPECT_EQ(only().kind, Kind::kForeign);
}

TEST_F(VerificationTest, SaysWhatIsNotThere) {
  const CheckedFile checked = check_file(store_, name(6), 0);
  ASSERT_EQ(checked.problems.size(), 1U);
  EXPECT_EQ(checked.problems[0].kind, Kind::kAbsent);
  EXPECT_EQ(checked.problems[0].wanted, std::vector<WalName>{name(6)});
}

TEST_F(VerificationTest, H31FindsAGapAcrossARollover) {
  hold(4094);  // of 4096 in a log file
  hold(4097);
  const Problem problem = only();
  EXPECT_EQ(problem.kind, Kind::kGap);
  EXPECT_EQ(problem.name, "000000010000000000000FFF");
  EXPECT_NE(problem.what.find("000000010000000100000000: 2 segments"), std::string::npos)
      << problem.what;
  EXPECT_EQ(problem.wanted, (std::vector<WalName>{name(4095), name(4096)}));
}

TEST_F(VerificationTest, AnOlderEndAndANewTimelineAreNoGaps) {
  hold(9);
  hold(12, 2);
  hold_history(2, "1\t0/C00060\tno recovery target specified\n");
  EXPECT_TRUE(look().empty());
}

TEST_F(VerificationTest, FindsATimelineWithoutItsHistory) {
  hold(5, 3);
  const Problem problem = only();
  EXPECT_EQ(problem.kind, Kind::kHistory);
  EXPECT_EQ(problem.name, "00000003.history");
  EXPECT_EQ(problem.wanted.size(), 1U);
}

TEST_F(VerificationTest, FindsHistoriesThatContradictEachOther) {
  hold_history(2, "1\t0/600060\tx\n");
  hold_history(3, "1\t0/600060\tx\n2\t0/900000\ty\n");
  EXPECT_TRUE(look().empty());
  hold_history(4, "1\t0/700000\tx\n2\t0/900000\ty\n");
  EXPECT_EQ(only().name, "00000004.history");
}

TEST_F(VerificationTest, FindsAHistoryThatIsNone) {
  hold_history(2, "what is this\n");
  EXPECT_EQ(only().kind, Kind::kHistory);
}

}  // namespace
}  // namespace pgwalship
