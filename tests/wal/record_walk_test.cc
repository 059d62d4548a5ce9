#include "wal/record_walk.h"

#include "base/random.h"
#include "tests/support/record_builder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace pgwalship {
namespace {

using End = RecordWalk::End;

RecordWalk walk(ByteView segment, std::size_t piece = std::size_t{1} << 20) {
  RecordWalk result;
  for (std::size_t offset = 0; offset < segment.size(); offset += piece) {
    result.write(segment.subspan(offset, std::min(piece, segment.size() - offset)));
  }
  result.finish();
  return result;
}

// Records of all sizes around a page's, up to about half the segment.
RecordBuilder half_full(RecordBuilder::Options options = {}) {
  RecordBuilder builder(options);
  Random random(5);
  const std::uint64_t half = options.segment.lsn + options.segment.segment_bytes / 2;
  while (builder.end() < half) {
    builder.add(random.below(random.one_in(20) ? 20000 : 300), random.next());
  }
  return builder;
}

TEST(RecordWalk, FindsTheLastRecordInZerosAndInOldContent) {
  RecordBuilder builder = half_full();
  const std::uint64_t last = builder.add(100, 1);
  for (const auto& [segment, end] : {std::pair(builder.build(), End::kZero),
                                     std::pair(builder.build_recycled(3), End::kBadPage)}) {
    const RecordWalk walked = walk(segment);
    EXPECT_EQ(walked.last_record(), last);
    EXPECT_EQ(walked.records_end(), builder.end());
    EXPECT_GT(walked.records(), 500U);
    if (end == End::kZero) {
      EXPECT_EQ(walked.end(), end);
    }
  }
}

TEST(RecordWalk, GivesTheSameForPiecesOfAnySize) {
  const Bytes segment = half_full().build_recycled(3);
  const RecordWalk whole = walk(segment);
  for (const std::size_t piece : {1U, 7U, 24U, 8191U, 8192U, 8193U}) {
    const RecordWalk walked = walk(segment, piece);
    EXPECT_EQ(walked.records_end(), whole.records_end()) << piece;
    EXPECT_EQ(walked.records(), whole.records()) << piece;
    EXPECT_EQ(walked.end(), whole.end()) << piece;
  }
}

TEST(RecordWalk, ReadsThePagesOfPostgreSQL12To17) {
  for (const unsigned magic : {0xD101U, 0xD106U, 0xD10DU, 0xD110U, 0xD113U, 0xD116U}) {
    RecordBuilder builder({.magic = static_cast<std::uint16_t>(magic)});
    const std::uint64_t last = builder.add(9000, 1);
    EXPECT_EQ(walk(builder.build()).last_record(), last);
  }
}

TEST(RecordWalk, ReadsOtherPageAndSegmentSizes) {
  for (const std::uint32_t block : {1024U, 4096U, 65536U}) {
    for (const std::uint32_t size : {1U << 20, 4U << 20}) {
      RecordBuilder builder =
          half_full({.segment = {.lsn = std::uint64_t{1} << 26, .segment_bytes = size},
                     .block_bytes = block});
      const RecordWalk walked = walk(builder.build());
      EXPECT_EQ(walked.records_end(), builder.end()) << block << " " << size;
      EXPECT_EQ(walked.start_lsn(), std::uint64_t{1} << 26);
    }
  }
}

TEST(RecordWalk, StartsBehindARecordOfTheSegmentBefore) {
  for (const std::uint32_t rest : {1U, 8U, 5000U, 20000U, 300000U}) {
    RecordBuilder builder({.previous = 0x800000, .continued_bytes = rest});
    const std::uint64_t behind = builder.end();
    EXPECT_EQ(walk(builder.build()).records_end(), behind) << rest;
    const std::uint64_t last = builder.add(50, 1);
    EXPECT_EQ(walk(builder.build()).last_record(), last) << rest;
  }
}

TEST(RecordWalk, ARecordMayFillTheWholeSegment) {
  RecordBuilder builder({.continued_bytes = 3U << 20});
  const RecordWalk walked = walk(builder.build());
  EXPECT_EQ(walked.end(), End::kContinued);
  EXPECT_EQ(walked.records(), 0U);
  EXPECT_EQ(walked.continued_record(), 0U);
}

TEST(RecordWalk, ARecordThatGoesOnInTheNextSegmentFillsThisOne) {
  RecordBuilder builder = half_full();
  const std::uint64_t last = builder.add(2U << 20, 1);
  const RecordWalk walked = walk(builder.build());
  EXPECT_EQ(walked.end(), End::kContinued);
  EXPECT_EQ(walked.continued_record(), last);
  EXPECT_EQ(walked.records_end(), name_of({}).next(kSegmentBytesMin).start_lsn(kSegmentBytesMin));
}

TEST(RecordWalk, ASwitchEndsTheSegment) {
  RecordBuilder builder = half_full();
  const std::uint64_t last = builder.add_switch();
  const RecordWalk walked = walk(builder.build_recycled(1));
  EXPECT_EQ(walked.end(), End::kSwitch);
  EXPECT_EQ(walked.last_record(), last);
}

TEST(RecordWalk, GoesOnBehindARecordThatACrashCutOff) {
  RecordBuilder builder({});
  builder.add(100, 1);
  builder.add(9000, 2);
  builder.overwrite_last();
  const std::uint64_t last = builder.add(50, 3);
  const RecordWalk walked = walk(builder.build());
  EXPECT_EQ(walked.last_record(), last);
  EXPECT_EQ(walked.records(), 2U);
}

TEST(RecordWalk, StopsAtAFlippedBitWhereverItIs) {
  RecordBuilder builder({});
  std::vector<std::uint64_t> starts;
  for (std::uint64_t i = 0; i < 40; ++i) {
    starts.push_back(builder.add(700, i));
  }
  const std::uint64_t start = SegmentSpec{}.lsn;
  Random random(11);
  for (int round = 0; round < 400; ++round) {
    Bytes segment = builder.build();
    const std::uint64_t flipped = 40 + random.below(builder.end() - start - 40);
    segment[flipped] ^= static_cast<std::byte>(1U << random.below(8));
    const RecordWalk walked = walk(segment, 1 + random.below(5000));
    // Padding and unused bytes of page headers are nobody's.
    if (walked.records() == starts.size()) {
      EXPECT_TRUE(std::find(starts.begin(), starts.end(), (start + flipped + 7) / 8 * 8) !=
                      starts.end() ||
                  flipped % 8192 < 24)
          << flipped;
    } else {
      EXPECT_GE(start + flipped + 8192, walked.records_end());
      EXPECT_LE(walked.records_end(), start + flipped);
    }
  }
}

TEST(RecordWalk, AnyBytesAreAllowed) {
  const Bytes good = half_full({.continued_bytes = 10000}).build_recycled(3);
  Random random(7);
  for (int round = 0; round < 300; ++round) {
    const auto keep = static_cast<std::ptrdiff_t>(random.below(random.one_in(2) ? 50000 : 400));
    Bytes bytes(good.begin(),
                good.begin() + keep);  // exactly as long: the sanitizer sees a step beyond
    for (std::uint64_t flips = random.below(6); flips > 0 && !bytes.empty(); --flips) {
      bytes[random.below(bytes.size())] = static_cast<std::byte>(random.next() & 0xFF);
    }
    const RecordWalk walked = walk(bytes, 1 + random.below(3000));
    EXPECT_NE(walked.end(), End::kNotYet);
    if (walked.end() != End::kNoWal && walked.end() != End::kContinued) {
      EXPECT_LE(walked.records_end() - walked.start_lsn(), bytes.size());
    }
    EXPECT_FALSE(to_words(walked.end()).empty());
  }
  for (int round = 0; round < 300; ++round) {
    Bytes noise(random.below(3000));
    std::generate(noise.begin(), noise.end(),
                  [&] { return static_cast<std::byte>(random.next() & 0xFF); });
    EXPECT_EQ(walk(noise, 100).end(), End::kNoWal);
  }
}

TEST(RecordWalk, SaysWhereItsInputEnded) {
  RecordBuilder builder = half_full();
  Bytes segment = builder.build();
  segment.resize(100000);
  EXPECT_EQ(walk(segment).end(), End::kTruncated);
  EXPECT_EQ(walk({}).end(), End::kNoWal);
}

}  // namespace
}  // namespace pgwalship
