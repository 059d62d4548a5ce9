#include "base/directory_watch.h"

#include "base/posix_file_system.h"
#include "tests/support/temp_dir.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <tuple>

namespace pgwalship {
namespace {

class DirectoryWatchTest : public testing::Test {
 protected:
  static void write(const std::string& path) { std::ofstream(path) << "x"; }
  std::string inside(const std::string& name) const { return dir_.file("watched/" + name); }

  std::set<std::string> names() {
    const DirectoryWatch::Changes changes = watch_.take();
    EXPECT_FALSE(changes.rescan);
    return {changes.names.begin(), changes.names.end()};
  }

  TempDir dir_;
  std::string path_ = [this] {
    std::filesystem::create_directory(dir_.file("watched"));
    return dir_.file("watched");
  }();
  DirectoryWatch watch_ = DirectoryWatch::open(path_).value();
};

using Names = std::set<std::string>;

TEST_F(DirectoryWatchTest, IsQuietWhileNothingHappens) {
  EXPECT_TRUE(names().empty());
  std::ifstream(inside("absent"));
  write(dir_.file("beside"));
  EXPECT_TRUE(names().empty());
}

TEST_F(DirectoryWatchTest, NamesWhatIsWrittenLinkedMovedAndRemoved) {
  write(inside("written"));
  EXPECT_EQ(names(), Names{"written"});
  write(dir_.file("outside"));
  std::filesystem::create_hard_link(dir_.file("outside"), inside("linked"));
  EXPECT_EQ(names(), Names{"linked"});
  std::filesystem::rename(dir_.file("outside"), inside("moved-in"));
  EXPECT_EQ(names(), Names{"moved-in"});
  std::filesystem::rename(inside("moved-in"), inside("renamed"));
  EXPECT_EQ(names(), (Names{"moved-in", "renamed"}));
  std::filesystem::remove(inside("renamed"));
  EXPECT_EQ(names(), Names{"renamed"});
  std::ofstream(inside("written"), std::ios::app) << "y";
  EXPECT_EQ(names(), Names{"written"});
}

TEST_F(DirectoryWatchTest, DirectoriesAreNoFiles) {
  std::filesystem::create_directory(inside("below"));
  write(inside("below/file"));
  EXPECT_TRUE(names().empty());
}

TEST_F(DirectoryWatchTest, AsksForAScanWhenEventsAreLost) {
  std::size_t limit = 0;
  std::ifstream("/proc/sys/fs/inotify/max_queued_events") >> limit;
  if (limit == 0 || limit > 100'000) {
    GTEST_SKIP() << "the queue of this machine is too long";
  }
  write(dir_.file("file"));
  for (std::size_t i = 0; i <= limit; ++i) {
    std::filesystem::create_hard_link(dir_.file("file"), inside(std::to_string(i)));
    std::filesystem::remove(inside(std::to_string(i)));
  }
  EXPECT_TRUE(watch_.take().rescan);
  write(inside("after"));
  EXPECT_EQ(names(), Names{"after"}) << "it goes on afterwards";
}

TEST_F(DirectoryWatchTest, AsksForAScanWhenTheDirectoryGoes) {
  std::filesystem::remove(path_);
  EXPECT_TRUE(watch_.take().rescan);
}

TEST_F(DirectoryWatchTest, AsksForAScanWhenTheDirectoryIsMoved) {
  std::filesystem::rename(path_, dir_.file("elsewhere"));
  EXPECT_TRUE(watch_.take().rescan);
}

TEST_F(DirectoryWatchTest, RenewedItWatchesWhatThePathNamesNow) {
  EXPECT_EQ(watch_.renew().value(), DirectoryWatch::Renewed::kSame);
  write(inside("first"));
  EXPECT_EQ(names(), Names{"first"});
  std::filesystem::rename(path_, dir_.file("elsewhere"));
  EXPECT_EQ(watch_.renew().error().code, Errc::kNotFound);
  std::filesystem::create_directory(path_);
  EXPECT_EQ(watch_.renew().value(), DirectoryWatch::Renewed::kOther);
  std::ignore = watch_.take();
  write(inside("second"));
  write(dir_.file("elsewhere/third"));
  EXPECT_EQ(names(), Names{"second"});
  EXPECT_EQ(watch_.renew().value(), DirectoryWatch::Renewed::kSame);
}

TEST(DirectoryWatch, NeedsADirectory) {
  const TempDir dir;
  EXPECT_EQ(DirectoryWatch::open(dir.file("nowhere")).error().code, Errc::kNotFound);
  std::ofstream(dir.file("file")) << "x";
  EXPECT_FALSE(DirectoryWatch::open(dir.file("file")).ok());
}

}  // namespace
}  // namespace pgwalship
