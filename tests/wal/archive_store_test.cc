#include "tests/wal/archive_store_fixture.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace pgwalship {
namespace {

namespace fs = std::filesystem;

TEST_F(ArchiveStoreTest, StoresWhatItWasGiven) {
  EXPECT_EQ(put(store_, name_, file_).value(), PutOutcome::kStored);
  EXPECT_EQ(read(path(name_)), file_);
  expect_nothing_staged();
  const ArchiveFile opened = store_.open(name_).value();
  EXPECT_EQ(opened.file_bytes, file_.size());
  EXPECT_EQ(opened.facts, facts_of(name_, raw_));
  EXPECT_EQ(store_.verify(name_).value(), facts_of(name_, raw_));
}

TEST_F(ArchiveStoreTest, H16WorksOnWhenItsStateDirectoryWasTakenAway) {
  fs::remove_all(archive_path(".pgwalship"));
  EXPECT_EQ(put(store_, name_, file_).value(), PutOutcome::kStored);
  EXPECT_FALSE(store_.reconciled());
}

TEST_F(ArchiveStoreTest, H16AnArchiveThatIsNotMountedIsNotMadeAnew) {
  fs::remove_all(archive_path(""));
  EXPECT_EQ(store_.stage(name_).error().code, Errc::kNotFound);
  EXPECT_FALSE(fs::exists(archive_path("")));
}

TEST_F(ArchiveStoreTest, ARecoveryMayUseTheReserve) {
  ArchiveStore full(file_system_,
                    {.directory = store_.directory(), .minimum_free_bytes = 1ULL << 62, .seed = 1});
  EXPECT_EQ(full.stage(name_).error().code, Errc::kNoSpace);
  EXPECT_TRUE(full.stage(name_, ArchiveStore::Reserve::kUse).ok());
}

TEST_F(ArchiveStoreTest, ReadRawGivesThePushedBytes) {
  ASSERT_TRUE(put(store_, name_, file_).ok());
  Bytes raw;
  const auto facts = store_.read_raw(name_, [&](ByteView piece) {
    raw.insert(raw.end(), piece.begin(), piece.end());
    return Result<void>();
  });
  ASSERT_TRUE(facts.ok());
  EXPECT_EQ(raw, raw_);
}

TEST_F(ArchiveStoreTest, ReadRawPassesTheSinksErrorOn) {
  ASSERT_TRUE(put(store_, name_, file_).ok());
  const auto facts = store_.read_raw(name_, [](ByteView) {
    return Result<void>(Error{Errc::kNoSpace, "full", ""});
  });
  EXPECT_EQ(facts.error().code, Errc::kNoSpace);
}

TEST_F(ArchiveStoreTest, WhatIsNotThereIsNotFound) {
  EXPECT_EQ(store_.open(name_).error().code, Errc::kNotFound);
  EXPECT_EQ(store_.verify(name_).error().code, Errc::kNotFound);
  EXPECT_EQ(store_.quarantine_corrupt(name_).error().code, Errc::kNotFound);
  expect_nothing_staged();
}

TEST_F(ArchiveStoreTest, StagedBytesCanBeReadWhileTheyAreCommitted) {
  auto staged = store_.stage(name_).value();
  ASSERT_TRUE(staged->append(file_).ok());
  EXPECT_EQ(staged->size(), file_.size());
  const auto reader = staged->reader().value();
  ASSERT_TRUE(store_.commit(*staged, announced(file_)).ok());
  expect_nothing_staged();
  staged.reset();
  Bytes read_back(file_.size() + 1);
  EXPECT_EQ(reader->read_at(0, read_back).value(), file_.size());
  read_back.pop_back();
  EXPECT_EQ(read_back, file_);
}

TEST_F(ArchiveStoreTest, GivingUpLeavesNothing) {
  {
    const auto staged = store_.stage(name_).value();
    ASSERT_TRUE(staged->append(file_).ok());
    EXPECT_EQ(files_in(".pgwalship/tmp").size(), 1U);
  }
  expect_nothing_staged();
  EXPECT_TRUE(store_.list().value().empty());
}

TEST_F(ArchiveStoreTest, H23IdenticalContentIsSuccessAndChangesNothing) {
  ASSERT_TRUE(put(store_, name_, file_).ok());
  EXPECT_EQ(put(store_, name_, file_).value(), PutOutcome::kIdentical);
  EXPECT_EQ(put(store_, name_, build_archive_file(name_, raw_, "pgdb2", 9)).value(),
            PutOutcome::kIdentical);
  EXPECT_EQ(read(path(name_)), file_);
  expect_nothing_staged();
}

TEST_F(ArchiveStoreTest, H24LegacyFilesCompareByContent) {
  write(path(name_), build_legacy_file(raw_, {.level = 9, .modified = 1700000000}));
  EXPECT_EQ(put(store_, name_, file_).value(), PutOutcome::kIdentical);
  EXPECT_EQ(put(store_, name_, build_legacy_file(raw_, {.level = 1})).value(),
            PutOutcome::kIdentical);
  const WalName other = WalName::segment_at(1, 2U << 24, kSegmentBytesMin);
  write(path(other), build_legacy_file(build_segment({.lsn = 2U << 24, .seed = 2}), {}));
  EXPECT_EQ(
      put(store_, other, build_archive_file(other, build_segment({.lsn = 2U << 24}))).error().code,
      Errc::kConflict);
}

TEST_F(ArchiveStoreTest, H24FactsOfALegacyFileComeFromItsContent) {
  write(path(name_), build_legacy_file(raw_, {}));
  EXPECT_FALSE(store_.open(name_).value().facts.has_value());
  EXPECT_EQ(store_.verify(name_).value(), facts_of(name_, raw_, ""));
}

TEST_F(ArchiveStoreTest, H24AcceptsALegacyFileOnlyWholeAndUnderItsName) {
  EXPECT_EQ(put(store_, name_, build_legacy_file(raw_, {})).value(), PutOutcome::kStored);
  const WalName other = WalName::segment_at(1, 2U << 24, kSegmentBytesMin);
  expect_error(put(store_, other, build_legacy_file(raw_, {})), Errc::kInvalid);
  const Bytes right = build_legacy_file(build_segment({.lsn = 2U << 24}), {});
  expect_error(put(store_, other, ByteView(right).first(right.size() - 1)), Errc::kCorrupt);
  expect_error(put(store_, other, as_bytes("no gzip at all")), Errc::kCorrupt);
  EXPECT_EQ(put(store_, other, right).value(), PutOutcome::kStored);
}

TEST_F(ArchiveStoreTest, H5RefusesDifferentContentAndKeepsBoth) {
  ASSERT_TRUE(put(store_, name_, file_).ok());
  const Bytes other = build_segment({.seed = 2});
  const Bytes other_file = build_archive_file(name_, other, "pgdb2");
  const std::string text = expect_error(put(store_, name_, other_file), Errc::kConflict);
  for (const std::string& part :
       {sha256(raw_).hex() + " from pgdb1", sha256(other).hex() + " from pgdb2",
        "pgwalship conflicts show " + name_.text()}) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  }
  EXPECT_EQ(read(path(name_)), file_);
  const std::string kept = name_.text() + ".conflict-" + sha256(other).hex().substr(0, 12) + ".gz";
  EXPECT_EQ(store_.quarantined().value(), std::vector<std::string>{kept});
  EXPECT_EQ(read(archive_path(".pgwalship/quarantine/" + kept)), other_file);
}

TEST_F(ArchiveStoreTest, H5TheSameConflictAgainIsKeptOnce) {
  ASSERT_TRUE(put(store_, name_, file_).ok());
  const Bytes other_file = build_archive_file(name_, build_segment({.seed = 2}));
  expect_error(put(store_, name_, other_file), Errc::kConflict);
  expect_error(put(store_, name_, other_file), Errc::kConflict);
  EXPECT_EQ(store_.quarantined().value().size(), 1U);
  expect_error(put(store_, name_, build_archive_file(name_, build_segment({.seed = 3}))),
               Errc::kConflict);
  EXPECT_EQ(store_.quarantined().value().size(), 2U);
}

TEST_F(ArchiveStoreTest, H5DamagedBytesAreNoConflict) {
  ASSERT_TRUE(put(store_, name_, file_).ok());
  Bytes damaged = build_archive_file(name_, build_segment({.seed = 2}));
  damaged[damaged.size() / 2] ^= std::byte{1};
  expect_error(put(store_, name_, damaged), Errc::kCorrupt);
  EXPECT_TRUE(store_.quarantined().value().empty());
}

TEST_F(ArchiveStoreTest, H8RefusesASecondHistoryOfATimeline) {
  const WalName history = WalName::parse("00000003.history").value();
  const Bytes first = build_archive_file(history, build_history(3, 1));
  EXPECT_EQ(put(store_, history, first).value(), PutOutcome::kStored);
  expect_error(put(store_, history, build_archive_file(history, build_history(3, 2))),
               Errc::kConflict);
  EXPECT_EQ(read(path(history)), first);
}

TEST_F(ArchiveStoreTest, H9PartialAndFullCoexist) {
  const WalName partial = WalName::parse(name_.text() + ".partial").value();
  const Bytes partial_raw = build_segment({.seed = 2});
  EXPECT_EQ(put(store_, partial, build_archive_file(partial, partial_raw)).value(),
            PutOutcome::kStored);
  EXPECT_EQ(store_.open(name_).error().code, Errc::kNotFound);
  EXPECT_EQ(put(store_, name_, file_).value(), PutOutcome::kStored);
  EXPECT_EQ(store_.verify(name_).value().sha256, sha256(raw_));
  EXPECT_EQ(store_.verify(partial).value().sha256, sha256(partial_raw));
}

TEST_F(ArchiveStoreTest, H10StoresEveryKindOfName) {
  const WalName backup = WalName::parse(name_.text() + ".00000028.backup").value();
  const WalName history = WalName::parse("00000002.history").value();
  EXPECT_TRUE(put(store_, backup, build_archive_file(backup, build_backup_label(name_, 1))).ok());
  EXPECT_TRUE(put(store_, history, build_archive_file(history, build_history(2, 1))).ok());
  EXPECT_TRUE(put(store_, name_, file_).ok());
  EXPECT_EQ(store_.list().value(), (std::vector<WalName>{history, name_, backup}));
}

TEST_F(ArchiveStoreTest, ListIgnoresWhatIsNotArchived) {
  ASSERT_TRUE(put(store_, name_, file_).ok());
  for (const char* stray : {"x", ".hidden.gz", "000000010000000000000001", "0000000a.history.gz",
                            "000000010000000000000001.gz.tmp", "..gz"}) {
    write(archive_path(stray), as_bytes("stray"));
  }
  fs::create_directory(archive_path("000000010000000000000002.gz"));
  fs::create_symlink("/nowhere", archive_path("000000010000000000000003.gz"));
  EXPECT_EQ(store_.list().value(), std::vector<WalName>{name_});
}

TEST_F(ArchiveStoreTest, H11RefusesAFileThatDoesNotFitItsName) {
  const WalName other = WalName::segment_at(1, 2U << 24, kSegmentBytesMin);
  const auto with = [&](const std::function<void(FileFacts&)>& change, const WalName& inner) {
    FileFacts facts = facts_of(name_, raw_);
    change(facts);
    Bytes file;
    GzipWriter writer(facts, inner.text(), 1);
    writer.write(raw_, file);
    writer.finish(file);
    return file;
  };
  expect_error(put(store_, other, file_), Errc::kCorrupt);
  expect_error(put(store_, other, with([](FileFacts&) {}, other)), Errc::kCorrupt);
  const std::vector<std::function<void(FileFacts&)>> changes = {
      [](FileFacts& facts) { facts.lsn += kSegmentBytesMin; },
      [](FileFacts& facts) { facts.timeline = 2; },
      [](FileFacts& facts) { facts.timeline = 0; },
      [](FileFacts& facts) { facts.system_id = 0; },
      [](FileFacts& facts) { facts.segment_bytes = 2 * kSegmentBytesMin; },
      [](FileFacts& facts) { facts.segment_bytes = 4096; },
      [](FileFacts& facts) { facts.raw_bytes -= 1; },
      [](FileFacts& facts) { facts.raw_bytes = 1ULL << 40; },
  };
  for (std::size_t i = 0; i < changes.size(); ++i) {
    SCOPED_TRACE(i);
    expect_error(put(store_, name_, with(changes[i], name_)), Errc::kCorrupt);
  }
  EXPECT_TRUE(store_.list().value().empty());
}

TEST_F(ArchiveStoreTest, H11RefusesAnotherCluster) {
  ASSERT_TRUE(put(store_, name_, file_).ok());
  EXPECT_EQ(store_.system_id().value(), kTestSystemId);
  const SegmentSpec foreign{.lsn = 2U << 24, .system_id = kTestSystemId + 1};
  const Bytes foreign_file = build_archive_file(name_of(foreign), build_segment(foreign));
  for (int round = 0; round < 2; ++round) {
    ArchiveStore again(file_system_, {.directory = store_.directory(), .seed = 2});
    const std::string text =
        expect_error(put(again, name_of(foreign), foreign_file), Errc::kInvalid);
    EXPECT_NE(text.find(std::to_string(kTestSystemId)), std::string::npos);
    EXPECT_NE(text.find(std::to_string(kTestSystemId + 1)), std::string::npos);
  }
  expect_error(put(store_, name_of(foreign), build_legacy_file(build_segment(foreign), {})),
               Errc::kInvalid);
}

TEST_F(ArchiveStoreTest, H11AnArchiveReplacedUnderItsProcessIsPinnedAgain) {
  ASSERT_TRUE(put(store_, name_, file_).ok());
  fs::remove_all(archive_path(""));
  fs::create_directory(archive_path(""));
  const SegmentSpec foreign{.lsn = 2U << 24, .system_id = kTestSystemId + 1};
  const Bytes foreign_file = build_archive_file(name_of(foreign), build_segment(foreign));
  EXPECT_EQ(put(store_, name_of(foreign), foreign_file).error().code, Errc::kInvalid);
  EXPECT_EQ(store_.system_id().value(), kTestSystemId);
  ArchiveStore receiver(file_system_, {.directory = store_.directory(), .seed = 2});
  EXPECT_EQ(put(receiver, name_of(foreign), foreign_file).error().code, Errc::kInvalid);
  EXPECT_TRUE(put(receiver, name_, file_).ok());
}

TEST_F(ArchiveStoreTest, H11TellsAFileOfAnotherClusterBeforeItIsStored) {
  EXPECT_TRUE(store_.check_system_id(name_, kTestSystemId + 1).ok());  // nobody was first yet
  ASSERT_TRUE(put(store_, name_, file_).ok());
  ArchiveStore again(file_system_, {.directory = store_.directory(), .seed = 2});
  for (ArchiveStore* store : {&store_, &again}) {
    EXPECT_TRUE(store->check_system_id(name_, kTestSystemId).ok());
    EXPECT_TRUE(store->check_system_id(name_, 0).ok());
    EXPECT_EQ(store->check_system_id(name_, kTestSystemId + 1).error().code, Errc::kInvalid);
  }
}

TEST_F(ArchiveStoreTest, PinsTheSystemIdentifierAtFirstUse) {
  EXPECT_EQ(store_.system_id().value(), 0U);
  const WalName history = WalName::parse("00000002.history").value();
  ASSERT_TRUE(put(store_, history, build_archive_file(history, build_history(2, 1))).ok());
  EXPECT_EQ(store_.system_id().value(), 0U);
  ASSERT_TRUE(put(store_, name_, file_).ok());
  EXPECT_EQ(store_.system_id().value(), kTestSystemId);
  EXPECT_EQ(as_text(read(archive_path(".pgwalship/system-identifier"))),
            std::to_string(kTestSystemId) + "\n");
}

TEST_F(ArchiveStoreTest, ADamagedSystemIdentifierIsNeverReplaced) {
  for (const char* content : {"", "x\n", "12", "12x\n", "0\n", "99999999999999999999\n", " 1\n"}) {
    write(archive_path(".pgwalship/system-identifier"), as_bytes(content));
    EXPECT_EQ(store_.system_id().error().code, Errc::kCorrupt) << content;
    expect_error(put(store_, name_, file_), Errc::kCorrupt);
  }
}

TEST_F(ArchiveStoreTest, RefusesBytesThatWereNotAnnounced) {
  const auto good = announced(file_);
  expect_error(put_announced(store_, name_, file_, {good.file_bytes + 1, good.file_crc32}),
               Errc::kCorrupt);
  expect_error(put_announced(store_, name_, file_, {good.file_bytes, good.file_crc32 ^ 1}),
               Errc::kCorrupt);
  const ByteView cut = ByteView(file_).first(file_.size() - 1);
  expect_error(put(store_, name_, cut), Errc::kCorrupt);
  expect_error(put(store_, name_, ByteView(file_).first(20)), Errc::kCorrupt);
  expect_error(put(store_, name_, {}), Errc::kCorrupt);
  EXPECT_TRUE(store_.list().value().empty());
  EXPECT_TRUE(put(store_, name_, file_).ok());
}

TEST_F(ArchiveStoreTest, ReplacesACorruptCopyAndKeepsItInQuarantine) {
  std::vector<Bytes> bad = {{}, Bytes(100), file_, file_};
  bad[2].resize(file_.size() / 2);
  bad[3][file_.size() / 2] ^= std::byte{1};
  for (std::size_t i = 0; i < bad.size(); ++i) {
    SCOPED_TRACE(i);
    fs::remove(path(name_));
    write(path(name_), bad[i]);
    EXPECT_EQ(store_.verify(name_).error().code, Errc::kCorrupt);
    EXPECT_EQ(put(store_, name_, file_).value(), PutOutcome::kStored);
    EXPECT_EQ(read(path(name_)), file_);
    expect_nothing_staged();
    const auto kept = store_.quarantined().value();
    ASSERT_EQ(kept.size(), i + 1);
    EXPECT_EQ(kept[0].size(), name_.text().size() + std::string(".corrupt-").size() + 16 + 3);
    EXPECT_TRUE(kept[0].starts_with(name_.text() + ".corrupt-"));
  }
}

TEST_F(ArchiveStoreTest, H28QuarantinesOnlyWhatIsCorrupt) {
  ASSERT_TRUE(put(store_, name_, file_).ok());
  EXPECT_EQ(store_.quarantine_corrupt(name_).error().code, Errc::kAlreadyExists);
  EXPECT_EQ(read(path(name_)), file_);
  Bytes damaged = file_;
  damaged.back() ^= std::byte{1};
  fs::remove(path(name_));
  write(path(name_), damaged);
  ASSERT_TRUE(store_.quarantine_corrupt(name_).ok());
  EXPECT_EQ(store_.open(name_).error().code, Errc::kCorrupt) << "G5: it was here";
  EXPECT_EQ(store_.verify(name_).error().code, Errc::kCorrupt);
  const auto kept = store_.quarantined().value();
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_EQ(read(archive_path(".pgwalship/quarantine/" + kept[0])), damaged);
  EXPECT_EQ(put(store_, name_, file_).value(), PutOutcome::kStored);
  EXPECT_TRUE(store_.verify(name_).ok());
  expect_nothing_staged();
}

TEST_F(ArchiveStoreTest, QuarantineWaitsForWhoeverReplacesTheSameCopy) {
  write(path(name_), as_bytes("corrupt"));
  const std::string lock = archive_path(".pgwalship/tmp/" + name_.text() + ".lock");
  auto held = file_system_.create(lock).value();
  EXPECT_EQ(store_.quarantine_corrupt(name_).error().code, Errc::kRetry);
  EXPECT_EQ(put(store_, name_, file_).error().code, Errc::kRetry);
  EXPECT_EQ(read(path(name_)).size(), 7U);
  held.reset();  // its owner died
  EXPECT_EQ(put(store_, name_, file_).value(), PutOutcome::kStored);
  expect_nothing_staged();
}

TEST_F(ArchiveStoreTest, AFileOfAnotherNameIsCorrupt) {
  ASSERT_TRUE(put(store_, name_, file_).ok());
  const WalName other = WalName::segment_at(1, 2U << 24, kSegmentBytesMin);
  fs::copy_file(path(name_), path(other));
  EXPECT_EQ(store_.open(other).error().code, Errc::kCorrupt);
  EXPECT_EQ(store_.verify(other).error().code, Errc::kCorrupt);
}

TEST_F(ArchiveStoreTest, H16RefusesBelowTheMinimumOfFreeSpace) {
  ArchiveStore full(file_system_,
                    {.directory = store_.directory(), .minimum_free_bytes = 1ULL << 62, .seed = 1});
  const auto staged = full.stage(name_);
  ASSERT_FALSE(staged.ok());
  EXPECT_EQ(staged.error().code, Errc::kNoSpace);
  EXPECT_FALSE(staged.error().hint.empty());
  expect_nothing_staged();
}

TEST_F(ArchiveStoreTest, PrepareRemovesWhatTheDeadLeftAndSparesTheLiving) {
  write(archive_path(".pgwalship/tmp/" + name_.text() + ".0123456789abcdef"), as_bytes("dead"));
  const auto staged = store_.stage(name_).value();
  ArchiveStore second(file_system_, {.directory = store_.directory(), .seed = 2});
  ASSERT_TRUE(second.prepare().ok());
  EXPECT_EQ(files_in(".pgwalship/tmp").size(), 1U);
  ASSERT_TRUE(staged->append(file_).ok());
  EXPECT_TRUE(store_.commit(*staged, announced(file_)).ok());
}

TEST_F(ArchiveStoreTest, EqualSeedsDoNotCollide) {
  ArchiveStore twin(file_system_, {.directory = store_.directory(), .seed = 1});
  const auto first = store_.stage(name_);
  const auto second = twin.stage(name_);
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(files_in(".pgwalship/tmp").size(), 2U);
}

TEST_F(ArchiveStoreTest, H42RemembersThatItWasReconciled) {
  EXPECT_FALSE(store_.reconciled());
  ASSERT_TRUE(store_.mark_reconciled().ok());
  ASSERT_TRUE(store_.mark_reconciled().ok());
  EXPECT_TRUE(store_.reconciled());
  EXPECT_TRUE(ArchiveStore(file_system_, {.directory = store_.directory()}).reconciled());
  expect_nothing_staged();
}

TEST_F(ArchiveStoreTest, AbsenceIsEvidenceFromWhereItWasCompleteAndKeepsAll) {
  EXPECT_EQ(store_.evidence_from().value(), 0U);
  ASSERT_TRUE(store_.mark_reconciled(0xA'00000003).ok());
  ASSERT_TRUE(store_.mark_reconciled(0xA'00000001).ok());
  EXPECT_EQ(store_.evidence_from().value(), 0xA'00000003U) << "the first stays";
  ASSERT_TRUE(store_.raise_floor(0xA'00000002).ok());
  EXPECT_EQ(store_.evidence_from().value(), 0xA'00000003U);
  ASSERT_TRUE(store_.raise_floor(0xB'00000000).ok());
  EXPECT_EQ(store_.evidence_from().value(), 0xB'00000000U);
}

TEST_F(ArchiveStoreTest, H5KnowsWhichConflictsItKeeps) {
  ASSERT_TRUE(put(store_, name_, file_).ok());
  const Bytes other = build_segment({.seed = 2});
  using Kind = ArchiveStore::Quarantined::Kind;
  EXPECT_EQ(store_.quarantined_as(name_, sha256(other)), std::nullopt);
  expect_error(put(store_, name_, build_archive_file(name_, other)), Errc::kConflict);
  EXPECT_EQ(store_.quarantined_as(name_, sha256(other)), Kind::kConflict);
  EXPECT_EQ(store_.quarantined_as(name_, sha256(raw_)), std::nullopt);
}

TEST_F(ArchiveStoreTest, ConfirmsExactlyTheContentThatIsThere) {
  EXPECT_EQ(store_.confirm(name_, sha256(raw_)).error().code, Errc::kNotFound);
  ASSERT_TRUE(put(store_, name_, file_).ok());
  EXPECT_TRUE(store_.confirm(name_, sha256(raw_)).ok());
  EXPECT_EQ(store_.confirm(name_, sha256({})).error().code, Errc::kConflict);
  Bytes damaged = file_;
  damaged[file_.size() / 2] ^= std::byte{1};
  fs::remove(path(name_));
  write(path(name_), damaged);
  EXPECT_EQ(store_.confirm(name_, sha256(raw_)).error().code, Errc::kCorrupt);
}

}  // namespace
}  // namespace pgwalship
