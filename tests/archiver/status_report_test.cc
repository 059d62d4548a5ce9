#include "archiver/status_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pgwalship {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::uint32_t kMiB = 1U << 20U;

// "TIMELINE FIRST-LAST FILES" for each range, the names without their timeline.
std::vector<std::string> ranges(const std::vector<std::string>& names,
                                std::uint32_t segment_bytes = 16 * kMiB) {
  std::vector<WalName> sorted;
  for (const std::string& name : names) {
    sorted.push_back(WalName::parse(name).value());
  }
  std::vector<std::string> result;
  for (const ArchiveRange& range : archive_ranges(sorted, segment_bytes)) {
    result.push_back(std::to_string(range.timeline) + " " + range.first.substr(8) + "-" +
                     range.last.substr(8) + " " + std::to_string(range.files));
  }
  return result;
}

TEST(ArchiveRanges, OfAnEmptyArchiveAreNone) {
  EXPECT_THAT(ranges({}), IsEmpty());
}

TEST(ArchiveRanges, JoinsSegmentsThatFollowOneAnother) {
  EXPECT_THAT(
      ranges({"000000010000000000000001", "000000010000000000000002", "000000010000000000000003"}),
      ElementsAre("1 0000000000000001-0000000000000003 3"));
}

TEST(ArchiveRanges, EndsAtAGap) {
  EXPECT_THAT(ranges({"000000010000000000000001", "000000010000000000000003"}),
              ElementsAre("1 0000000000000001-0000000000000001 1",
                          "1 0000000000000003-0000000000000003 1"));
}

TEST(ArchiveRanges, H31GoesOnFromFFToTheNextLogFile) {
  EXPECT_THAT(
      ranges({"0000000100000000000000FE", "0000000100000000000000FF", "000000010000000100000000"}),
      ElementsAre("1 00000000000000FE-0000000100000000 3"));
}

TEST(ArchiveRanges, H31KnowsTheLastSegmentOfOtherSizes) {
  EXPECT_THAT(ranges({"000000010000000000000FFF", "000000010000000100000000"}, 1 * kMiB),
              ElementsAre("1 0000000000000FFF-0000000100000000 2"));
  EXPECT_THAT(ranges({"000000010000000000000003", "000000010000000100000000"}, 1024 * kMiB),
              ElementsAre("1 0000000000000003-0000000100000000 2"));
  EXPECT_THAT(ranges({"000000010000000000000003", "000000010000000100000000"}, 16 * kMiB),
              ElementsAre("1 0000000000000003-0000000000000003 1",
                          "1 0000000100000000-0000000100000000 1"));
}

TEST(ArchiveRanges, TakesTheDefaultWhenTheSizeIsNotKnown) {
  EXPECT_THAT(ranges({"0000000100000000000000FF", "000000010000000100000000"}, 0),
              ElementsAre("1 00000000000000FF-0000000100000000 2"));
}

TEST(ArchiveRanges, ATimelineHasRangesOfItsOwn) {
  EXPECT_THAT(ranges({"000000010000000000000001", "000000010000000000000002",
                      "000000020000000000000002", "000000020000000000000003"}),
              ElementsAre("1 0000000000000001-0000000000000002 2",
                          "2 0000000000000002-0000000000000003 2"));
}

TEST(ArchiveRanges, H9OnlyWholeSegmentsCount) {
  EXPECT_THAT(ranges({"00000002.history", "000000010000000000000001",
                      "000000010000000000000001.00000028.backup",
                      "000000010000000000000002.partial", "000000010000000000000003"}),
              ElementsAre("1 0000000000000001-0000000000000001 1",
                          "1 0000000000000003-0000000000000003 1"));
}

}  // namespace
}  // namespace pgwalship
