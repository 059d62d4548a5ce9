#include "tests/support/memory_file_system.h"
#include "tests/support/segment_builder.h"
#include "wal/archive_store.h"

#include <gtest/gtest.h>

namespace pgwalship {
namespace {

class ArchiveConfirm : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(store_.prepare().ok()); }

  // As an archiver leaves it that does not sync.
  void write_unsynced(const Bytes& content) {
    ASSERT_TRUE(disk_.create(path_).value()->write_at(0, content).ok());
  }
  Errc refusal(const Sha256& content) {
    const auto confirmed = store_.confirm(name_, content);
    CHECK(!confirmed.ok());
    return confirmed.error().code;
  }

  MemoryFileSystem disk_;
  ArchiveStore store_{disk_, {.directory = "/archive"}};
  const Bytes raw_ = build_history(2, 1);
  const WalName name_ = WalName::parse("00000002.history").value();
  const std::string path_ = "/archive/" + name_.text() + ".gz";
};

TEST_F(ArchiveConfirm, H4MakesTheCopyDurableBeforeItSaysYes) {
  write_unsynced(build_archive_file(name_, raw_));
  ASSERT_FALSE(disk_.is_durable(path_));
  EXPECT_TRUE(store_.confirm(name_, sha256(raw_)).ok());
  EXPECT_TRUE(disk_.is_durable(path_));
}

TEST_F(ArchiveConfirm, H24TakesALegacyCopyByItsContent) {
  write_unsynced(build_legacy_file(raw_, {}));
  EXPECT_TRUE(store_.confirm(name_, sha256(raw_)).ok());
  EXPECT_TRUE(disk_.is_durable(path_));
}

TEST_F(ArchiveConfirm, SaysNoToAbsentOtherAndCorruptContent) {
  EXPECT_EQ(refusal(sha256(raw_)), Errc::kNotFound);
  write_unsynced(build_archive_file(name_, raw_));
  EXPECT_EQ(refusal(sha256(build_history(2, 2))), Errc::kConflict);
  disk_.flip_byte(path_, disk_.content(path_).size() - 10);
  EXPECT_EQ(refusal(sha256(raw_)), Errc::kCorrupt);
  EXPECT_TRUE(disk_.list("/archive").value().size() == 1) << "the copy stays where it is";
}

TEST_F(ArchiveConfirm, H4WritesACopyAnewThatCannotBeSynced) {
  const Bytes file = build_archive_file(name_, raw_);
  write_unsynced(file);
  disk_.fail({.operation = MemoryFileSystem::Operation::kSync, .path_part = path_});
  EXPECT_TRUE(store_.confirm(name_, sha256(raw_)).ok());
  EXPECT_TRUE(disk_.is_durable(path_));
  EXPECT_EQ(disk_.content(path_), file);
}

TEST_F(ArchiveConfirm, LeavesACopyInPlaceThatCanNeitherBeSyncedNorWrittenAnew) {
  write_unsynced(build_archive_file(name_, raw_));
  disk_.fail({.operation = MemoryFileSystem::Operation::kSync, .count = 2});
  EXPECT_EQ(refusal(sha256(raw_)), Errc::kIo);
  EXPECT_EQ(disk_.list("/archive").value().size(), 1U);
}

TEST_F(ArchiveConfirm, H4SaysNoWhenTheDirectoryCannotBeSynced) {
  write_unsynced(build_archive_file(name_, raw_));
  disk_.fail({.operation = MemoryFileSystem::Operation::kSyncDirectory});
  EXPECT_EQ(refusal(sha256(raw_)), Errc::kIo);
}

}  // namespace
}  // namespace pgwalship
