#include "wal/spool.h"

#include "base/posix_file_system.h"
#include "tests/support/memory_file_system.h"
#include "tests/support/segment_builder.h"
#include "tests/support/temp_dir.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace pgwalship {
namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;

const WalName kName = name_of({});
const Bytes kRaw = build_segment({});
const FileFacts kFacts = facts_of(kName, kRaw);

// Until the clock of its file system has moved, so that the change shows.
void overwrite_one_byte(const std::string& path) {
  const auto before = fs::last_write_time(path);
  while (fs::last_write_time(path) == before) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(70000);
    file.put(static_cast<char>(std::to_integer<int>(kRaw[70000]) ^ 1));
  }
}

class SpoolTest : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(dir_.file(".pgwalship/tmp"));
    ASSERT_TRUE(spool_.prepare().ok());
  }

  Spool::Options options(const std::string& boot) const {
    return {.directory = dir_.path(), .boot = boot, .seed = 1};
  }
  std::string put(ByteView raw = kRaw) {
    const auto file = spool_.create(kName, kFacts);
    EXPECT_TRUE(file.ok());
    file.value()->append(raw);
    return spool_.publish(*file.value());
  }
  bool finds(const Spool& spool, const FileFacts& facts = kFacts, seconds age = seconds(0)) {
    return spool.find(kName, facts, clock_.wall() + age).has_value();
  }
  std::size_t files() const {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(dir_.file(".pgwalship/ahead")), {}) +
        std::distance(fs::directory_iterator(dir_.file(".pgwalship/tmp")), {}));
  }

  TempDir dir_;
  PosixFileSystem file_system_;
  SystemClock clock_;
  Spool spool_{file_system_, options("a boot")};
};

TEST_F(SpoolTest, WhatWasPublishedIsFoundByAnotherProcess) {
  const std::string path = put();
  ASSERT_NE(path, "");
  const Spool client(file_system_, options("a boot"));
  const auto found = client.find(kName, kFacts, clock_.wall());
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->path, path);
  Bytes read(kRaw.size() + 1);
  EXPECT_EQ(found->file->read_at(0, read).value(), kRaw.size());
  EXPECT_TRUE(std::equal(kRaw.begin(), kRaw.end(), read.begin()));
}

TEST_F(SpoolTest, H51NothingIsFoundBeforeItIsWholeAndNamed) {
  const auto file = spool_.create(kName, kFacts);
  ASSERT_TRUE(file.ok());
  file.value()->append(kRaw);
  EXPECT_FALSE(finds(spool_));
  EXPECT_EQ(put(ByteView(kRaw).first(kRaw.size() - 1)), "");
  EXPECT_FALSE(finds(spool_));
  EXPECT_EQ(files(), 1U) << "the one that is still written";
}

TEST_F(SpoolTest, H51AFileThatSomebodyWroteToIsNotFound) {
  const std::string path = put();
  ASSERT_TRUE(finds(spool_));
  overwrite_one_byte(path);
  EXPECT_FALSE(finds(spool_));
}

TEST_F(SpoolTest, H51AFileThatWasCopiedBackIsNotFound) {
  const std::string path = put();
  fs::copy_file(path, dir_.file("copy"));
  fs::last_write_time(dir_.file("copy"), fs::last_write_time(path));
  fs::rename(dir_.file("copy"), path);
  EXPECT_FALSE(finds(spool_));
}

TEST_F(SpoolTest, H51OtherContentThanTheArchivesIsNotFound) {
  put();
  SegmentSpec other;
  other.seed = 2;
  EXPECT_FALSE(finds(spool_, facts_of(kName, build_segment(other))));
  EXPECT_TRUE(finds(spool_));
}

TEST_F(SpoolTest, H51AnOldFileAndOneFromTheFutureAreNotFound) {
  put();
  EXPECT_TRUE(finds(spool_, kFacts, kSpoolFresh - seconds(5)));
  EXPECT_FALSE(finds(spool_, kFacts, kSpoolFresh + seconds(1)));
  EXPECT_FALSE(finds(spool_, kFacts, -seconds(10)));
}

TEST_F(SpoolTest, H51WhatWasWrittenBeforeTheMachineStartedIsNotFound) {
  put();
  EXPECT_TRUE(finds(spool_));
  EXPECT_FALSE(finds(Spool(file_system_, options("the next boot"))));
  EXPECT_FALSE(finds(Spool(file_system_, options(""))));
  EXPECT_FALSE(Spool(file_system_, options("")).create(kName, kFacts).ok());
}

TEST_F(SpoolTest, TheMachineTellsItsBoot) {
  EXPECT_FALSE(boot_of_machine(file_system_).empty());
  EXPECT_EQ(boot_of_machine(file_system_), boot_of_machine(file_system_));
}

TEST_F(SpoolTest, H30TheNextDaemonBeginsWithAnEmptySpool) {
  const std::string path = put();
  Spool next(file_system_, options("a boot"));
  ASSERT_TRUE(next.prepare().ok());
  EXPECT_FALSE(fs::exists(path));
}

TEST(Spool, H16KeepsMinimumFree) {
  MemoryFileSystem disk;
  ASSERT_TRUE(disk.make_directories("/archive/.pgwalship/tmp").ok());
  Spool spool(disk, {.directory = "/archive", .boot = "a boot", .minimum_free_bytes = 1000});
  ASSERT_TRUE(spool.prepare().ok());
  disk.set_free_bytes(kRaw.size() + 999);
  const auto refused = spool.create(kName, kFacts);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Errc::kNoSpace);
  disk.set_free_bytes(kRaw.size() + 1000);
  EXPECT_TRUE(spool.create(kName, kFacts).ok());
}

TEST(Spool, H16AWriteThatFailsLeavesNothing) {
  MemoryFileSystem disk;
  ASSERT_TRUE(disk.make_directories("/archive/.pgwalship/tmp").ok());
  Spool spool(disk, {.directory = "/archive", .boot = "a boot"});
  ASSERT_TRUE(spool.prepare().ok());
  {
    const auto file = spool.create(kName, kFacts);
    ASSERT_TRUE(file.ok());
    disk.set_free_bytes(0);
    file.value()->append(kRaw);
    EXPECT_EQ(spool.publish(*file.value()), "");
  }
  EXPECT_TRUE(disk.list("/archive/.pgwalship/ahead").value().empty());
  EXPECT_TRUE(disk.list("/archive/.pgwalship/tmp").value().empty());
}

}  // namespace
}  // namespace pgwalship
