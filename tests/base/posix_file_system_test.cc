// What only the real file system can show; the rest is in file_system_contract_test.cc.
#include "base/posix_file_system.h"

#include "base/fd.h"
#include "tests/support/temp_dir.h"

#include <gtest/gtest.h>

#include <csignal>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <tuple>
#include <unistd.h>

namespace pgwalship {
namespace {

mode_t mode_of(const std::string& path) {
  struct stat found {};
  CHECK(::stat(path.c_str(), &found) == 0);
  return found.st_mode & 07777;
}

TEST(PosixFileSystem, KeepsFilesAndDirectoriesToTheOwner) {
  const TempDir dir;
  PosixFileSystem file_system;
  ASSERT_TRUE(file_system.make_directories(dir.file("a/b")).ok());
  ASSERT_TRUE(file_system.create(dir.file("a/b/file")).ok());
  EXPECT_EQ(mode_of(dir.file("a")), 0700U);
  EXPECT_EQ(mode_of(dir.file("a/b")), 0700U);
  EXPECT_EQ(mode_of(dir.file("a/b/file")), 0600U);
}

TEST(PosixFileSystem, ListsNeitherDirectoriesNorLinksNorPipes) {
  const TempDir dir;
  PosixFileSystem file_system;
  ASSERT_TRUE(file_system.create(dir.file("file")).ok());
  ASSERT_TRUE(file_system.make_directories(dir.file("directory")).ok());
  ASSERT_EQ(::symlink("file", dir.file("symlink").c_str()), 0);
  ASSERT_EQ(::mkfifo(dir.file("pipe").c_str(), 0600), 0);
  EXPECT_EQ(file_system.list(dir.path()).value(), std::vector<std::string>{"file"});
}

TEST(PosixFileSystem, OpeningAPipeFailsInsteadOfHanging) {
  const TempDir dir;
  ASSERT_EQ(::mkfifo(dir.file("pipe").c_str(), 0600), 0);
  PosixFileSystem file_system;
  EXPECT_EQ(file_system.open(dir.file("pipe")).error().code, Errc::kInvalid);
}

TEST(PosixFileSystem, ReportsTimesAndDeviceAsTheKernelDoes) {
  const TempDir dir;
  PosixFileSystem file_system;
  ASSERT_TRUE(file_system.create(dir.file("file")).ok());
  const timespec times[2] = {{.tv_sec = 1, .tv_nsec = 0}, {.tv_sec = 1'700'000'000, .tv_nsec = 5}};
  ASSERT_EQ(::utimensat(AT_FDCWD, dir.file("file").c_str(), times, 0), 0);
  struct stat expected {};
  ASSERT_EQ(::stat(dir.file("file").c_str(), &expected), 0);
  const FileStat found = file_system.stat(dir.file("file")).value();
  EXPECT_EQ(found.inode, expected.st_ino);
  EXPECT_EQ(found.device, expected.st_dev);
  EXPECT_EQ(found.modified,
            WallTime(std::chrono::seconds(1'700'000'000) + std::chrono::nanoseconds(5)));
}

TEST(PosixFileSystem, RemovesTheFileOfAKilledProcess) {
  const TempDir dir;
  const std::string path = dir.file("file");
  PosixFileSystem file_system;
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    auto file = file_system.create(path);
    std::ignore = ::write(ends[1], file.ok() ? "y" : "n", 1);
    ::pause();  // until it is killed
    ::_exit(0);
  }
  char created = 'n';
  ASSERT_EQ(::read(ends[0], &created, 1), 1);
  ASSERT_EQ(created, 'y');
  EXPECT_EQ(file_system.remove_abandoned(path).error().code, Errc::kRetry);
  ASSERT_EQ(::kill(child, SIGKILL), 0);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_TRUE(file_system.remove_abandoned(path).ok());
  EXPECT_FALSE(file_system.stat(path).ok());
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST(PosixFileSystem, FullDeviceIsNoSpace) {
  const Fd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  ASSERT_TRUE(full.valid());
  EXPECT_EQ(write_full(full.get(), as_bytes("x"), "write").error().code, Errc::kNoSpace);
}

}  // namespace
}  // namespace pgwalship
