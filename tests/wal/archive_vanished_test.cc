// What other hands take out of an archive, and what its absence says until the archive is whole
// again.
#include "tests/support/memory_file_system.h"
#include "tests/wal/archive_store_fixture.h"

namespace pgwalship {
namespace {

using Absence = ArchiveStore::Absence;

WalName wal_name(const char* text) {
  return WalName::parse(text).value();
}

class VanishedTest : public ArchiveStoreTest {
 protected:
  Absence absence(const char* name) const { return store_.absence(wal_name(name)).value(); }
  std::uint64_t mark() const { return store_.vanished().value().mark; }
};

constexpr const char* kOld = "000000010000000000000003";
constexpr const char* kGone = "000000010000000000000005";
constexpr const char* kNext = "000000010000000000000006";
constexpr const char* kHistory = "00000002.history";

TEST_F(VanishedTest, WhatIsAsOldAsWhatVanishedMayHaveBeenHere) {
  EXPECT_EQ(mark(), 0U);
  EXPECT_EQ(absence(kGone), Absence::kNeverHere);
  EXPECT_EQ(store_.note_vanished({wal_name(kGone), wal_name(kOld)}).value().size(), 2U);
  EXPECT_NE(mark(), 0U);
  EXPECT_EQ(absence(kOld), Absence::kVanished);
  EXPECT_EQ(absence("000000020000000000000005"), Absence::kVanished) << "whatever the timeline";
  EXPECT_EQ(absence(kNext), Absence::kNeverHere);
  EXPECT_EQ(absence(kHistory), Absence::kNeverHere);
  ASSERT_TRUE(store_.note_vanished({wal_name(kOld)}).ok());
  EXPECT_EQ(absence(kGone), Absence::kVanished) << "it never falls";
}

TEST_F(VanishedTest, OfHistoryFilesOneThatVanishedPutsAllInDoubt) {
  ASSERT_TRUE(store_.mark_reconciled().ok());
  ASSERT_TRUE(store_.note_vanished({wal_name("00000007.history")}).ok());
  EXPECT_EQ(absence(kHistory), Absence::kVanished);
  EXPECT_EQ(absence(kOld), Absence::kNeverHere);
  ASSERT_TRUE(store_.mark_reconciled(0, mark()).ok());
  ASSERT_TRUE(store_.note_vanished({wal_name(kGone)}).ok());
  EXPECT_EQ(absence(kHistory), Absence::kNeverHere);
}

// Its copy in quarantine may be thrown away, which must not make it look as if it never was here.
TEST_F(VanishedTest, ABadCopyWithoutASuccessorIsGoneAsWell) {
  Bytes damaged = file_;
  damaged[file_.size() / 2] ^= std::byte{1};
  write(path(name_), damaged);
  ASSERT_TRUE(store_.quarantine_corrupt(name_).ok());
  EXPECT_TRUE(store_.note_vanished({name_}).value().empty()) << "it was told as bad";
  EXPECT_NE(mark(), 0U);
  for (const std::string& file : files_in(".pgwalship/quarantine")) {
    std::filesystem::remove(archive_path(".pgwalship/quarantine/" + file));
  }
  EXPECT_EQ(store_.absence(name_).value(), Absence::kVanished);
}

TEST_F(VanishedTest, AMarkThatCannotBeReadStandsForEverything) {
  ASSERT_TRUE(store_.mark_reconciled().ok());
  write(archive_path(".pgwalship/vanished"), as_bytes(""));
  EXPECT_EQ(absence("00000001FFFFFFFF000000FF"), Absence::kVanished);
  EXPECT_EQ(absence(kHistory), Absence::kVanished);
  ASSERT_TRUE(store_.note_vanished({wal_name(kOld)}).ok());
  EXPECT_EQ(absence("00000001FFFFFFFF000000FF"), Absence::kVanished);
  EXPECT_EQ(absence(kHistory), Absence::kVanished);
  ASSERT_TRUE(store_.mark_reconciled(0, mark()).ok());
  EXPECT_EQ(mark(), 0U);
}

TEST_F(VanishedTest, WhatIsThereOrHasExpiredHasNotVanished) {
  ASSERT_TRUE(put(store_, name_, file_).ok());
  EXPECT_TRUE(store_.note_vanished({name_}).value().empty());
  ASSERT_TRUE(store_.raise_floor(wal_name(kGone).position()).ok());
  EXPECT_TRUE(store_.note_vanished({wal_name(kOld)}).value().empty());
  EXPECT_EQ(mark(), 0U);
  EXPECT_EQ(absence(kOld), Absence::kExpired);
  EXPECT_EQ(store_.note_vanished({wal_name(kGone)}).value().size(), 1U);
  EXPECT_EQ(absence(kOld), Absence::kExpired);
}

TEST_F(VanishedTest, IsWholeAgainUnlessMoreHasVanishedSince) {
  ASSERT_TRUE(store_.mark_reconciled().ok());
  ASSERT_TRUE(store_.note_vanished({wal_name(kGone)}).ok());
  const std::uint64_t first = mark();
  ASSERT_TRUE(store_.note_vanished({wal_name(kGone)}).ok());
  const std::uint64_t second = mark();
  EXPECT_NE(first, second) << "it must be looked for anew";
  ASSERT_TRUE(store_.mark_reconciled(0, first).ok());
  EXPECT_EQ(absence(kGone), Absence::kVanished);
  ASSERT_TRUE(store_.mark_reconciled(0, 0).ok());
  EXPECT_EQ(absence(kGone), Absence::kVanished);
  ASSERT_TRUE(store_.mark_reconciled(0, second).ok());
  EXPECT_EQ(absence(kGone), Absence::kNeverHere);
  EXPECT_EQ(mark(), 0U);
  ASSERT_TRUE(store_.mark_reconciled(0, second).ok()) << "once more";
  expect_nothing_staged();
}

TEST_F(VanishedTest, WhatNobodyVouchesForStaysUnproven) {
  ASSERT_TRUE(store_.mark_reconciled().ok());
  ASSERT_TRUE(store_.note_vanished({wal_name(kGone)}).ok());
  ASSERT_TRUE(store_.mark_reconciled(wal_name(kGone).position(), mark()).ok());
  EXPECT_EQ(absence(kOld), Absence::kExpired);
  EXPECT_EQ(absence(kGone), Absence::kNeverHere);
}

TEST_F(VanishedTest, IsDurableBeforeItIsSaid) {
  MemoryFileSystem disk;
  ArchiveStore store(disk, {.directory = "/archive", .seed = 1});
  ASSERT_TRUE(store.prepare().ok());
  disk.fail({.operation = MemoryFileSystem::Operation::kSync});
  EXPECT_EQ(store.note_vanished({wal_name(kGone)}).error().code, Errc::kIo);
  ASSERT_TRUE(store.note_vanished({wal_name(kGone)}).ok());
  EXPECT_TRUE(disk.is_durable("/archive/.pgwalship/vanished"));
}

// As when its file system was unmounted.
TEST_F(VanishedTest, NothingIsStoredInAnotherDirectoryThanTheOneOfTheStart) {
  namespace fs = std::filesystem;
  fs::rename(store_.directory(), dir_.file("mounted"));
  fs::create_directory(store_.directory());
  const auto refused = put(store_, name_, file_);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Errc::kIo);
  EXPECT_NE(refused.error().message.find("is another directory"), std::string::npos)
      << refused.error().message;
  EXPECT_TRUE(fs::is_empty(store_.directory()));
  fs::remove(store_.directory());
  fs::rename(dir_.file("mounted"), store_.directory());
  EXPECT_TRUE(put(store_, name_, file_).ok());
}

}  // namespace
}  // namespace pgwalship
