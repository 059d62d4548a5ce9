#include "tests/support/memory_file_system.h"
#include "tests/support/segment_builder.h"
#include "wal/archive_store.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

namespace pgwalship {
namespace {

using Operation = MemoryFileSystem::Operation;

const std::string kDirectory = "/archive";
const std::string kTmp = "/archive/.pgwalship/tmp";
const std::string kQuarantine = "/archive/.pgwalship/quarantine";

Bytes noise_file() {
  return Bytes(300, std::byte{0x5A});
}

Result<PutOutcome> put(ArchiveStore& store, const WalName& name, ByteView file) {
  TRY_ASSIGN(const auto staged, store.stage(name));
  TRY(staged->append(file));
  return store.commit(*staged, {.file_bytes = file.size(), .file_crc32 = crc32(0, file)});
}

// What is put, over what was there. One World is one run.
struct Case {
  std::string title;
  WalName name;
  Bytes file;
  std::function<void(MemoryFileSystem&, const std::string& path)> before;
  Errc refused = Errc::kIo;  // kConflict: that is what the put has to end with
};

void PrintTo(const Case& what, std::ostream* out) {
  *out << what.title;
}

struct World {
  explicit World(const Case& what) : subject(what) {
    EXPECT_TRUE(store().prepare().ok());
    if (subject.before) {
      subject.before(disk, path());
    }
  }

  std::string path() const { return kDirectory + "/" + subject.name.text() + ".gz"; }
  // A store of a new process.
  ArchiveStore& store() {
    store_ = std::make_unique<ArchiveStore>(
        disk, ArchiveStore::Options{.directory = kDirectory, .seed = ++processes_});
    return *store_;
  }
  Result<PutOutcome> put_now() { return put(*store_, subject.name, subject.file); }

  // G2, G3: under the name is what was there before, or all of what was put, or nothing.
  void expect_nothing_partial(const Bytes& before) const {
    if (disk.stat(path()).ok()) {
      const Bytes found = disk.content(path());
      EXPECT_TRUE(found == subject.file || found == before);
    }
  }
  bool holds(const Bytes& content) const {
    for (const std::string& directory : {kDirectory, kQuarantine}) {
      for (const std::string& file : disk.list(directory).value()) {
        if (disk.content(directory + "/" + file) == content) {
          return true;
        }
      }
    }
    return false;
  }
  void expect_success_now() {
    const auto result = put_now();
    if (subject.refused == Errc::kConflict) {
      ASSERT_FALSE(result.ok());
      EXPECT_EQ(result.error().code, Errc::kConflict) << result.error().message;
      EXPECT_TRUE(holds(subject.file));
      return;
    }
    ASSERT_TRUE(result.ok()) << result.error().message;
    EXPECT_TRUE(disk.is_durable(path()));
    EXPECT_TRUE(store_->verify(subject.name).ok());
  }

  MemoryFileSystem disk;
  const Case& subject;

 private:
  std::uint64_t processes_ = 0;
  std::unique_ptr<ArchiveStore> store_;
};

WalName history() {
  return WalName::parse("00000002.history").value();
}
Bytes history_file(std::uint64_t seed) {
  return build_archive_file(history(), build_history(2, seed));
}

void write_unsynced(MemoryFileSystem& disk, const std::string& path, ByteView content) {
  const auto file = disk.create(path).value();
  ASSERT_TRUE(file->write_at(0, content).ok());
}

std::vector<Case> all_cases() {
  const SegmentSpec spec;
  const auto planted = [](const Bytes& content) {
    return
        [content](MemoryFileSystem& disk, const std::string& path) { disk.plant(path, content); };
  };
  return {
      {"new history", history(), history_file(1), nullptr},
      {"new segment", name_of(spec), build_archive_file(name_of(spec), build_segment(spec)),
       nullptr},
      {"identical", history(), history_file(1), planted(history_file(1))},
      {"identical legacy, not synced", history(), history_file(1),
       [](MemoryFileSystem& disk, const std::string& path) {
         write_unsynced(disk, path, build_legacy_file(build_history(2, 1), {}));
       }},
      {"over a corrupt copy", history(), history_file(1), planted(noise_file())},
      {"conflict", history(), history_file(2), planted(history_file(1)), Errc::kConflict},
  };
}

class ArchiveCrash : public testing::TestWithParam<Case> {
 protected:
  std::uint64_t steps() const {
    World world(GetParam());
    const std::uint64_t before = world.disk.mutations();
    std::ignore = world.put_now();
    return world.disk.mutations() - before;
  }
  Bytes content_before() const {
    const World world(GetParam());
    return world.disk.stat(world.path()).ok() ? world.disk.content(world.path()) : Bytes();
  }
  // Every crash of a segment costs a second under the sanitizers.
  std::uint64_t seeds() const { return GetParam().file.size() > 10000 ? 2 : 40; }
};

TEST_P(ArchiveCrash, H1PowerFailsAtEveryStep) {
  const Bytes before = content_before();
  const std::uint64_t all = steps();
  ASSERT_GE(all, 5U);
  for (std::uint64_t step = 0; step <= all; ++step) {
    for (std::uint64_t seed = 0; seed < seeds(); ++seed) {
      SCOPED_TRACE("step " + std::to_string(step) + " seed " + std::to_string(seed));
      World world(GetParam());
      world.disk.halt_after(step);
      const bool acknowledged = world.put_now().ok();
      Random random(seed);
      world.disk.crash(random);
      ArchiveStore& store = world.store();
      const bool unsynced_before = GetParam().title.find("not synced") != std::string::npos;
      if (!unsynced_before) {
        world.expect_nothing_partial(before);
        EXPECT_TRUE(before.empty() || world.holds(before));
      }
      if (acknowledged) {
        EXPECT_TRUE(store.verify(GetParam().name).ok());
        EXPECT_TRUE(!GetParam().name.is_wal() || store.system_id().value() == kTestSystemId);
      }
      ASSERT_TRUE(store.prepare().ok());
      EXPECT_TRUE(world.disk.list(kTmp).value().empty());
      world.expect_success_now();
      EXPECT_TRUE(world.disk.list(kTmp).value().empty());
    }
  }
}

TEST_P(ArchiveCrash, H3TheProcessDiesAtEveryStepAndPowerFailsAfterTheNextPush) {
  const Bytes before = content_before();
  const std::uint64_t all = steps();
  for (std::uint64_t step = 0; step <= all; ++step) {
    for (std::uint64_t seed = 0; seed < seeds() / 2; ++seed) {
      SCOPED_TRACE("step " + std::to_string(step) + " seed " + std::to_string(seed));
      World world(GetParam());
      world.disk.halt_after(step);
      std::ignore = world.put_now();
      world.disk.restart();
      world.expect_nothing_partial(before);
      world.store();  // does not prepare(): a receiver may come before the daemon is back
      world.expect_success_now();
      Random random(seed);
      world.disk.crash(random);
      ArchiveStore& store = world.store();
      EXPECT_TRUE(store.verify(GetParam().name).ok());
      EXPECT_TRUE(!GetParam().name.is_wal() || store.system_id().value() == kTestSystemId);
    }
  }
}

TEST_P(ArchiveCrash, H16EveryOperationFailsOnce) {
  const Bytes before = content_before();
  for (const Operation operation :
       {Operation::kCreate, Operation::kOpen, Operation::kRead, Operation::kWrite, Operation::kSync,
        Operation::kLink, Operation::kRemove, Operation::kSyncDirectory, Operation::kStat}) {
    for (const Errc code : {Errc::kNoSpace, Errc::kIo}) {
      for (std::uint64_t after = 0; after < 6; ++after) {
        SCOPED_TRACE("operation " + std::to_string(static_cast<int>(operation)) + " after " +
                     std::to_string(after));
        World world(GetParam());
        world.disk.fail({.operation = operation, .error = {code, "failed", ""}, .after = after});
        const auto result = world.put_now();
        world.disk.clear_faults();
        world.expect_nothing_partial(before);
        if (!result.ok() && result.error().code == Errc::kNoSpace) {
          EXPECT_FALSE(result.error().hint.empty());
        }
        if (result.ok()) {
          EXPECT_TRUE(world.disk.is_durable(world.path()));
        } else {
          EXPECT_TRUE(result.error().code == code || result.error().code == Errc::kConflict)
              << result.error().message;
        }
        if (operation != Operation::kRemove) {
          EXPECT_TRUE(world.disk.list(kTmp).value().empty());
        }
        world.expect_success_now();
      }
    }
  }
}

TEST_P(ArchiveCrash, H16TheDiskIsFullAtEverySize) {
  const Bytes before = content_before();
  const std::uint64_t step_bytes = GetParam().file.size() / 7 + 1;
  for (std::uint64_t room = 0; room < GetParam().file.size() + 40; room += step_bytes) {
    World world(GetParam());
    world.disk.set_free_bytes(room);
    const auto result = world.put_now();
    EXPECT_TRUE(result.ok() || result.error().code == Errc::kNoSpace ||
                result.error().code == Errc::kConflict);
    if (!result.ok() && result.error().code == Errc::kNoSpace) {
      EXPECT_FALSE(result.error().hint.empty());
    }
    world.expect_nothing_partial(before);
    EXPECT_TRUE(world.disk.list(kTmp).value().empty());
    world.disk.set_free_bytes(1ULL << 30);
    world.expect_success_now();
  }
}

std::string word_for(const testing::TestParamInfo<Case>& info) {
  std::string word = info.param.title;
  std::erase(word, ',');
  std::replace(word.begin(), word.end(), ' ', '_');
  return word;
}

INSTANTIATE_TEST_SUITE_P(Cases, ArchiveCrash, testing::ValuesIn(all_cases()), word_for);

// The log with the names that differ from run to run taken out.
std::vector<std::string> operations_of(const MemoryFileSystem& disk) {
  std::vector<std::string> lines = disk.operations();
  for (std::string& line : lines) {
    for (std::size_t at = line.find(kTmp); at != std::string::npos; at = line.find(kTmp, at + 3)) {
      line.replace(at, line.find(' ', at) - at, "TMP");
    }
  }
  return lines;
}

class DurableOrder : public testing::Test {
 protected:
  DurableOrder() { EXPECT_TRUE(store_.prepare().ok()); }

  std::vector<std::string> put_and_log(std::uint64_t seed) {
    disk_.clear_operations();
    result_ = put(store_, history(), history_file(seed));
    return operations_of(disk_);
  }

  MemoryFileSystem disk_;
  ArchiveStore store_{disk_, {.directory = kDirectory, .seed = 1}};
  Result<PutOutcome> result_ = Error{};
  const std::string path_ = kDirectory + "/00000002.history.gz";
};

TEST_F(DurableOrder, H2ContentThenNameThenDirectory) {
  EXPECT_EQ(put_and_log(1),
            (std::vector<std::string>{"create TMP", "write TMP", "sync TMP", "link TMP " + path_,
                                      "syncdir " + kDirectory, "remove TMP"}));
  EXPECT_TRUE(result_.ok());
}

TEST_F(DurableOrder, H4AnIdenticalCopyIsSyncedBeforeSuccess) {
  write_unsynced(disk_, path_, history_file(1));
  const auto log = put_and_log(1);
  EXPECT_EQ(result_.value(), PutOutcome::kIdentical);
  EXPECT_EQ(log, (std::vector<std::string>{"create TMP", "write TMP", "sync TMP",
                                           "link TMP " + path_ + " failed", "sync " + path_,
                                           "syncdir " + kDirectory, "remove TMP"}));
  EXPECT_TRUE(disk_.is_durable(path_));
}

TEST_F(DurableOrder, H4AnIdenticalCopyThatCannotBeSyncedIsWrittenAnew) {
  const Bytes legacy = build_legacy_file(build_history(2, 1), {});
  write_unsynced(disk_, path_, legacy);
  disk_.fail({.operation = Operation::kSync, .after = 1});
  const auto log = put_and_log(1);
  EXPECT_EQ(result_.value(), PutOutcome::kIdentical);
  EXPECT_EQ(std::count(log.begin(), log.end(), "sync " + path_ + " failed"), 1);
  EXPECT_EQ(std::count(log.begin(), log.end(), "sync " + path_), 0);
  EXPECT_TRUE(disk_.is_durable(path_));
  EXPECT_EQ(disk_.content(path_), legacy);
}

TEST_F(DurableOrder, ACopyThatCannotBeSyncedNeverLosesItsName) {
  ASSERT_TRUE(put(store_, history(), history_file(1)).ok());
  disk_.fail({.operation = Operation::kSync, .after = 1, .count = 2});
  const auto log = put_and_log(1);
  EXPECT_EQ(result_.error().code, Errc::kIo);
  EXPECT_EQ(std::count(log.begin(), log.end(), "remove " + path_), 0);
  EXPECT_TRUE(disk_.is_durable(path_));
}

TEST_F(DurableOrder, H4ConfirmingSyncsOrRefuses) {
  const Sha256 content = sha256(build_history(2, 1));
  write_unsynced(disk_, path_, history_file(1));
  ASSERT_TRUE(store_.confirm(history(), content).ok());
  EXPECT_TRUE(disk_.is_durable(path_));
  disk_.fail({.operation = Operation::kSync, .count = 2});
  EXPECT_EQ(store_.confirm(history(), content).error().code, Errc::kIo);
  EXPECT_TRUE(disk_.is_durable(path_));
}

TEST_F(DurableOrder, AFailedSyncIsNeverRepeatedOnTheSameFile) {
  disk_.fail({.operation = Operation::kSync});
  EXPECT_EQ(put_and_log(1),
            (std::vector<std::string>{"create TMP", "write TMP", "sync TMP failed", "remove TMP"}));
  EXPECT_EQ(result_.error().code, Errc::kIo);
}

TEST_F(DurableOrder, H28WhatMayBeInAQuarantineThatCannotBeReadIsNotAbsent) {
  EXPECT_EQ(store_.open(history()).error().code, Errc::kNotFound);
  disk_.fail({.operation = Operation::kList});
  EXPECT_EQ(store_.open(history()).error().code, Errc::kIo) << "simulator seed 6404";
}

TEST_F(DurableOrder, H42AnArchiveThatIsCalledCompleteKeepsTheNamesByWhichItIs) {
  disk_.fail({.operation = Operation::kSyncDirectory});
  EXPECT_EQ(put(store_, history(), history_file(1)).error().code, Errc::kIo);
  ASSERT_EQ(store_.list().value().size(), 1U);
  disk_.fail({.operation = Operation::kSyncDirectory});
  EXPECT_EQ(store_.mark_reconciled().error().code, Errc::kIo);
  EXPECT_FALSE(store_.reconciled());
  ASSERT_TRUE(store_.mark_reconciled().ok());
  EXPECT_TRUE(disk_.is_durable(path_));
}

TEST_F(DurableOrder, H5AConflictIsDurableInQuarantine) {
  ASSERT_TRUE(put(store_, history(), history_file(1)).ok());
  const auto log = put_and_log(2);
  EXPECT_EQ(result_.error().code, Errc::kConflict);
  const auto kept = store_.quarantined().value();
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_TRUE(disk_.is_durable(kQuarantine + "/" + kept[0]));
  EXPECT_EQ(disk_.content(kQuarantine + "/" + kept[0]), history_file(2));
  EXPECT_EQ(disk_.content(path_), history_file(1));
}

TEST_F(DurableOrder, H5AConflictThatCannotBeKeptIsStillAConflict) {
  ASSERT_TRUE(put(store_, history(), history_file(1)).ok());
  disk_.fail({.operation = Operation::kLink, .error = {Errc::kNoSpace, "full", ""}, .after = 1});
  put_and_log(2);
  EXPECT_EQ(result_.error().code, Errc::kConflict);
  EXPECT_NE(result_.error().message.find("could not be kept"), std::string::npos);
  EXPECT_EQ(disk_.content(path_), history_file(1));
}

TEST_F(DurableOrder, TheCorruptCopyIsSafeInQuarantineBeforeItsNameGoes) {
  disk_.plant(path_, noise_file());
  const auto log = put_and_log(1);
  EXPECT_EQ(result_.value(), PutOutcome::kStored);
  const auto at = [&](const std::string& part) {
    return std::find_if(log.begin(), log.end(),
                        [&](const std::string& line) { return line.starts_with(part); }) -
           log.begin();
  };
  EXPECT_LT(at("link " + path_ + " " + kQuarantine), at("syncdir " + kQuarantine));
  EXPECT_LT(at("syncdir " + kQuarantine), at("remove " + path_));
  EXPECT_LT(at("remove " + path_), std::ssize(log));
}

TEST_F(DurableOrder, H28ACopyInQuarantineDoesNotComeBack) {
  disk_.plant(path_, noise_file());
  ASSERT_TRUE(store_.quarantine_corrupt(history()).ok());
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Random random(seed);
    disk_.crash(random);
    EXPECT_FALSE(disk_.stat(path_).ok());
    EXPECT_EQ(store_.quarantined().value().size(), 1U);
  }
}

TEST_F(DurableOrder, TheSystemIdentifierIsDurableBeforeTheFirstSegment) {
  const SegmentSpec spec;
  disk_.clear_operations();
  ASSERT_TRUE(
      put(store_, name_of(spec), build_archive_file(name_of(spec), build_segment(spec))).ok());
  const auto log = operations_of(disk_);
  const auto pinned = std::find(log.begin(), log.end(), "syncdir " + kDirectory + "/.pgwalship");
  const auto visible = std::find(log.begin(), log.end(),
                                 "link TMP " + kDirectory + "/" + name_of(spec).text() + ".gz");
  ASSERT_NE(visible, log.end());
  EXPECT_LT(pinned - log.begin(), visible - log.begin());
  EXPECT_TRUE(disk_.is_durable(kDirectory + "/.pgwalship/system-identifier"));
}

TEST_F(DurableOrder, H42ReconciledIsDurableOrNotThere) {
  for (std::uint64_t step = 0; step < 8; ++step) {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      MemoryFileSystem disk;
      ArchiveStore store(disk, {.directory = kDirectory, .seed = 1});
      ASSERT_TRUE(store.prepare().ok());
      disk.halt_after(step);
      const bool marked = store.mark_reconciled().ok();
      Random random(seed);
      disk.crash(random);
      EXPECT_TRUE(!marked || store.reconciled()) << step;
    }
  }
}

// One that takes a copy for good without looking whether it is on disk would pass the rest.
TEST_F(DurableOrder, AnUnsyncedCopyWouldNotSurvive) {
  bool lost = false;
  for (std::uint64_t seed = 0; seed < 20 && !lost; ++seed) {
    MemoryFileSystem disk;
    ArchiveStore store(disk, {.directory = kDirectory, .seed = 1});
    ASSERT_TRUE(store.prepare().ok());
    write_unsynced(disk, path_, history_file(1));
    Random random(seed);
    disk.crash(random);
    lost = !store.verify(history()).ok();
  }
  EXPECT_TRUE(lost);
}

}  // namespace
}  // namespace pgwalship
