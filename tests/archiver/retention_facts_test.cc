#include "archiver/retention_facts.h"

#include "tests/support/memory_file_system.h"
#include "tests/support/segment_builder.h"

#include <gtest/gtest.h>

namespace pgwalship {
namespace {

constexpr std::uint32_t kMiB = 1U << 20U;

class RetentionFacts : public testing::Test {
 protected:
  void plant(const WalName& name, ByteView raw) {
    disk_.plant("/archive/" + name.text() + ".gz", build_archive_file(name, raw));
  }
  void plant_segment(std::uint64_t number) {
    const SegmentSpec spec{.lsn = number * kMiB};
    plant(name_of(spec), build_segment(spec));
  }
  static WalName name(std::string_view text) { return WalName::parse(text).value(); }

  MemoryFileSystem disk_;
  ArchiveStore store_{disk_, {.directory = "/archive"}};
};

TEST_F(RetentionFacts, ReadsBackupsHistoriesAndTheSizeOfSegments) {
  plant_segment(16);
  plant_segment(17);
  plant(name("000000010000000000000010.00000028.backup"),
        as_bytes("START WAL LOCATION: 0/1000028 (file 000000010000000000000010)\n"
                 "STOP WAL LOCATION: 0/1100100 (file 000000010000000000000011)\n"
                 "LABEL: nightly\nSTART TIMELINE: 1\nSTOP TIMELINE: 1\n"));
  plant(name("00000002.history"), as_bytes("1\t0/1180000\tno recovery target specified\n"));
  disk_.plant("/archive/.pgwalship/floor", as_bytes("0000000000000008\n"));
  disk_.plant("/archive/.pgwalship/needs", as_bytes("0000000000000010\n"));
  const auto read = read_retention_facts(store_);
  ASSERT_TRUE(read.ok()) << read.error().message;
  const RetentionInputs& facts = read.value();
  EXPECT_EQ(facts.files.size(), 4U);
  EXPECT_EQ(facts.segment_bytes, kMiB);
  EXPECT_EQ(facts.recorded_floor, 8U);
  ASSERT_EQ(facts.needs.size(), 1U);
  EXPECT_EQ(facts.needs[0].position, 0x10U);
  ASSERT_EQ(facts.backups.size(), 1U);
  EXPECT_EQ(facts.backups[0].label, "nightly");
  EXPECT_EQ(facts.backups[0].stop, 0x11U);
  ASSERT_EQ(facts.histories.size(), 1U);
  ASSERT_EQ(facts.histories[0].ancestors.size(), 1U);
  EXPECT_EQ(facts.histories[0].ancestors[0].left_at, 0x11U);
}

TEST_F(RetentionFacts, KnowsTheSizeOfLegacySegmentsToo) {
  const SegmentSpec spec{.lsn = 16 * std::uint64_t{kMiB}};
  disk_.plant("/archive/" + name_of(spec).text() + ".gz",
              build_legacy_file(build_segment(spec), {}));
  const auto facts = read_retention_facts(store_);
  ASSERT_TRUE(facts.ok());
  EXPECT_EQ(facts.value().segment_bytes, kMiB);
}

TEST_F(RetentionFacts, ALabelThatCannotBeReadLeavesItsEndUnknown) {
  plant_segment(16);
  disk_.plant("/archive/000000010000000000000010.00000028.backup.gz", as_bytes("not gzip"));
  const auto facts = read_retention_facts(store_);
  ASSERT_TRUE(facts.ok());
  ASSERT_EQ(facts.value().backups.size(), 1U);
  EXPECT_EQ(facts.value().backups[0].stop, 0U);
}

TEST_F(RetentionFacts, AnUnreadableArchiveIsAnError) {
  EXPECT_FALSE(read_retention_facts(store_).ok());
}

}  // namespace
}  // namespace pgwalship
