#include "wal/archive_lock.h"

#include "tests/support/memory_file_system.h"
#include "wal/archive_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pgwalship {
namespace {

using testing::HasSubstr;

class ArchiveLockTest : public testing::Test {
 protected:
  ArchiveLockTest() { EXPECT_TRUE(store().prepare().ok()); }

  ArchiveStore store() { return {file_system_, {.directory = "/archive", .seed = 1}}; }
  Result<std::unique_ptr<File>> lock() { return lock_for_daemon(file_system_, layout_); }

  MemoryFileSystem file_system_;
  const ArchiveLayout layout_{"/archive"};
};

TEST_F(ArchiveLockTest, H46ASecondDaemonOfAnArchiveIsRefused) {
  const auto first = lock();
  ASSERT_TRUE(first.ok());
  const auto second = lock();
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, Errc::kAlreadyExists);
  EXPECT_THAT(second.error().message,
              HasSubstr("another pgwalshipd serves the archive '/archive'"));
  EXPECT_THAT(second.error().hint, HasSubstr("[archive] directory"));
}

TEST_F(ArchiveLockTest, H46TheLockOfADeadDaemonDoesNotCount) {
  ASSERT_TRUE(lock().ok());  // and let go at once, as by a kill: the file stays
  EXPECT_TRUE(file_system_.stat(layout_.daemon_lock_file()).ok());
  EXPECT_TRUE(lock().ok());
}

TEST_F(ArchiveLockTest, H46AReceiverThatStartsLeavesTheLockAlone) {
  const auto daemon = lock();
  ASSERT_TRUE(daemon.ok());
  EXPECT_TRUE(store().prepare().ok());
  EXPECT_FALSE(lock().ok());
}

}  // namespace
}  // namespace pgwalship
