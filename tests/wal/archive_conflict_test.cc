#include "tests/support/memory_file_system.h"
#include "tests/support/record_builder.h"
#include "tests/wal/archive_store_fixture.h"

namespace pgwalship {
namespace {

using Kind = ArchiveLayout::Quarantined::Kind;

RecordBuilder written(std::uint64_t last) {
  RecordBuilder builder({});
  for (std::uint64_t i = 0; i < 50; ++i) {
    builder.add(i * 5, i);
  }
  builder.add(100, last);
  return builder;
}

std::string digits_of(ByteView raw) {
  return sha256(raw).hex().substr(0, ArchiveLayout::kHashDigits);
}

class ArchiveConflictTest : public ArchiveStoreTest {
 protected:
  Result<PutOutcome> put_raw(ByteView raw, const std::string& origin) {
    return put(store_, name_, build_archive_file(name_, raw, origin));
  }
  std::vector<std::string> quarantine() const { return files_in(".pgwalship/quarantine"); }
  std::string file_of(Kind kind, ByteView raw) const {
    return name_.text() + "." + std::string(ArchiveLayout::label_of(kind)) + "-" + digits_of(raw) +
           ".gz";
  }
  Sha256 archived() const { return store_.verify(name_).value().sha256; }

  Bytes first_ = written(1).build();
  Bytes second_ = written(2).build();
};

TEST_F(ArchiveConflictTest, H6TheSameRecordsWithAnotherTailAreASuccessAndChangeNothing) {
  const Bytes other_tail = written(1).build_recycled(3);
  ASSERT_TRUE(put_raw(first_, "pgdb1").ok());
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(put_raw(other_tail, "pgdb2").value(), PutOutcome::kSameRecords);
    EXPECT_EQ(archived(), sha256(first_));
    EXPECT_EQ(quarantine(), std::vector{file_of(Kind::kSameRecords, other_tail)});
    EXPECT_TRUE(store_.conflicts().value().empty());
    expect_nothing_staged();
  }
}

TEST_F(ArchiveConflictTest, H5ARefusalSaysWhereTheHistoriesPart) {
  ASSERT_TRUE(put_raw(first_, "pgdb1").ok());
  const std::string text = expect_error(put_raw(second_, "pgdb2"), Errc::kConflict);
  EXPECT_NE(text.find("other content: diverged at 0/1"), std::string::npos) << text;
  EXPECT_NE(text.find("the archive's is from pgdb1, the refused one from pgdb2"),
            std::string::npos);
  EXPECT_NE(text.find(sha256(first_).hex()), std::string::npos);
  EXPECT_NE(text.find(sha256(second_).hex()), std::string::npos);
  EXPECT_NE(text.find("conflicts show " + name_.text()), std::string::npos);
  EXPECT_EQ(archived(), sha256(first_));
}

TEST_F(ArchiveConflictTest, AConflictIsFoundAgainByWhoeverLooks) {
  ASSERT_TRUE(put_raw(first_, "pgdb1").ok());
  ASSERT_FALSE(put_raw(second_, "pgdb2").ok());
  ArchiveStore other(file_system_, {.directory = dir_.file("archive"), .seed = 2});
  const auto open = other.conflicts().value();
  ASSERT_EQ(open.size(), 1U);
  EXPECT_EQ(open[0].name, name_);
  EXPECT_EQ(open[0].digits, digits_of(second_));
  const ConflictFacts facts = other.compare(open[0]).value();
  EXPECT_EQ(facts.difference.kind, Difference::Kind::kDiverged);
  EXPECT_EQ(facts.kept.origin, "pgdb1");
  EXPECT_EQ(facts.refused.origin, "pgdb2");
  EXPECT_EQ(facts.refused_file_bytes, build_archive_file(name_, second_, "pgdb2").size());
}

TEST_F(ArchiveConflictTest, KeepingTheArchivesIsADecisionThatLasts) {
  ASSERT_TRUE(put_raw(first_, "pgdb1").ok());
  ASSERT_FALSE(put_raw(second_, "pgdb2").ok());
  ASSERT_TRUE(store_.keep_archived(name_).ok());
  const std::vector<std::string> resolved{file_of(Kind::kResolved, second_)};
  EXPECT_EQ(quarantine(), resolved);
  const std::string text = expect_error(put_raw(second_, "pgdb2"), Errc::kConflict);
  EXPECT_NE(text.find("an operator decided against this content"), std::string::npos) << text;
  EXPECT_EQ(quarantine(), resolved);
  EXPECT_TRUE(store_.conflicts().value().empty());
  EXPECT_EQ(archived(), sha256(first_));
}

TEST_F(ArchiveConflictTest, KeepingTheOtherSwapsThem) {
  ASSERT_TRUE(put_raw(first_, "pgdb1").ok());
  ASSERT_FALSE(put_raw(second_, "pgdb2").ok());
  const Bytes third = written(3).build();
  ASSERT_FALSE(put_raw(third, "pgdb3").ok());
  const auto open = store_.conflicts().value();
  const auto chosen = std::find_if(open.begin(), open.end(), [&](const auto& each) {
    return each.digits == digits_of(second_);
  });
  ASSERT_NE(chosen, open.end());
  ASSERT_TRUE(store_.keep_refused(*chosen).ok());
  EXPECT_EQ(archived(), sha256(second_));
  std::vector<std::string> resolved{file_of(Kind::kResolved, first_),
                                    file_of(Kind::kResolved, third)};
  std::sort(resolved.begin(), resolved.end());
  EXPECT_EQ(quarantine(), resolved);
  expect_nothing_staged();
  EXPECT_EQ(put_raw(second_, "pgdb2").value(), PutOutcome::kIdentical);
  EXPECT_FALSE(put_raw(first_, "pgdb1").ok());
}

TEST_F(ArchiveConflictTest, ADamagedContentIsNotKept) {
  ASSERT_TRUE(put_raw(first_, "pgdb1").ok());
  ASSERT_FALSE(put_raw(second_, "pgdb2").ok());
  const auto open = store_.conflicts().value();
  const std::string path = archive_path(".pgwalship/quarantine/" + open[0].file);
  Bytes damaged = read(path);
  damaged[damaged.size() / 2] ^= std::byte{1};
  write(path, damaged);
  EXPECT_EQ(store_.keep_refused(open[0]).error().code, Errc::kCorrupt);
  EXPECT_EQ(archived(), sha256(first_));
  EXPECT_EQ(quarantine().size(), 1U);
}

TEST_F(ArchiveConflictTest, OneThatComesBackFromTheDeadIsKeptWhenNothingHasItsName) {
  ASSERT_TRUE(put_raw(first_, "pgdb1").ok());
  ASSERT_FALSE(put_raw(second_, "pgdb2").ok());
  std::filesystem::remove(path(name_));
  EXPECT_EQ(store_.keep_archived(name_).error().code, Errc::kNotFound);
  ASSERT_TRUE(store_.keep_refused(store_.conflicts().value()[0]).ok());
  EXPECT_EQ(archived(), sha256(second_));
}

TEST(ArchiveLayout, QuarantinedNamesAreReadAsTheyWereWritten) {
  const auto read = [](const std::string& file) {
    return ArchiveLayout::quarantined_of_file(file);
  };
  const auto conflict = read("00000002.history.conflict-0123456789ab.gz");
  ASSERT_TRUE(conflict);
  EXPECT_EQ(conflict->name.text(), "00000002.history");
  EXPECT_EQ(conflict->kind, Kind::kConflict);
  EXPECT_EQ(conflict->digits, "0123456789ab");
  EXPECT_EQ(read("000000010000000000000001.partial.same-records-00.gz")->kind, Kind::kSameRecords);
  for (const char* other :
       {"", ".gz", "x", "conflict-1.gz", "00000002.history.gz", "00000002.history.other-1.gz",
        "../2.history.conflict-1.gz", "00000002.history.conflict-1"}) {
    EXPECT_FALSE(read(other)) << other;
  }
}

// Power failures and dying processes at every step of a decision.
class DecisionCrash : public testing::TestWithParam<bool> {
 protected:
  struct World {
    World() : store(disk, {.directory = "/archive", .seed = 1}) {
      EXPECT_TRUE(store.prepare().ok());
      std::ignore = put(store, kName, kFirst);
      EXPECT_FALSE(put(store, kName, kSecond).ok());
      EXPECT_FALSE(put(store, kName, kThird).ok());
    }
    Result<void> decide(bool swap) {
      if (!swap) {
        return store.keep_archived(kName);
      }
      const std::string digits = digits_of(build_history(2, 2));
      TRY_ASSIGN(const auto files, disk.list("/archive/.pgwalship/quarantine"));
      for (const std::string& file : files) {
        if (const auto found = ArchiveLayout::quarantined_of_file(file);
            found && found->digits == digits) {
          return store.keep_refused(*found);
        }
      }
      return store.keep_archived(kName);  // it was all but done: the archive has it
    }
    bool holds(const Bytes& content) const {
      for (const std::string directory : {"/archive", "/archive/.pgwalship/quarantine"}) {
        for (const std::string& file : disk.list(directory).value()) {
          if (disk.content(directory + "/" + file) == content) {
            return true;
          }
        }
      }
      return false;
    }
    // G2: whatever happened, all contents are there, and the name has a whole one.
    void expect_nothing_lost() const {
      const Bytes named = disk.content(kPath);
      EXPECT_TRUE(named == kFirst || named == kSecond);
      EXPECT_TRUE(holds(kFirst));
      EXPECT_TRUE(holds(kSecond));
      EXPECT_TRUE(holds(kThird));
    }
    void expect_decided(bool swap) const {
      EXPECT_EQ(disk.content(kPath), swap ? kSecond : kFirst);
      EXPECT_TRUE(store.conflicts().value().empty());
      expect_nothing_lost();
    }

    inline static const WalName kName = WalName::parse("00000002.history").value();
    inline static const std::string kPath = "/archive/00000002.history.gz";
    inline static const Bytes kFirst = build_archive_file(kName, build_history(2, 1));
    inline static const Bytes kSecond = build_archive_file(kName, build_history(2, 2));
    inline static const Bytes kThird = build_archive_file(kName, build_history(2, 3));
    MemoryFileSystem disk;
    ArchiveStore store;
  };
};

TEST_P(DecisionCrash, NothingIsLostAtAnyStepAndTheDecisionCanBeRepeated) {
  World whole;
  const std::uint64_t before = whole.disk.mutations();
  ASSERT_TRUE(whole.decide(GetParam()).ok());
  whole.expect_decided(GetParam());
  const std::uint64_t all = whole.disk.mutations() - before;
  ASSERT_GE(all, 6U);
  for (std::uint64_t step = 0; step <= all; ++step) {
    for (std::uint64_t seed = 0; seed < 25; ++seed) {
      SCOPED_TRACE("step " + std::to_string(step) + " seed " + std::to_string(seed));
      World world;
      world.disk.halt_after(step);
      const bool decided = world.decide(GetParam()).ok();
      Random random(seed);
      if (seed == 0) {
        world.disk.restart();
      } else {
        world.disk.crash(random);
      }
      world.expect_nothing_lost();
      if (decided) {
        world.expect_decided(GetParam());
      }
      ASSERT_TRUE(world.store.prepare().ok());
      const auto again = world.decide(GetParam());
      ASSERT_TRUE(again.ok()) << again.error().message;
      world.expect_decided(GetParam());
      world.disk.crash(random);
      world.expect_decided(GetParam());
    }
  }
}

TEST_P(DecisionCrash, AFailedStepIsReportedAndLosesNothing) {
  using Operation = MemoryFileSystem::Operation;
  for (const Operation operation :
       {Operation::kCreate, Operation::kOpen, Operation::kRead, Operation::kSync, Operation::kLink,
        Operation::kRename, Operation::kRemove, Operation::kSyncDirectory, Operation::kList}) {
    for (std::uint64_t after = 0; after < 5; ++after) {
      World world;
      world.disk.fail({.operation = operation, .after = after});
      std::ignore = world.decide(GetParam());
      world.disk.clear_faults();
      world.expect_nothing_lost();
      ASSERT_TRUE(world.decide(GetParam()).ok());
      world.expect_decided(GetParam());
    }
  }
}

INSTANTIATE_TEST_SUITE_P(KeepTheArchivesOrTheOther, DecisionCrash, testing::Bool(),
                         [](const auto& which) {
                           return std::string(which.param ? "other" : "archives");
                         });

}  // namespace
}  // namespace pgwalship
