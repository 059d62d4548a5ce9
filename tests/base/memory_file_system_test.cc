// The fault model that tests/support/memory_file_system.h states.
#include "tests/support/memory_file_system.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <set>

namespace pgwalship {
namespace {

using Operation = MemoryFileSystem::Operation;

constexpr std::uint64_t kSeeds = 300;

class MemoryFileSystemTest : public testing::Test {
 protected:
  MemoryFileSystemTest() { prepare(disk_); }

  static void prepare(MemoryFileSystem& disk) { CHECK(disk.make_directories("/d").ok()); }

  static std::unique_ptr<File> put(MemoryFileSystem& disk, const std::string& path,
                                   const std::string& content) {
    auto file = disk.create(path).value();
    CHECK(file->write_at(0, as_bytes(content)).ok());
    return file;
  }

  // Content or "-" for no such file.
  static std::string text_of(const MemoryFileSystem& disk, const std::string& path) {
    return disk.stat(path).ok() ? std::string(as_text(disk.content(path))) : "-";
  }

  // What may be found under `path` when the power fails after `work`, over many seeds.
  static std::set<std::string> outcomes(const std::string& path,
                                        const std::function<void(MemoryFileSystem&)>& work) {
    std::set<std::string> found;
    for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
      MemoryFileSystem disk;
      prepare(disk);
      work(disk);
      Random random(seed);
      disk.crash(random);
      found.insert(text_of(disk, path));
    }
    return found;
  }

  MemoryFileSystem disk_;
};

using Outcomes = std::set<std::string>;

TEST_F(MemoryFileSystemTest, H1KeepsWhatWasSyncedWithItsName) {
  EXPECT_EQ(outcomes("/d/f",
                     [](MemoryFileSystem& disk) {
                       auto file = put(disk, "/d/f", "content");
                       CHECK(file->sync().ok());
                       CHECK(disk.sync_directory("/d").ok());
                       CHECK(disk.is_durable("/d/f"));
                     }),
            Outcomes{"content"});
}

TEST_F(MemoryFileSystemTest, H1LosesTheNameWhenTheDirectoryWasNotSynced) {
  EXPECT_EQ(outcomes("/d/f",
                     [](MemoryFileSystem& disk) {
                       CHECK(put(disk, "/d/f", "content")->sync().ok());
                       CHECK(!disk.is_durable("/d/f"));
                     }),
            (Outcomes{"-", "content"}));
}

TEST_F(MemoryFileSystemTest, H1LosesTheContentWhenTheFileWasNotSynced) {
  const Outcomes found = outcomes("/d/f", [](MemoryFileSystem& disk) {
    put(disk, "/d/f", "content");
    CHECK(disk.sync_directory("/d").ok());
    CHECK(!disk.is_durable("/d/f"));
  });
  EXPECT_TRUE(found.contains("")) << "an empty file under a durable name";
  EXPECT_TRUE(found.contains("content"));
  EXPECT_FALSE(found.contains("-"));
}

TEST_F(MemoryFileSystemTest, TearsUnsyncedContentAtSectors) {
  const std::string old_content(4 * kSectorBytes, 'o');
  const std::string new_content(4 * kSectorBytes, 'n');
  const Outcomes found = outcomes("/d/f", [&](MemoryFileSystem& disk) {
    disk.plant("/d/f", as_bytes(old_content));
    auto file = put(disk, "/d/g", old_content);
    CHECK(file->sync().ok());
    CHECK(disk.rename("/d/g", "/d/f").ok());
    CHECK(disk.sync_directory("/d").ok());
    CHECK(file->write_at(0, as_bytes(new_content)).ok());
  });
  EXPECT_EQ(found.size(), 16U) << "every combination of four sectors";
  for (const std::string& content : found) {
    ASSERT_EQ(content.size(), 4 * kSectorBytes);
    for (std::size_t at = 0; at < content.size(); at += kSectorBytes) {
      EXPECT_EQ(content.substr(at, kSectorBytes), std::string(kSectorBytes, content[at]));
    }
  }
}

TEST_F(MemoryFileSystemTest, SizeMayGrowAheadOfTheContent) {
  const Outcomes found = outcomes("/d/f", [](MemoryFileSystem& disk) {
    put(disk, "/d/f", std::string(2 * kSectorBytes, 'x'));
    CHECK(disk.sync_directory("/d").ok());
  });
  EXPECT_TRUE(std::any_of(found.begin(), found.end(), [](const std::string& content) {
    return content.size() > kSectorBytes && content.ends_with('\0');
  }));
}

TEST_F(MemoryFileSystemTest, NeverTouchesSyncedSectors) {
  const std::string head(kSectorBytes, 'h');
  for (const std::string& content : outcomes("/d/f", [&](MemoryFileSystem& disk) {
         auto file = put(disk, "/d/f", head);
         CHECK(file->sync().ok());
         CHECK(disk.sync_directory("/d").ok());
         CHECK(file->write_at(kSectorBytes, as_bytes(std::string(5000, 't'))).ok());
       })) {
    EXPECT_TRUE(content.starts_with(head));
  }
}

TEST_F(MemoryFileSystemTest, RemovedNameComesBackUntilTheDirectoryIsSynced) {
  const auto remove = [](MemoryFileSystem& disk) {
    disk.plant("/d/f", as_bytes("old"));
    CHECK(disk.remove("/d/f").ok());
  };
  EXPECT_EQ(outcomes("/d/f", remove), (Outcomes{"-", "old"}));
  EXPECT_EQ(outcomes("/d/f",
                     [&](MemoryFileSystem& disk) {
                       remove(disk);
                       CHECK(disk.sync_directory("/d").ok());
                     }),
            Outcomes{"-"});
}

TEST_F(MemoryFileSystemTest, RenameIsAtomicUntilOneDirectoryIsSynced) {
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    MemoryFileSystem disk;
    CHECK(disk.make_directories("/e").ok());
    disk.plant("/d/f", as_bytes("x"));
    ASSERT_TRUE(disk.rename("/d/f", "/e/f").ok());
    Random random(seed);
    disk.crash(random);
    EXPECT_NE(disk.stat("/d/f").ok(), disk.stat("/e/f").ok()) << "seed " << seed;
  }
}

TEST_F(MemoryFileSystemTest, RenameLosesTheFileWhenOnlyTheOldDirectoryIsSynced) {
  EXPECT_EQ(outcomes("/e/f",
                     [](MemoryFileSystem& disk) {
                       CHECK(disk.make_directories("/e").ok());
                       disk.plant("/d/f", as_bytes("x"));
                       CHECK(disk.rename("/d/f", "/e/f").ok());
                       CHECK(disk.sync_directory("/d").ok());
                     }),
            (Outcomes{"-", "x"}));
}

TEST_F(MemoryFileSystemTest, CrashIsTheSameForTheSameSeed) {
  const auto run = [](std::uint64_t seed) {
    MemoryFileSystem disk;
    prepare(disk);
    for (char name = 'a'; name < 'k'; ++name) {
      put(disk, std::string("/d/") + name, std::string(3000, name));
    }
    Random random(seed);
    disk.crash(random);
    std::string found;
    for (const std::string& name : disk.list("/d").value()) {
      found += name + text_of(disk, "/d/" + name);
    }
    return found;
  };
  EXPECT_EQ(run(7), run(7));
  EXPECT_NE(run(7), run(8));
}

TEST_F(MemoryFileSystemTest, FilesFromBeforeTheCrashAreDeadAndTheirLocksGone) {
  auto file = put(disk_, "/d/f", "x");
  ASSERT_TRUE(disk_.sync_directory("/d").ok());
  Random random(1);
  disk_.crash(random);
  Bytes bytes(1);
  EXPECT_EQ(file->write_at(0, as_bytes("y")).error().code, Errc::kIo);
  EXPECT_EQ(file->read_at(0, bytes).error().code, Errc::kIo);
  EXPECT_EQ(file->sync().error().code, Errc::kIo);
  EXPECT_EQ(file->stat().error().code, Errc::kIo);
  EXPECT_EQ(file->duplicate().error().code, Errc::kIo);
  EXPECT_TRUE(disk_.remove_abandoned("/d/f").ok());
}

TEST_F(MemoryFileSystemTest, RestartLosesNothingButTheLocks) {
  auto file = put(disk_, "/d/f", "x");
  disk_.halt_after(0);
  EXPECT_FALSE(disk_.stat("/d/f").ok());
  disk_.restart();
  EXPECT_EQ(text_of(disk_, "/d/f"), "x");
  EXPECT_FALSE(disk_.is_durable("/d/f"));
  EXPECT_EQ(file->sync().error().code, Errc::kIo);
  EXPECT_TRUE(disk_.remove_abandoned("/d/f").ok());
}

TEST_F(MemoryFileSystemTest, FailsTheOperationThatTheScriptNames) {
  disk_.fail({.operation = Operation::kSync, .after = 1});
  auto file = put(disk_, "/d/f", "x");
  EXPECT_TRUE(file->sync().ok());
  const auto second = file->sync();
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, Errc::kIo);
  EXPECT_EQ(second.error().message, "fsync '/d/f': Input/output error");
  EXPECT_TRUE(file->sync().ok());
}

TEST_F(MemoryFileSystemTest, FailsOnlyThePathsThatTheScriptNames) {
  disk_.fail({.operation = Operation::kCreate,
              .error = {Errc::kNoSpace, "No space left on device", {}},
              .path_part = "/g"});
  EXPECT_TRUE(disk_.create("/d/f").ok());
  EXPECT_EQ(disk_.create("/d/g").error().code, Errc::kNoSpace);
  EXPECT_FALSE(disk_.stat("/d/g").ok());
  EXPECT_TRUE(disk_.create("/d/g").ok());
}

TEST_F(MemoryFileSystemTest, SecondSyncAfterAFailedOneSucceedsAndSavesNothing) {
  EXPECT_EQ(outcomes("/d/f",
                     [](MemoryFileSystem& disk) {
                       auto file = put(disk, "/d/f", "x");
                       CHECK(disk.sync_directory("/d").ok());
                       disk.fail({.operation = Operation::kSync});
                       CHECK(!file->sync().ok());
                       CHECK(file->sync().ok());
                       CHECK(text_of(disk, "/d/f") == "x");  // as if nothing had happened
                       CHECK(!disk.is_durable("/d/f"));
                     })
                .count("x"),
            0U);
}

TEST_F(MemoryFileSystemTest, WritingAgainAfterAFailedSyncSaves) {
  auto file = put(disk_, "/d/f", "x");
  ASSERT_TRUE(disk_.sync_directory("/d").ok());
  disk_.fail({.operation = Operation::kSync});
  ASSERT_FALSE(file->sync().ok());
  ASSERT_TRUE(file->write_at(0, as_bytes("x")).ok());
  ASSERT_TRUE(file->sync().ok());
  EXPECT_TRUE(disk_.is_durable("/d/f"));
}

TEST_F(MemoryFileSystemTest, FailedDirectorySyncMakesNothingDurable) {
  CHECK(put(disk_, "/d/f", "x")->sync().ok());
  disk_.fail({.operation = Operation::kSyncDirectory});
  EXPECT_FALSE(disk_.sync_directory("/d").ok());
  EXPECT_FALSE(disk_.is_durable("/d/f"));
}

TEST_F(MemoryFileSystemTest, FailedWriteLeavesHalf) {
  disk_.fail({.operation = Operation::kWrite});
  auto file = disk_.create("/d/f").value();
  EXPECT_EQ(file->write_at(0, as_bytes("123456")).error().code, Errc::kIo);
  EXPECT_EQ(text_of(disk_, "/d/f"), "123");
}

TEST_F(MemoryFileSystemTest, EndsWithTheFreeSpace) {
  disk_.set_free_bytes(10);
  auto file = put(disk_, "/d/f", "123456");
  EXPECT_EQ(disk_.free_bytes("/d").value(), 4U);
  const auto more = file->write_at(6, as_bytes("789012"));
  ASSERT_FALSE(more.ok());
  EXPECT_EQ(more.error().code, Errc::kNoSpace);
  EXPECT_EQ(more.error().message, "write '/d/f': No space left on device");
  EXPECT_EQ(disk_.free_bytes("/d").value(), 0U);
  EXPECT_TRUE(file->write_at(0, as_bytes("abc")).ok()) << "what is there can be overwritten";
}

TEST_F(MemoryFileSystemTest, GivesTheSpaceBackWithTheLastNameAndTheLastFile) {
  disk_.set_free_bytes(10);
  auto file = put(disk_, "/d/f", "123456");
  ASSERT_TRUE(disk_.link("/d/f", "/d/g").ok());
  ASSERT_TRUE(disk_.remove("/d/f").ok());
  ASSERT_TRUE(disk_.remove("/d/g").ok());
  EXPECT_EQ(disk_.free_bytes("/d").value(), 4U);
  file.reset();
  EXPECT_EQ(disk_.free_bytes("/d").value(), 10U);
}

TEST_F(MemoryFileSystemTest, CrashFreesWhatItLoses) {
  disk_.set_free_bytes(1000);
  disk_.plant("/d/kept", as_bytes("123"));
  put(disk_, "/d/lost", "123456");
  Random random(3);
  disk_.crash(random);
  const std::uint64_t lost_bytes = disk_.stat("/d/lost").ok() ? disk_.content("/d/lost").size() : 0;
  EXPECT_EQ(disk_.free_bytes("/d").value(), 1000U - 3U - lost_bytes);
}

TEST_F(MemoryFileSystemTest, HaltsAtTheChosenStep) {
  disk_.halt_after(2);
  auto file = disk_.create("/d/f").value();
  EXPECT_TRUE(file->write_at(0, as_bytes("x")).ok());
  EXPECT_TRUE(disk_.halted());
  EXPECT_EQ(file->sync().error().code, Errc::kIo);
  EXPECT_EQ(disk_.list("/d").error().code, Errc::kIo);
  EXPECT_EQ(disk_.open("/d/f").error().code, Errc::kIo);
  EXPECT_EQ(disk_.sync_directory("/d").error().message,
            "fsync directory '/d': the machine has halted");
  Random random(1);
  disk_.crash(random);
  EXPECT_FALSE(disk_.halted());
  EXPECT_TRUE(disk_.list("/d").ok());
}

TEST_F(MemoryFileSystemTest, HaltAtEveryStepOfADurablePutLeavesAllOrNothingUnderTheName) {
  const std::string content(1500, 'c');
  const auto durable_put = [&](MemoryFileSystem& disk) -> Result<void> {
    TRY_ASSIGN(auto file, disk.create("/d/tmp"));
    TRY(file->write_at(0, as_bytes(content)));
    TRY(file->sync());
    TRY(disk.link("/d/tmp", "/d/f"));
    return disk.sync_directory("/d");
  };
  MemoryFileSystem whole;
  prepare(whole);
  const std::uint64_t start = whole.mutations();
  ASSERT_TRUE(durable_put(whole).ok());
  const std::uint64_t steps = whole.mutations() - start;
  ASSERT_EQ(steps, 5U);
  for (std::uint64_t step = 0; step <= steps; ++step) {
    bool acknowledged = false;
    const Outcomes found = outcomes("/d/f", [&](MemoryFileSystem& disk) {
      disk.halt_after(step);
      acknowledged = durable_put(disk).ok();
    });
    EXPECT_EQ(acknowledged, step == steps);
    for (const std::string& outcome : found) {
      EXPECT_TRUE(outcome == content || (outcome == "-" && !acknowledged)) << "step " << step;
    }
  }
}

TEST_F(MemoryFileSystemTest, H2LogsTheOrderOfWhatChanges) {
  disk_.clear_operations();
  auto file = put(disk_, "/d/t", "x");
  CHECK(file->sync().ok());
  CHECK(disk_.link("/d/t", "/d/f").ok());
  CHECK(!disk_.link("/d/t", "/d/f").ok());
  CHECK(disk_.sync_directory("/d").ok());
  CHECK(disk_.remove("/d/t").ok());
  CHECK(disk_.rename("/d/f", "/d/g").ok());
  CHECK(disk_.make_directories("/e/f").ok());
  EXPECT_EQ(disk_.operations(),
            (std::vector<std::string>{"create /d/t", "write /d/t", "sync /d/t", "link /d/t /d/f",
                                      "link /d/t /d/f failed", "syncdir /d", "remove /d/t",
                                      "rename /d/f /d/g", "mkdir /e", "mkdir /e/f"}));
}

TEST_F(MemoryFileSystemTest, PlantedFileIsDurableAndDecaysOnRequest) {
  disk_.plant("/deep/down/f", as_bytes("abc"));
  EXPECT_TRUE(disk_.is_durable("/deep/down/f"));
  disk_.flip_byte("/deep/down/f", 1);
  EXPECT_EQ(text_of(disk_, "/deep/down/f"), "acc");
  Random random(1);
  disk_.crash(random);
  EXPECT_EQ(text_of(disk_, "/deep/down/f"), "acc");
}

}  // namespace
}  // namespace pgwalship
