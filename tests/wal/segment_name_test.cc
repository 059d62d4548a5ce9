#include "wal/segment_name.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace pgwalship {
namespace {

constexpr std::uint32_t kMiB = 1U << 20;

WalName parsed(std::string_view text) {
  return WalName::parse(text).value();
}

TEST(SegmentName, ReadsASegment) {
  const WalName name = parsed("0000000100000002000000FE");
  EXPECT_EQ(name.kind(), WalKind::kSegment);
  EXPECT_EQ(name.timeline(), 1U);
  EXPECT_EQ(name.log(), 2U);
  EXPECT_EQ(name.seg(), 0xFEU);
  EXPECT_EQ(name.start_lsn(16 * kMiB), 0x2FE000000U);
  EXPECT_TRUE(name.is_wal());
}

TEST(SegmentName, ReadsTheOtherForms) {
  const WalName partial = parsed("0000000A0000000200000003.partial");
  EXPECT_EQ(partial.kind(), WalKind::kPartial);
  EXPECT_EQ(partial.timeline(), 10U);
  EXPECT_TRUE(partial.is_wal());
  const WalName backup = parsed("000000010000000200000003.00000028.backup");
  EXPECT_EQ(backup.kind(), WalKind::kBackup);
  EXPECT_EQ(backup.seg(), 3U);
  EXPECT_FALSE(backup.is_wal());
  const WalName history = parsed("0000001F.history");
  EXPECT_EQ(history.kind(), WalKind::kHistory);
  EXPECT_EQ(history.timeline(), 31U);
}

TEST(SegmentName, H10RefusesEverythingElse) {
  const std::string segment = "000000010000000200000003";
  const std::vector<std::string> names = {
      "",
      ".",
      "..",
      "../x",
      "/etc/passwd",
      std::string(65, 'A'),
      std::string(5000, '0'),
      segment + ".gz",
      "0000000100000002000000fe",
      "0000000a.history",
      segment.substr(1),
      segment + "0",
      " " + segment,
      segment + " ",
      segment + "\n",
      segment + ".partial.gz",
      segment + ".Partial",
      segment + ".part",
      segment + "_partial",
      segment + ".backup",
      segment + ".0000002.backup",
      segment + ".0000002g.backup",
      segment + ".00000028,backup",
      segment + ".000000280.backup",
      "../" + segment,
      segment + "/../x",
      "00000002.HISTORY",
      "0000002.history",
      "000000002.history",
      std::string(24, '\0'),
      segment + std::string(1, '\0'),
      "RECOVERYXLOG",
  };
  for (const std::string& name : names) {
    const auto result = WalName::parse(name);
    ASSERT_FALSE(result.ok()) << name;
    EXPECT_EQ(result.error().code, Errc::kInvalid);
    EXPECT_FALSE(result.error().hint.empty());
    EXPECT_LT(result.error().message.size(), 200U);
  }
}

TEST(SegmentName, H10NamesTheReasonAndPrintsNothingHarmful) {
  EXPECT_NE(WalName::parse("").error().message.find("empty"), std::string::npos);
  EXPECT_NE(WalName::parse("../x").error().message.find("'/'"), std::string::npos);
  EXPECT_NE(WalName::parse("0000000a.history").error().message.find("lower-case"),
            std::string::npos);
  EXPECT_NE(WalName::parse("foo").error().message.find("none of the four"), std::string::npos);
  EXPECT_NE(WalName::parse("00000001000000000000001").error().message.find("23 hexadecimal digits"),
            std::string::npos);
  EXPECT_NE(WalName::parse(std::string(65, 'A')).error().message.find("64"), std::string::npos);
  const std::string message = WalName::parse("a\n\x1b[31mb").error().message;
  EXPECT_NE(message.find("'a??[31mb'"), std::string::npos) << message;
}

TEST(SegmentName, H31NextRollsOverForEverySegmentSize) {
  for (std::uint32_t size = kSegmentBytesMin; size != 2 * kSegmentBytesMax; size *= 2) {
    const std::uint64_t lsn = (std::uint64_t{7} << 32) - size;
    const WalName last = WalName::segment_at(3, lsn, size);
    EXPECT_EQ(last.log(), 6U);
    EXPECT_EQ(last.start_lsn(size), lsn);
    const WalName next = last.next(size);
    EXPECT_EQ(next.text(), "000000030000000700000000") << size;
    EXPECT_EQ(next.next(size).text(), "000000030000000700000001");
    EXPECT_EQ(parsed(last.text()).next(size), next);
  }
  EXPECT_EQ(parsed("0000000100000000000000FF").next(16 * kMiB).text(), "000000010000000100000000");
  EXPECT_EQ(parsed("0000000100000000000000FF").next(kMiB).text(), "000000010000000000000100");
}

TEST(SegmentName, SegmentAtHoldsEveryByteOfItsSegment) {
  EXPECT_EQ(WalName::segment_at(1, 0x2FE000000U, 16 * kMiB).text(), "0000000100000002000000FE");
  EXPECT_EQ(WalName::segment_at(1, 0x2FEFFFFFFU, 16 * kMiB).text(), "0000000100000002000000FE");
  EXPECT_EQ(WalName::segment_at(1, 0x2FF000000U, 16 * kMiB).text(), "0000000100000002000000FF");
  EXPECT_EQ(WalName::segment_at(1, 0x2FEFFFFFFU, 16 * kMiB), parsed("0000000100000002000000FE"));
}

TEST(SegmentName, H20SortsHistoryFirstThenByTimelineAndPosition) {
  const std::vector<std::string> ordered = {
      "00000002.history",
      "0000000A.history",
      "000000010000000000000001",
      "000000010000000000000002",
      "000000010000000000000002.00000028.backup",
      "000000010000000000000002.partial",
      "000000010000000000000003",
      "000000010000000100000000",
      "000000020000000000000001",
  };
  std::vector<WalName> names;
  for (auto text = ordered.rbegin(); text != ordered.rend(); ++text) {
    names.push_back(parsed(*text));
  }
  std::sort(names.begin(), names.end());
  for (std::size_t i = 0; i < ordered.size(); ++i) {
    EXPECT_EQ(names[i].text(), ordered[i]);
  }
}

TEST(SegmentName, KnowsWhatASegmentSizeIs) {
  EXPECT_TRUE(is_segment_size(kMiB));
  EXPECT_TRUE(is_segment_size(1024ULL * kMiB));
  for (const std::uint64_t bytes : {0ULL, 1ULL, kMiB / 2ULL, 3ULL * kMiB, 2048ULL * kMiB}) {
    EXPECT_FALSE(is_segment_size(bytes)) << bytes;
  }
}

TEST(SegmentName, WritesAnLsnAsPostgresDoes) {
  EXPECT_EQ(lsn_text(0), "0/0");
  EXPECT_EQ(lsn_text(0xAFF000000U), "A/FF000000");
  EXPECT_EQ(lsn_text(~std::uint64_t{0}), "FFFFFFFF/FFFFFFFF");
}

}  // namespace
}  // namespace pgwalship
