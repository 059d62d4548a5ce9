#include "archiver/look_ahead_files.h"

#include "tests/support/manual_clock.h"
#include "tests/support/memory_file_system.h"
#include "tests/support/segment_builder.h"

#include <gtest/gtest.h>

namespace pgwalship {
namespace {

using Outcome = AheadRead::Outcome;

class LookAheadFilesTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(store_.prepare().ok());
    clock_.advance(std::chrono::hours(1));
    files_.plant("/pg/pg_wal/" + name_.text(), segment_);
    files_.plant("/pg/pg_wal/archive_status/" + name_.text() + ".ready", Bytes());
  }
  AheadStaged read(Completeness completeness = Completeness::kTold) {
    return read_ahead({clock_, files_, store_, DataDirectory(files_, "/pg"), "pgdb1"},
                      {name_, completeness});
  }

  ManualClock clock_;
  MemoryFileSystem files_;
  ArchiveStore store_{files_, {.directory = "/archive"}};
  const SegmentSpec spec_;
  const WalName name_ = name_of(spec_);
  const Bytes segment_ = build_segment(spec_);
};

TEST_F(LookAheadFilesTest, StagesWhatAPushWouldSend) {
  AheadStaged staged = read();
  ASSERT_EQ(staged.result.outcome, Outcome::kRead);
  EXPECT_EQ(staged.facts, facts_of(name_, segment_));
  EXPECT_EQ(staged.result.stamp, files_.stat("/pg/pg_wal/" + name_.text()).value());
  ASSERT_TRUE(store_.commit(*staged.file, {staged.file->size(), staged.file->file_crc32()}).ok());
  EXPECT_EQ(store_.verify(name_).value(), facts_of(name_, segment_));
}

TEST_F(LookAheadFilesTest, AFileThatIsNotMarkedAnyMoreIsGone) {
  ASSERT_TRUE(files_.remove("/pg/pg_wal/archive_status/" + name_.text() + ".ready").ok());
  EXPECT_EQ(read().result.outcome, Outcome::kGone);
}

TEST_F(LookAheadFilesTest, AFileThatIsNotThereIsGone) {
  ASSERT_TRUE(files_.remove("/pg/pg_wal/" + name_.text()).ok());
  EXPECT_EQ(read().result.outcome, Outcome::kGone);
}

TEST_F(LookAheadFilesTest, ARecycledFileIsNotShippedUnderItsNextName) {
  SegmentSpec older = spec_;
  older.lsn += 5 * std::uint64_t{spec_.segment_bytes};
  ASSERT_TRUE(files_.remove("/pg/pg_wal/" + name_.text()).ok());
  files_.plant("/pg/pg_wal/" + name_.text(), build_segment(older));
  EXPECT_EQ(read().result.outcome, Outcome::kUnfinished);
}

TEST_F(LookAheadFilesTest, H18AFileThatWasJustWrittenIsNotRead) {
  ASSERT_TRUE(files_.remove("/pg/pg_wal/" + name_.text()).ok());
  const auto server = files_.create("/pg/pg_wal/" + name_.text());
  ASSERT_TRUE(server.value()->write_at(0, segment_).ok());
  const WallTime written = files_.stat("/pg/pg_wal/" + name_.text()).value().modified;
  clock_.set_wall(written + kStampTick / 2);
  EXPECT_EQ(read().result.outcome, Outcome::kYoung);
  clock_.set_wall(written - std::chrono::hours(1));
  const AheadStaged staged = read();
  EXPECT_EQ(staged.result.outcome, Outcome::kRead) << "or a clock set back would stop it";
  EXPECT_FALSE(staged.result.stamp.has_value());
}

TEST_F(LookAheadFilesTest, RefusesTheFileOfAnotherCluster) {
  AheadStaged staged = read();
  ASSERT_TRUE(store_.commit(*staged.file, {staged.file->size(), staged.file->file_crc32()}).ok());
  SegmentSpec other = spec_;
  other.system_id += 1;
  ASSERT_TRUE(files_.remove("/pg/pg_wal/" + name_.text()).ok());
  files_.plant("/pg/pg_wal/" + name_.text(), build_segment(other));
  const AheadStaged refused = read();
  EXPECT_EQ(refused.result.outcome, Outcome::kFailed);
  EXPECT_EQ(refused.result.error->code, Errc::kInvalid);
}

}  // namespace
}  // namespace pgwalship
