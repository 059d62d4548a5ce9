// Which fsync(2) PosixFileSystem does, and what it makes of one that fails. The linker puts
// __wrap_fsync in the place of fsync (tests/base/CMakeLists.txt).
#include "base/posix_file_system.h"
#include "tests/support/temp_dir.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <string>
#include <sys/stat.h>
#include <vector>

namespace {

struct SyncRecorder {
  std::vector<ino_t> synced;
  int next_errno = 0;  // 0: success
};

SyncRecorder& recorder() {
  static SyncRecorder instance;
  return instance;
}

}  // namespace

extern "C" {
int __real_fsync(int fd);
int __wrap_fsync(int fd);  // called instead of fsync

int __wrap_fsync(int fd) {
  struct stat found {};
  CHECK(::fstat(fd, &found) == 0);
  recorder().synced.push_back(found.st_ino);
  if (recorder().next_errno != 0) {
    errno = recorder().next_errno;
    return -1;
  }
  return __real_fsync(fd);
}
}

namespace pgwalship {
namespace {

class PosixDurability : public testing::Test {
 protected:
  PosixDurability() { recorder() = {}; }
  ~PosixDurability() override { recorder() = {}; }

  ino_t inode(const std::string& name) const {
    struct stat found {};
    CHECK(::stat(dir_.file(name).c_str(), &found) == 0);
    return found.st_ino;
  }

  using Synced = std::vector<ino_t>;
  const TempDir dir_;
  PosixFileSystem file_system_;
};

TEST_F(PosixDurability, H2SyncIsAnFsyncOfThatFile) {
  auto file = file_system_.create(dir_.file("f")).value();
  EXPECT_TRUE(recorder().synced.empty());
  ASSERT_TRUE(file->sync().ok());
  EXPECT_EQ(recorder().synced, Synced{inode("f")});
}

TEST_F(PosixDurability, H4FileOpenedForReadingIsSyncedForReal) {
  ASSERT_TRUE(file_system_.create(dir_.file("f")).ok());
  auto file = file_system_.open(dir_.file("f")).value();
  ASSERT_TRUE(file->sync().ok());
  EXPECT_EQ(recorder().synced, Synced{inode("f")});
}

TEST_F(PosixDurability, H2SyncOfADirectoryIsAnFsyncOfIt) {
  ASSERT_TRUE(file_system_.sync_directory(dir_.path()).ok());
  EXPECT_EQ(recorder().synced, Synced{inode(".")});
}

TEST_F(PosixDurability, MakeDirectoriesSyncsEveryParentThatGotAName) {
  ASSERT_TRUE(file_system_.make_directories(dir_.file("a/b/c")).ok());
  EXPECT_EQ(recorder().synced, (Synced{inode(".."), inode("."), inode("a"), inode("a/b")}));
}

TEST_F(PosixDurability, MakeDirectoriesSyncsTheNameThatSomebodyMadeAndDidNotSync) {
  ASSERT_EQ(::mkdir(dir_.file("a").c_str(), 0700), 0);
  ASSERT_TRUE(file_system_.make_directories(dir_.file("a")).ok());
  EXPECT_EQ(recorder().synced, Synced{inode(".")});
}

TEST_F(PosixDurability, FailedFsyncIsReportedAndNotTriedAgain) {
  auto file = file_system_.create(dir_.file("f")).value();
  for (const int error_number : {EIO, EINTR}) {
    recorder() = {.synced = {}, .next_errno = error_number};
    const auto synced = file->sync();
    ASSERT_FALSE(synced.ok());
    EXPECT_EQ(synced.error().code, Errc::kIo);
    EXPECT_TRUE(synced.error().message.starts_with("fsync '" + dir_.file("f") + "': "));
    EXPECT_EQ(recorder().synced.size(), 1U);
  }
}

TEST_F(PosixDurability, FullDiskAtFsyncIsNoSpace) {
  auto file = file_system_.create(dir_.file("f")).value();
  recorder().next_errno = ENOSPC;
  EXPECT_EQ(file->sync().error().code, Errc::kNoSpace);
}

TEST_F(PosixDurability, FailedFsyncOfADirectoryIsReported) {
  recorder().next_errno = EIO;
  EXPECT_EQ(file_system_.sync_directory(dir_.path()).error().message,
            "fsync directory '" + dir_.path() + "': Input/output error");
  EXPECT_EQ(file_system_.make_directories(dir_.file("a")).error().code, Errc::kIo);
}

}  // namespace
}  // namespace pgwalship
