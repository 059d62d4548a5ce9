#include "tests/support/memory_file_system.h"
#include "wal/archive_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace pgwalship {
namespace {

using Operation = MemoryFileSystem::Operation;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

const std::string kDirectory = "/archive";
const std::string kTmp = "/archive/.pgwalship/tmp";

class ArchiveProbe : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(store_.prepare().ok());
    disk_.clear_operations();
  }
  std::vector<std::string> temporary() const { return disk_.list(kTmp).value(); }

  MemoryFileSystem disk_;
  ArchiveStore store_{disk_, {.directory = kDirectory, .minimum_free_bytes = 1000, .seed = 1}};
  Bytes bytes_ = Bytes(5000, std::byte{0x5A});
};

TEST_F(ArchiveProbe, DoesWhatAPutDoesAndLeavesNothing) {
  const auto back = store_.probe(bytes_);
  ASSERT_TRUE(back.ok()) << back.error().text();
  EXPECT_EQ(back.value(), bytes_);
  EXPECT_THAT(temporary(), IsEmpty());
  EXPECT_THAT(disk_.list(kDirectory).value(), IsEmpty()) << "never a name beside those of WAL";
  EXPECT_THAT(disk_.operations(),
              ElementsAre(StartsWith("create " + kTmp + "/probe."), StartsWith("write "),
                          StartsWith("sync "), StartsWith("link "),
                          EndsWith(" " + kDirectory + "/.pgwalship-probe"),
                          "remove " + kDirectory + "/.pgwalship-probe", "syncdir " + kTmp,
                          "syncdir " + kDirectory, StartsWith("remove "), StartsWith("remove ")));
}

TEST_F(ArchiveProbe, FailsAsAPutWouldAndLeavesNothing) {
  for (const Operation operation :
       {Operation::kCreate, Operation::kWrite, Operation::kSync, Operation::kLink,
        Operation::kSyncDirectory, Operation::kOpen, Operation::kRead}) {
    disk_.fail({.operation = operation});
    const auto back = store_.probe(bytes_);
    ASSERT_FALSE(back.ok()) << static_cast<int>(operation);
    EXPECT_THAT(back.error().message, StartsWith("write a probe: "));
    EXPECT_THAT(temporary(), IsEmpty()) << static_cast<int>(operation);
    disk_.clear_faults();
  }
}

// tmp/ may be written to, and no segment can get its name: mode 500, or another user's.
TEST_F(ArchiveProbe, FailsWhereTheArchiveItselfTakesNoName) {
  disk_.fail({.operation = Operation::kLink, .path_part = ".pgwalship-probe"});
  const auto back = store_.probe(bytes_);
  ASSERT_FALSE(back.ok());
  EXPECT_THAT(temporary(), IsEmpty());
}

TEST_F(ArchiveProbe, AnotherProbeMayHaveTheNameOrACrash) {
  disk_.plant(kDirectory + "/.pgwalship-probe", Bytes(1));
  EXPECT_TRUE(store_.probe(bytes_).ok());
  EXPECT_THAT(disk_.list(kDirectory).value(), IsEmpty());
  disk_.plant(kDirectory + "/.pgwalship-probe", Bytes(1));
  disk_.fail({.operation = Operation::kRemove, .path_part = ".pgwalship-probe"});
  EXPECT_FALSE(store_.probe(bytes_).ok()) << "what cannot be taken away tells the same";
}

TEST_F(ArchiveProbe, H16BelowMinimumFreeItFailsWithAHint) {
  disk_.set_free_bytes(900);
  const auto back = store_.probe(Bytes(10));
  ASSERT_FALSE(back.ok());
  EXPECT_EQ(back.error().code, Errc::kNoSpace);
  EXPECT_THAT(back.error().text(), HasSubstr("HINT"));
}

TEST_F(ArchiveProbe, WhatACrashLeavesIsSweptByTheNextProcess) {
  std::uint64_t steps = 0;
  for (bool finished = false; !finished; ++steps) {
    disk_.halt_after(steps);
    finished = store_.probe(bytes_).ok() && !disk_.halted();
    disk_.restart();
    ArchiveStore next(disk_, {.directory = kDirectory, .seed = 2 + steps});
    ASSERT_TRUE(next.prepare().ok());
    EXPECT_THAT(temporary(), IsEmpty()) << "after step " << steps;
  }
  EXPECT_GT(steps, 6U);
}

}  // namespace
}  // namespace pgwalship
