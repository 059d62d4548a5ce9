#include "wal/archive_scan.h"

#include "tests/support/memory_file_system.h"
#include "tests/support/segment_builder.h"

#include <gtest/gtest.h>

#include <string>

namespace pgwalship {
namespace {

class ArchiveScanTest : public testing::Test {
 protected:
  ArchiveScanTest() { CHECK(disk_.make_directories("/archive/.pgwalship/tmp").ok()); }

  void plant(const std::string& file, ByteView content) {
    disk_.plant("/archive/" + file, content);
  }
  void plant_segment(std::uint64_t seed = 1) {
    spec_.seed = seed;
    raw_ = build_segment(spec_);
    plant(name_of(spec_).text() + ".gz", build_archive_file(name_of(spec_), raw_));
  }
  ArchiveScan scan(const ArchiveIndex& known = {}) {
    return scan_archive(disk_, layout_, known).value();
  }
  ArchivePlace place() const { return ArchivePlace::of(name_of(spec_)); }

  MemoryFileSystem disk_;
  ArchiveLayout layout_{"/archive"};
  SegmentSpec spec_;
  Bytes raw_;
};

TEST_F(ArchiveScanTest, FindsWhatHasANameAndWhatItsHeaderSays) {
  plant_segment();
  plant("00000002.history.gz",
        build_archive_file(WalName::parse("00000002.history").value(), build_history(2, 1)));
  plant("README.gz", as_bytes("x"));
  plant("000000010000000000000005", as_bytes("not compressed"));
  const ArchiveScan found = scan();
  EXPECT_EQ(found.index.size(), 2U);
  EXPECT_EQ(found.headers_read, 2U);
  const auto entry = found.index.find(place());
  ASSERT_TRUE(entry.has_value());
  EXPECT_EQ(entry->key, ContentKey::of(sha256(raw_)));
  EXPECT_EQ(entry->file_bytes, disk_.content(layout_.file(name_of(spec_))).size());
  EXPECT_EQ(found.index.segment_bytes(), spec_.segment_bytes);
}

TEST_F(ArchiveScanTest, ReadsNoHeaderOfAFileItKnows) {
  plant_segment();
  const ArchiveScan first = scan();
  const ArchiveScan second = scan(first.index);
  EXPECT_EQ(second.headers_read, 0U);
  EXPECT_EQ(second.index.find(place()), first.index.find(place()));
  EXPECT_EQ(second.index.segment_bytes(), spec_.segment_bytes);
}

TEST_F(ArchiveScanTest, NoticesAnotherFileUnderTheName) {
  plant_segment();
  const ArchiveScan first = scan();
  ASSERT_TRUE(disk_.remove(layout_.file(name_of(spec_))).ok());
  plant_segment(2);
  const ArchiveScan second = scan(first.index);
  EXPECT_EQ(second.headers_read, 1U);
  EXPECT_NE(second.index.find(place())->key, first.index.find(place())->key);
}

TEST_F(ArchiveScanTest, ForgetsWhatHasGone) {
  plant_segment();
  const ArchiveScan first = scan();
  ASSERT_TRUE(disk_.remove(layout_.file(name_of(spec_))).ok());
  EXPECT_EQ(scan(first.index).index.size(), 0U);
}

TEST_F(ArchiveScanTest, H24LegacyAndDamagedFilesAreThereWithAContentNotKnown) {
  const WalName legacy = name_of(spec_);
  plant(legacy.text() + ".gz", build_legacy_file(build_segment(spec_), {}));
  plant("00000002.history.gz", as_bytes("not gzip at all"));
  plant("00000003.history.gz", {});
  const ArchiveScan found = scan();
  EXPECT_EQ(found.index.size(), 3U);
  EXPECT_FALSE(found.index.find(ArchivePlace::of(legacy))->key.known());
  EXPECT_EQ(scan(found.index).headers_read, 0U) << "they are not read again and again";
}

TEST_F(ArchiveScanTest, AFileThatCouldNotBeReadIsReadAgain) {
  plant_segment();
  disk_.fail({.operation = MemoryFileSystem::Operation::kRead});
  const ArchiveScan first = scan();
  EXPECT_FALSE(first.index.find(place())->key.known());
  const ArchiveScan second = scan(first.index);
  EXPECT_EQ(second.headers_read, 1U);
  EXPECT_TRUE(second.index.find(place())->key.known());
}

TEST_F(ArchiveScanTest, FailsWhenTheDirectoryCannotBeRead) {
  EXPECT_EQ(scan_archive(disk_, ArchiveLayout("/nowhere"), {}).error().code, Errc::kNotFound);
}

TEST_F(ArchiveScanTest, LooksAtOneName) {
  plant_segment();
  const FileLook look = look_at_file(disk_, layout_, name_of(spec_)).value();
  EXPECT_EQ(look.place, place());
  EXPECT_EQ(look.entry, scan().index.find(place()));
  EXPECT_EQ(look.segment_bytes, spec_.segment_bytes);
  ASSERT_TRUE(disk_.remove(layout_.file(name_of(spec_))).ok());
  EXPECT_EQ(look_at_file(disk_, layout_, name_of(spec_)).value().entry, std::nullopt);
}

TEST(FileStamp, ChangesWithInodeSizeAndTime) {
  const FileStat stat{.size = 5, .inode = 7, .modified = WallTime(std::chrono::seconds(9))};
  FileStat size = stat;
  size.size = 6;
  FileStat inode = stat;
  inode.inode = 8;
  FileStat time = stat;
  time.modified += std::chrono::nanoseconds(1);
  EXPECT_EQ(file_stamp(stat), file_stamp(stat));
  EXPECT_NE(file_stamp(stat), file_stamp(size));
  EXPECT_NE(file_stamp(stat), file_stamp(inode));
  EXPECT_NE(file_stamp(stat), file_stamp(time));
  EXPECT_NE(file_stamp({}), 0U);
}

}  // namespace
}  // namespace pgwalship
