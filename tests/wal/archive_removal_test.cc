#include "tests/support/memory_file_system.h"
#include "wal/archive_store.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace pgwalship {
namespace {

using Operation = MemoryFileSystem::Operation;

WalName name(std::string_view text) {
  return WalName::parse(text).value();
}
WalName segment(std::uint32_t number) {
  return WalName::segment_at(1, std::uint64_t{number} << 24U, 1U << 24U);
}

class ArchiveRemoval : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(store_.prepare().ok());
    for (std::uint32_t number = 1; number <= 4; ++number) {
      plant(segment(number));
    }
  }

  void plant(const WalName& what) {
    disk_.plant("/archive/" + what.text() + ".gz", as_bytes("content"));
  }
  std::vector<std::string> names() const {
    std::vector<std::string> texts;
    for (const WalName& present : store_.list().value()) {
      texts.push_back(present.text());
    }
    return texts;
  }
  bool holds(const WalName& what) const {
    return disk_.stat("/archive/" + what.text() + ".gz").ok();
  }

  MemoryFileSystem disk_;
  ArchiveStore store_{disk_, {.directory = "/archive"}};
};

TEST_F(ArchiveRemoval, RecordsAFloorThatOnlyRises) {
  EXPECT_EQ(store_.floor().value(), 0U);
  ASSERT_TRUE(store_.raise_floor(segment(3).position()).ok());
  EXPECT_EQ(disk_.content("/archive/.pgwalship/floor").size(), 17U);
  EXPECT_TRUE(disk_.is_durable("/archive/.pgwalship/floor"));
  ASSERT_TRUE(store_.raise_floor(segment(2).position()).ok());
  EXPECT_EQ(store_.floor().value(), segment(3).position());
}

TEST_F(ArchiveRemoval, RecordsWhatTheOwnServerNeedsUpAndDown) {
  EXPECT_EQ(store_.needs().value(), 0U);
  ASSERT_TRUE(store_.record_needs(segment(3).position()).ok());
  ASSERT_TRUE(store_.record_needs(segment(2).position()).ok()) << "it was restored from a backup";
  EXPECT_EQ(store_.needs().value(), segment(2).position());
}

TEST_F(ArchiveRemoval, RefusesAFloorItCannotRead) {
  disk_.plant("/archive/.pgwalship/floor", as_bytes("12\n"));
  EXPECT_EQ(store_.floor().error().code, Errc::kCorrupt);
  EXPECT_FALSE(store_.remove_expired(std::vector{segment(1)}).ok());
  EXPECT_TRUE(holds(segment(1)));
}

TEST_F(ArchiveRemoval, TakesNothingAwayThatIsNotBelowTheRecordedFloor) {
  ASSERT_TRUE(store_.raise_floor(segment(3).position()).ok());
  plant(name("00000002.history"));
  for (const WalName& kept : {segment(3), name("00000002.history")}) {
    const auto refused = store_.remove_expired(std::vector{segment(1), kept});
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code, Errc::kInvalid);
    EXPECT_TRUE(holds(segment(1))) << "not even what may go";
  }
}

TEST_F(ArchiveRemoval, SyncsTheDirectoryOnceForAllAndLeavesNoLock) {
  ASSERT_TRUE(store_.raise_floor(segment(4).position()).ok());
  disk_.clear_operations();
  const auto removed = store_.remove_expired(std::vector{segment(1), segment(2), segment(3)});
  ASSERT_TRUE(removed.ok()) << removed.error().message;
  EXPECT_EQ(removed.value().files, 3U);
  EXPECT_EQ(names(), std::vector{segment(4).text()});
  const auto done = disk_.operations();
  EXPECT_EQ(std::count(done.begin(), done.end(), "syncdir /archive"), 1);
  EXPECT_EQ(done.back(), "syncdir /archive");
  EXPECT_TRUE(disk_.list("/archive/.pgwalship/tmp").value().empty());
  EXPECT_EQ(store_.remove_expired(std::vector{segment(1)}).value().files, 0U) << "gone already";
}

TEST_F(ArchiveRemoval, LeavesANameThatAnotherProcessReplaces) {
  ASSERT_TRUE(store_.raise_floor(segment(4).position()).ok());
  const auto lock = disk_.create("/archive/.pgwalship/tmp/" + segment(2).text() + ".lock").value();
  const auto removed = store_.remove_expired(std::vector{segment(1), segment(2), segment(3)});
  ASSERT_TRUE(removed.ok());
  EXPECT_EQ(removed.value().files, 2U);
  EXPECT_EQ(removed.value().busy, 1U);
  EXPECT_TRUE(holds(segment(2)));
}

TEST_F(ArchiveRemoval, TellsSizesAndTimes) {
  const auto files = store_.inventory();
  ASSERT_TRUE(files.ok());
  ASSERT_EQ(files.value().size(), 4U);
  EXPECT_EQ(files.value().front().name, segment(1));
  EXPECT_EQ(files.value().front().bytes, 7U);
}

// Whatever the moment of the power failure: what is gone is below the recorded floor, what is not
// below it is there, and the next run ends what this one began.
TEST_F(ArchiveRemoval, H37LosesNothingAboveTheFloorInACrashAtAnyStep) {
  for (std::uint64_t steps = 0;; ++steps) {
    MemoryFileSystem disk;
    const auto path = [](std::uint32_t number) {
      return "/archive/" + segment(number).text() + ".gz";
    };
    for (std::uint32_t number = 1; number <= 4; ++number) {
      disk.plant(path(number), as_bytes("content"));
    }
    ArchiveStore before(disk, {.directory = "/archive", .seed = 1});
    ASSERT_TRUE(before.prepare().ok());
    disk.halt_after(steps);
    const std::vector<WalName> expired{segment(1), segment(2)};
    const bool whole = before.raise_floor(segment(3).position()).ok() &&
                       before.remove_expired(expired).ok() && !disk.halted();
    Random random(steps + 1);
    disk.crash(random);

    ArchiveStore after(disk, {.directory = "/archive", .seed = 2});
    ASSERT_TRUE(after.prepare().ok());
    const auto floor = after.floor();
    ASSERT_TRUE(floor.ok()) << "never half a floor, after " << steps << " steps";
    for (std::uint32_t number = 1; number <= 4; ++number) {
      if (!disk.stat(path(number)).ok()) {
        EXPECT_TRUE(segment(number).is_below(floor.value())) << number << " after " << steps;
      }
    }
    EXPECT_TRUE(!whole || floor.value() == segment(3).position());
    ASSERT_TRUE(after.raise_floor(segment(3).position()).ok());
    ASSERT_TRUE(after.remove_expired(expired).ok());
    EXPECT_EQ(after.list().value().size(), 2U);
    EXPECT_TRUE(disk.list("/archive/.pgwalship/tmp").value().empty());
    if (whole) {
      EXPECT_GT(steps, 5U);
      break;
    }
  }
}

TEST_F(ArchiveRemoval, SaysSoWhenTheDiskRefuses) {
  ASSERT_TRUE(store_.raise_floor(segment(4).position()).ok());
  disk_.fail({.operation = Operation::kRemove, .path_part = segment(2).text() + ".gz"});
  EXPECT_EQ(store_.remove_expired(std::vector{segment(1), segment(2), segment(3)}).error().code,
            Errc::kIo);
  EXPECT_FALSE(holds(segment(1)));
  EXPECT_TRUE(holds(segment(3)));
}

}  // namespace
}  // namespace pgwalship
