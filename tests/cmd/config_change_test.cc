#include "cmd/config_change.h"

#include "base/posix_file_system.h"
#include "tests/support/temp_dir.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace pgwalship {
namespace {

using std::chrono::seconds;

class ConfigChangeTest : public testing::Test {
 protected:
  void SetUp() override {
    write("name = main\nquorum = NONE\n");
    running_ = load_config(path_).value();
    change_.emplace(file_system_, running_, 1);
  }
  // Under another inode each time, as editors do it.
  void write(const std::string& cluster) {
    std::ofstream(path_ + ".new") << "[cluster]\n"
                                  << cluster << "[archive]\ndirectory = " << dir_.path() << "\n";
    std::filesystem::rename(path_ + ".new", path_);
  }
  bool has_happened() {
    now_ += seconds(10);
    change_->has_happened(now_);  // what it finds it tells some seconds later
    now_ += seconds(6);
    return change_->has_happened(now_);
  }

  TempDir dir_;
  std::string path_ = dir_.file("pgwalship.conf");
  PosixFileSystem file_system_;
  Config running_;
  std::optional<ConfigChange> change_;
  TimePoint now_{seconds(100)};
};

TEST_F(ConfigChangeTest, TellsAnotherConfigurationAndNothingElse) {
  EXPECT_FALSE(has_happened());
  write("# a comment\nname = main\nquorum = NONE\n");
  EXPECT_FALSE(has_happened());
  write("name = other\nquorum = NONE\n");
  EXPECT_TRUE(has_happened());
}

TEST_F(ConfigChangeTest, WhatCannotBeReadIsNoChange) {
  write("name = main\nquorum = AL");
  EXPECT_FALSE(has_happened());
  std::filesystem::remove(path_);
  EXPECT_FALSE(has_happened());
  write("name = other\nquorum = NONE\n");
  EXPECT_TRUE(has_happened());
}

TEST_F(ConfigChangeTest, WhatAReceiverHasNoUseForIsNoChange) {
  EXPECT_FALSE(has_happened());
  write("name = main\nquorum = NONE\n[daemon]\nlog-level = error\n");
  EXPECT_FALSE(has_happened());
}

TEST_F(ConfigChangeTest, WhatIsTakenBackAtOnceIsNoChange) {
  write("name = other\nquorum = NONE\n");
  change_->has_happened(now_);
  write("name = main\nquorum = NONE\n");
  EXPECT_FALSE(has_happened());
}

TEST_F(ConfigChangeTest, LooksNotAllTheTime) {
  EXPECT_FALSE(has_happened());
  write("name = other\nquorum = NONE\n");
  EXPECT_FALSE(change_->has_happened(now_ + seconds(1)));
  EXPECT_TRUE(has_happened());
}

}  // namespace
}  // namespace pgwalship
