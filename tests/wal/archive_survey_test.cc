#include "wal/archive_survey.h"

#include "tests/wal/archive_store_fixture.h"
#include "wal/archive_scan.h"

namespace pgwalship {
namespace {

class ArchiveSurveyTest : public ArchiveStoreTest {
 protected:
  void put_segment(std::uint32_t number, std::uint32_t timeline = 1) {
    SegmentSpec spec;
    spec.timeline = timeline;
    spec.lsn = std::uint64_t{number} * kSegmentBytesMin;
    ASSERT_TRUE(
        put(store_, name_of(spec), build_archive_file(name_of(spec), build_segment(spec))).ok());
  }
  ArchiveIndex index() {
    return scan_archive(file_system_, ArchiveLayout(store_.directory()), {}).value().index;
  }
};

TEST_F(ArchiveSurveyTest, AnIndexTellsOfTimelinesWhatAListingTells) {
  for (const std::uint32_t number : {1U, 2U, 4U, 0x1000U}) {
    put_segment(number);
  }
  put_segment(5, 2);
  const std::string text = "1\t0/500000\tno recovery target specified\n";
  const WalName history = WalName::history_of(2);
  ASSERT_TRUE(put(store_, history, build_archive_file(history, as_bytes(text))).ok());

  const ArchiveSurvey listed = survey_archive(store_, store_.list().value());
  const ArchiveSurvey indexed = survey_timelines(store_, outline_of(index()));
  EXPECT_EQ(indexed.segment_bytes, kSegmentBytesMin);
  EXPECT_EQ(indexed.runs, listed.runs);
  EXPECT_EQ(indexed.runs.size(), 4U);
  ASSERT_EQ(indexed.histories.size(), 1U);
  EXPECT_EQ(indexed.histories[0].timeline, 2U);
  EXPECT_EQ(indexed.histories[0].text, text);
}

TEST_F(ArchiveSurveyTest, AnEmptyIndexTellsOfNothing) {
  const ArchiveOutline outline = outline_of(index());
  EXPECT_EQ(outline.segment_bytes, kSegmentBytesDefault);
  EXPECT_TRUE(outline.runs.empty());
  EXPECT_TRUE(outline.histories.empty());
}

}  // namespace
}  // namespace pgwalship
