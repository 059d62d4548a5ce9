#include "wal/segment_header.h"

#include "tests/support/segment_builder.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

namespace pgwalship {
namespace {

Bytes changed(Bytes bytes, std::size_t offset, std::uint8_t value) {
  bytes[offset] = std::byte{value};
  return bytes;
}

std::string why_not(const WalName& name, const SegmentSpec& spec, std::uint64_t file_bytes) {
  const SegmentHeader header = parse_segment_header(build_segment(spec)).value();
  const auto result = check_segment(name, header, file_bytes);
  return result.ok() ? "" : result.error().message;
}

TEST(SegmentHeader, ReadsWhatTheFirstPageSays) {
  const SegmentSpec spec{.timeline = 3, .lsn = 0x500000000U};
  const SegmentHeader header = parse_segment_header(build_segment(spec)).value();
  EXPECT_EQ(header.magic, 0xD110);
  EXPECT_EQ(header.timeline, 3U);
  EXPECT_EQ(header.page_lsn, 0x500000000U);
  EXPECT_EQ(header.system_id, kTestSystemId);
  EXPECT_EQ(header.segment_bytes, kSegmentBytesMin);
  EXPECT_EQ(header.block_bytes, 8192U);
  EXPECT_TRUE(check_segment(name_of(spec), header, spec.segment_bytes).ok());
}

// The start of a file that PostgreSQL 15 had recycled: 00..07 under the name of 00..0D.
// pg_controldata gave the same system identifier.
TEST(SegmentHeader, H11ReadsTheBytesOfARealServer) {
  const std::vector<std::uint8_t> real = {
      0x10, 0xD1, 0x07, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x07, 0x00, 0x00,
      0x00, 0x00, 0x6B, 0x11, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x60, 0x9D, 0x31, 0xA2,
      0xB3, 0x93, 0x04, 0x6B, 0x00, 0x00, 0x00, 0x01, 0x00, 0x20, 0x00, 0x00};
  const SegmentHeader header =
      parse_segment_header(std::as_bytes(std::span<const std::uint8_t>(real))).value();
  EXPECT_EQ(header.timeline, 1U);
  EXPECT_EQ(header.page_lsn, 0x7000000U);
  EXPECT_EQ(header.system_id, 7711450861694721376U);
  EXPECT_EQ(header.segment_bytes, 16U << 20);
  const WalName first_use = WalName::parse("000000010000000000000007").value();
  EXPECT_TRUE(check_segment(first_use, header, 16U << 20).ok());
  const WalName next_use = WalName::parse("00000001000000000000000D").value();
  EXPECT_EQ(check_segment(next_use, header, 16U << 20).error().code, Errc::kInvalid);
}

TEST(SegmentHeader, H11RefusesWhatIsNoSegment) {
  const Bytes good = build_segment({});
  const std::vector<Bytes> bad = {
      {},
      Bytes(8192),
      changed(good, 1, 0x00),   // no magic
      changed(good, 1, 0xE1),   // not PostgreSQL's
      changed(good, 0, 0x71),   // 9.2 or older, with the byte below
      changed(good, 2, 0x00),   // short header
      changed(good, 34, 0x11),  // segment size no power of two
      changed(good, 37, 0x21),  // block size no power of two
  };
  for (std::size_t i = 0; i < bad.size(); ++i) {
    Bytes bytes = bad[i];
    if (i == 4) {
      bytes[1] = std::byte{0xD0};
    }
    const auto result = parse_segment_header(bytes);
    ASSERT_FALSE(result.ok()) << i;
    EXPECT_EQ(result.error().code, Errc::kInvalid);
    EXPECT_FALSE(result.error().hint.empty());
  }
}

TEST(SegmentHeader, H11RefusesEveryTruncation) {
  const Bytes good = build_segment({});
  for (std::size_t size = 0; size < kLongPageHeaderBytes; ++size) {
    EXPECT_FALSE(parse_segment_header(ByteView(good).first(size)).ok()) << size;
  }
  EXPECT_TRUE(parse_segment_header(ByteView(good).first(kLongPageHeaderBytes)).ok());
}

TEST(SegmentHeader, H11SaysThatAServerIsBigEndian) {
  Bytes bytes = build_segment({});
  std::swap(bytes[0], bytes[1]);
  EXPECT_NE(parse_segment_header(bytes).error().message.find("big-endian"), std::string::npos);
}

TEST(SegmentHeader, H11RefusesARecycledFileWithTheAddressOfAnother) {
  const SegmentSpec spec{.lsn = 5U << 20};
  const WalName other = WalName::segment_at(1, 9U << 20, kSegmentBytesMin);
  EXPECT_EQ(why_not(other, spec, spec.segment_bytes),
            "'000000010000000000000009' should start at 0/900000, but its first page is for "
            "0/500000");
}

TEST(SegmentHeader, H11RefusesAnotherSize) {
  const SegmentSpec spec;
  for (const std::uint64_t bytes : {0U, 8192U, (1U << 20) - 1, (1U << 20) + 1, 16U << 20}) {
    const std::string message = why_not(name_of(spec), spec, bytes);
    EXPECT_NE(message.find("has " + std::to_string(bytes) + " bytes"), std::string::npos);
    EXPECT_NE(message.find("1048576"), std::string::npos);
  }
}

TEST(SegmentHeader, H11RefusesANameThatTheSegmentSizeForbids) {
  const SegmentSpec spec{.lsn = 0x100000000U, .segment_bytes = 16U << 20};
  const WalName impossible = WalName::parse("000000010000000000000100").value();
  EXPECT_NE(why_not(impossible, spec, spec.segment_bytes).find("cannot exist"), std::string::npos);
}

TEST(SegmentHeader, AllowsTheParentsTimelineButNotALaterOne) {
  const SegmentSpec first_of_child{.timeline = 4, .header_timeline = 3};
  EXPECT_EQ(why_not(name_of(first_of_child), first_of_child, kSegmentBytesMin), "");
  const SegmentSpec later{.timeline = 4, .header_timeline = 5};
  EXPECT_NE(why_not(name_of(later), later, kSegmentBytesMin).find("timeline 5"), std::string::npos);
}

TEST(SegmentHeader, ChecksAPartialSegmentLikeAFullOne) {
  const SegmentSpec spec;
  const WalName partial = WalName::parse(name_of(spec).text() + ".partial").value();
  EXPECT_EQ(why_not(partial, spec, kSegmentBytesMin), "");
  EXPECT_NE(why_not(partial, spec, 8192), "");
}

}  // namespace
}  // namespace pgwalship
