#include "wal/segment_difference.h"

#include "tests/support/record_builder.h"

#include <gtest/gtest.h>

namespace pgwalship {
namespace {

using Kind = Difference::Kind;

PieceSource pieces(const Bytes& bytes, std::size_t piece) {
  return [rest = ByteView(bytes), piece]() mutable -> Result<ByteView> {
    const ByteView next = rest.first(std::min(piece, rest.size()));
    rest = rest.subspan(next.size());
    return next;
  };
}

Difference compare(const WalName& name, const Bytes& kept, const Bytes& refused) {
  return compare_contents(name, pieces(kept, 5000), pieces(refused, 777)).value();
}

Difference compare(const Bytes& kept, const Bytes& refused) {
  return compare(name_of({}), kept, refused);
}

Bytes text(const std::string& content) {
  const ByteView view = as_bytes(content);
  return Bytes(view.begin(), view.end());
}

FileFacts of(const std::string& node) {
  FileFacts facts;
  facts.origin = node;
  return facts;
}

RecordBuilder common(std::uint64_t records = 100) {
  RecordBuilder builder({});
  for (std::uint64_t i = 0; i < records; ++i) {
    builder.add(i * 3, i);
  }
  return builder;
}

TEST(SegmentDifference, EqualContentIsIdentical) {
  const Bytes segment = common().build();
  EXPECT_EQ(compare(segment, segment).kind, Kind::kIdentical);
}

TEST(SegmentDifference, H6OnlyTheUnusedTailDiffers) {
  const RecordBuilder builder = common();
  const Difference found = compare(builder.build(), builder.build_recycled(2));
  EXPECT_EQ(found.kind, Kind::kSameRecords);
  EXPECT_EQ(found.lsn, builder.end());
  EXPECT_EQ(compare(builder.build_recycled(1), builder.build_recycled(2)).kind, Kind::kSameRecords);
  const DifferenceWords words = describe(name_of({}), found, of("pgdb1"), of("pgdb2"));
  EXPECT_EQ(words.verdict, "the same records up to " + lsn_text(builder.end()) +
                               ", only the unused rest of the segment differs: the archive's is "
                               "from pgdb1, the refused one from pgdb2");
}

TEST(SegmentDifference, H6TheTailAfterASwitchIsUnused) {
  RecordBuilder builder = common();
  builder.add_switch();
  EXPECT_EQ(compare(builder.build(), builder.build_recycled(2)).kind, Kind::kSameRecords);
}

TEST(SegmentDifference, H9OneIsAPrefixOfTheOther) {
  RecordBuilder builder = common();
  const Bytes shorter = builder.build_recycled(4);
  const std::uint64_t end = builder.end();
  builder.add(60, 7);
  builder.add(20000, 8);
  const Bytes longer = builder.build_recycled(5);
  const Difference kept_short = compare(shorter, longer);
  EXPECT_EQ(kept_short.kind, Kind::kPrefix);
  EXPECT_EQ(kept_short.lsn, end);
  EXPECT_EQ(kept_short.shorter, Side::kKept);
  const Difference refused_short = compare(longer, shorter);
  EXPECT_EQ(refused_short.kind, Kind::kPrefix);
  EXPECT_EQ(refused_short.shorter, Side::kRefused);
  EXPECT_TRUE(describe(name_of({}), refused_short, {}, {}).next.find("--keep archive`") !=
              std::string::npos);
}

TEST(SegmentDifference, H18ACutOffCopyIsAPrefix) {
  RecordBuilder builder = common();
  const std::uint64_t end = builder.end();
  builder.add(30000, 8);
  Bytes torn = builder.build();
  std::fill(torn.begin() + 40000, torn.end(), std::byte{0});
  const Difference found = compare(torn, builder.build());
  EXPECT_EQ(found.kind, Kind::kPrefix);
  EXPECT_EQ(found.lsn, end);
}

TEST(SegmentDifference, H39DivergedAtTheFirstRecordThatDiffers) {
  RecordBuilder one = common();
  RecordBuilder two = common();
  const std::uint64_t fork = one.add(500, 1000);
  two.add(500, 1001);
  one.add(10, 1);
  two.add(10, 2);
  const Difference found = compare(one.build(), two.build());
  EXPECT_EQ(found.kind, Kind::kDiverged);
  EXPECT_EQ(found.lsn, fork);
  const DifferenceWords words = describe(name_of({}), found, of("pgdb1"), of("pgdb2"));
  EXPECT_EQ(words.verdict, "diverged at " + lsn_text(fork) +
                               ": the archive's is from pgdb1, the refused one from pgdb2");
  EXPECT_NE(words.cause.find("restart_on_promote=true"), std::string::npos);
  EXPECT_NE(words.next.find("pg_rewind"), std::string::npos);
  const DifferenceWords one_node = describe(name_of({}), found, of("pgdb1"), of("pgdb1"));
  EXPECT_NE(one_node.cause.find("a clone of it archives into the same place"), std::string::npos);
}

TEST(SegmentDifference, DivergedInARecordThatIsNotWholeInThisSegment) {
  RecordBuilder one = common();
  RecordBuilder two = common();
  const std::uint64_t fork = one.add(2U << 20, 1);
  two.add(100, 2);
  const Difference last = compare(one.build(), two.build());
  EXPECT_EQ(last.kind, Kind::kDiverged);
  EXPECT_EQ(last.lsn, fork);
  EXPECT_TRUE(last.unfinished);

  const Bytes before = RecordBuilder({.continued_bytes = 3U << 20}).build();
  Bytes other = before;
  other[70000] ^= std::byte{1};
  const Difference first = compare(before, other);
  EXPECT_EQ(first.kind, Kind::kDiverged);
  EXPECT_TRUE(first.began_before);
}

TEST(SegmentDifference, H18DivergedWhereOneServerGaveTheRecordUp) {
  RecordBuilder whole = common();
  RecordBuilder given_up = common();
  const std::uint64_t fork = whole.add(30000, 8);
  given_up.add(30000, 8);
  given_up.overwrite_last();
  given_up.add(50, 9);
  const Difference found = compare(whole.build(), given_up.build());
  EXPECT_EQ(found.kind, Kind::kDiverged);
  EXPECT_EQ(found.lsn, fork);
  EXPECT_TRUE(found.unfinished);
}

TEST(SegmentDifference, WhatHasNoReadableRecordsProvesNothing) {
  const Difference found = compare(build_segment({.seed = 1}), build_segment({.seed = 2}));
  EXPECT_EQ(found.kind, Kind::kUnknown);
  EXPECT_EQ(found.first_byte, 40U);
  EXPECT_EQ(compare(text("a"), text("b")).kind, Kind::kUnknown);
  EXPECT_EQ(compare(text(""), common().build()).kind, Kind::kUnknown);
}

TEST(SegmentDifference, ADifferenceOutsideOfRecordsIsNotCalledTheSame) {
  RecordBuilder builder = common();
  Bytes other = builder.build();
  other[8192 + 20] ^= std::byte{1};  // padding of a page header
  const Difference found = compare(builder.build(), other);
  EXPECT_EQ(found.kind, Kind::kUnknown);
  EXPECT_EQ(found.first_byte, 8192U + 20U);
}

TEST(SegmentDifference, H8HistoryFilesSayWhereEachForks) {
  const WalName name = WalName::parse("00000003.history").value();
  const Difference found =
      compare(name, text("1\t0/3000000\tno recovery target specified\n\n2\t0/5000000\treason\n"),
              text("1\t0/3000000\tno recovery target specified\n\n2\t0/6000028\treason\n"));
  EXPECT_EQ(found.kind, Kind::kText);
  EXPECT_EQ(found.line, 3U);
  EXPECT_EQ(describe(name, found, of("pgdb1"), of("pgdb2")).verdict,
            "timeline 3 was begun twice: the archive's, from pgdb1, leaves timeline 2 at "
            "0/5000000, the refused one, from pgdb2, timeline 2 at 0/6000028");
}

TEST(SegmentDifference, BackupLabelsSayWhichLineDiffers) {
  const WalName name = WalName::parse("000000010000000000000001.00000028.backup").value();
  const Difference found = compare(name, text("START\nLABEL: a\n"), text("START\nLABEL: \x1b b\n"));
  EXPECT_EQ(found.line, 2U);
  EXPECT_EQ(describe(name, found, {}, {}).verdict,
            "line 2 differs: 'LABEL: a' in the archive's, from an unknown node, 'LABEL:   b' in "
            "the refused one, from an unknown node");
}

}  // namespace
}  // namespace pgwalship
