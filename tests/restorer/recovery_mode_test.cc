#include "restorer/recovery_mode.h"

#include "base/posix_file_system.h"
#include "tests/support/temp_dir.h"

#include <gtest/gtest.h>

#include <fstream>

namespace pgwalship {
namespace {

class RecoveryModeTest : public testing::Test {
 protected:
  RecoveryMode mode() const { return find_recovery_mode(PosixFileSystem(), dir_.path()); }
  void touch(const std::string& name) const { std::ofstream(dir_.file(name)).flush(); }

  TempDir dir_;
};

TEST_F(RecoveryModeTest, WithoutSignalFilesAPersonAsks) {
  EXPECT_EQ(mode(), RecoveryMode::kManual);
}

TEST_F(RecoveryModeTest, RecoverySignalAloneIsATargetedRecovery) {
  touch("recovery.signal");
  EXPECT_EQ(mode(), RecoveryMode::kRecovery);
}

TEST_F(RecoveryModeTest, StandbySignalWins) {
  touch("standby.signal");
  EXPECT_EQ(mode(), RecoveryMode::kStandby);
  touch("recovery.signal");
  EXPECT_EQ(mode(), RecoveryMode::kStandby);
}

TEST_F(RecoveryModeTest, H36ServersWithoutSignalFilesAreTakenForARecovery) {
  EXPECT_FALSE(is_before_signal_files(PosixFileSystem(), dir_.path()));
  touch("recovery.conf");
  EXPECT_TRUE(is_before_signal_files(PosixFileSystem(), dir_.path()));
  EXPECT_EQ(mode(), RecoveryMode::kRecovery);
}

TEST_F(RecoveryModeTest, H36WhatCannotBeLookedAtIsTakenForARecovery) {
  touch("file");
  EXPECT_EQ(find_recovery_mode(PosixFileSystem(), dir_.file("file")), RecoveryMode::kRecovery);
}

}  // namespace
}  // namespace pgwalship
