#include "wal/pg_wal_file.h"

#include "tests/support/memory_file_system.h"
#include "tests/support/record_builder.h"
#include "tests/support/segment_builder.h"
#include "wal/data_directory.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <tuple>
#include <unistd.h>

namespace pgwalship {
namespace {

constexpr std::size_t kPage = 8192;

class PgWalFileTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(store_.prepare().ok()); }

  std::string plant(const Bytes& content, const WalName& name) {
    const std::string path = "/pg/pg_wal/" + name.text();
    std::ignore = files_.remove(path);
    files_.plant(path, content);
    return path;
  }
  Result<PgWalFile> open(const Bytes& content, const WalName& name) {
    return PgWalFile::open(files_, {.path = plant(content, name),
                                    .name = name,
                                    .origin = "pgdb2",
                                    .system_id = kTestSystemId});
  }
  bool is_finished(const Bytes& content) {
    auto file = open(content, name_of(spec_));
    EXPECT_TRUE(file.ok());
    EXPECT_TRUE(file.value().measure().ok());
    return file.value().is_finished();
  }

  MemoryFileSystem files_;
  ArchiveStore store_{files_, {.directory = "/archive"}};
  const SegmentSpec spec_;
  const Bytes segment_ = build_segment(spec_);
};

TEST_F(PgWalFileTest, ArchivesASegmentAsAPushWould) {
  auto file = open(segment_, name_of(spec_));
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE(file.value().measure().ok());
  const auto outcome = archive_pg_wal_file(store_, file.value(), kGzipLevelDefault);
  ASSERT_TRUE(outcome.ok()) << outcome.error().text();
  EXPECT_EQ(outcome.value(), PutOutcome::kStored);
  const auto facts = store_.verify(name_of(spec_));
  ASSERT_TRUE(facts.ok()) << facts.error().text();
  EXPECT_EQ(facts.value(), facts_of(name_of(spec_), segment_, "pgdb2"));
}

TEST_F(PgWalFileTest, TheFirstSegmentOfATimelineIsBegunOnItsParent) {
  const SegmentSpec spec{.timeline = 2, .header_timeline = 1};
  const Bytes content = build_segment(spec);
  auto file = open(content, name_of(spec));
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE(file.value().measure().ok());
  ASSERT_TRUE(archive_pg_wal_file(store_, file.value(), kGzipLevelDefault).ok());
  EXPECT_EQ(store_.verify(name_of(spec)).value(), facts_of(name_of(spec), content, "pgdb2"));
}

TEST_F(PgWalFileTest, ArchivesHistoryFiles) {
  const WalName name = WalName::parse("00000002.history").value();
  auto file = open(build_history(2, 1), name);
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE(file.value().measure().ok());
  EXPECT_TRUE(file.value().is_finished());
  ASSERT_TRUE(archive_pg_wal_file(store_, file.value(), kGzipLevelDefault).ok());
  EXPECT_TRUE(store_.verify(name).ok());
}

TEST_F(PgWalFileTest, OnePassGivesWhatTwoGive) {
  auto file = open(segment_, name_of(spec_));
  ASSERT_TRUE(file.ok());
  const auto staged = store_.stage(name_of(spec_));
  ASSERT_TRUE(staged.ok());
  const auto crc = file.value().pack(Completeness::kAsked, kGzipLevelDefault, *staged.value());
  ASSERT_TRUE(crc.ok()) << crc.error().text();
  EXPECT_TRUE(file.value().is_finished());
  EXPECT_EQ(file.value().facts(), facts_of(name_of(spec_), segment_, "pgdb2"));
  const auto outcome = store_.commit(*staged.value(), {staged.value()->size(), crc.value()});
  ASSERT_TRUE(outcome.ok()) << outcome.error().text();
  const auto facts = store_.verify(name_of(spec_));
  ASSERT_TRUE(facts.ok()) << facts.error().text();
  EXPECT_EQ(facts.value(), facts_of(name_of(spec_), segment_, "pgdb2"));
}

TEST_F(PgWalFileTest, OnePassAsksTheRecordsOnlyWhenItIsToldTo) {
  RecordBuilder records({.segment = spec_});
  records.add(900, 1);
  const Bytes half = records.build();
  for (const auto completeness : {Completeness::kTold, Completeness::kAsked}) {
    auto file = open(half, name_of(spec_));
    ASSERT_TRUE(file.ok());
    const auto staged = store_.stage(name_of(spec_));
    ASSERT_TRUE(staged.ok());
    ASSERT_TRUE(file.value().pack(completeness, kGzipLevelDefault, *staged.value()).ok());
    EXPECT_EQ(file.value().is_finished(), completeness == Completeness::kTold);
  }
}

TEST_F(PgWalFileTest, H12OnePassNoticesAFileThatChangesMeanwhile) {
  const std::string path = plant(segment_, name_of(spec_));
  ASSERT_TRUE(files_.remove(path).ok());
  const auto server = files_.create(path);
  ASSERT_TRUE(server.value()->write_at(0, segment_).ok());
  auto file = PgWalFile::open(
      files_,
      {.path = path, .name = name_of(spec_), .origin = "pgdb2", .system_id = kTestSystemId});
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE(server.value()->write_at(segment_.size() / 2, Bytes(1)).ok());
  const auto staged = store_.stage(name_of(spec_));
  ASSERT_TRUE(staged.ok());
  const auto crc = file.value().pack(Completeness::kTold, kGzipLevelDefault, *staged.value());
  ASSERT_FALSE(crc.ok());
  EXPECT_EQ(crc.error().code, Errc::kRetry);
}

TEST_F(PgWalFileTest, H12NoticesAFileThatIsOverwrittenBetweenTheTwoPasses) {
  auto file = open(segment_, name_of(spec_));
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE(file.value().measure().ok());
  files_.flip_byte("/pg/pg_wal/" + name_of(spec_).text(), segment_.size() / 2);
  const auto outcome = archive_pg_wal_file(store_, file.value(), kGzipLevelDefault);
  ASSERT_FALSE(outcome.ok());
  EXPECT_EQ(outcome.error().code, Errc::kRetry);
  EXPECT_EQ(store_.open(name_of(spec_)).error().code, Errc::kNotFound);
  EXPECT_TRUE(files_.list("/archive/.pgwalship/tmp").value().empty());
}

TEST_F(PgWalFileTest, H12APageOfAnotherSegmentMeansUnfinished) {
  for (const std::size_t from : {kPage, segment_.size() / 2, segment_.size() - kPage}) {
    SegmentSpec older;
    older.lsn = spec_.lsn + spec_.segment_bytes * std::uint64_t{7};
    Bytes recycled = build_segment(older);
    std::copy(segment_.begin(), segment_.begin() + static_cast<std::ptrdiff_t>(from),
              recycled.begin());
    EXPECT_FALSE(is_finished(recycled)) << from;
    std::copy(segment_.begin() + static_cast<std::ptrdiff_t>(from), segment_.end(),
              recycled.begin() + static_cast<std::ptrdiff_t>(from));
    EXPECT_TRUE(is_finished(recycled)) << from;
  }
}

// What a standby marks as done when its primary is shut down: the stream ended in the middle.
TEST_F(PgWalFileTest, H41ASegmentWhoseRecordsEndInTheMiddleIsUnfinished) {
  RecordBuilder records({.segment = spec_});
  for (std::uint64_t seed = 1; seed < 50; ++seed) {
    records.add(900, seed);
  }
  EXPECT_FALSE(is_finished(records.build()));
  EXPECT_FALSE(is_finished(records.build_recycled(7)));
  while (records.end() < spec_.lsn + spec_.segment_bytes - kPage + 100) {
    records.add(500, records.end());
  }
  EXPECT_FALSE(is_finished(records.build())) << "within the last page";
  EXPECT_FALSE(is_finished(records.build_recycled(7))) << "within the last page";
  records.add(3 * kPage, 1);
  EXPECT_TRUE(is_finished(records.build()));
}

TEST_F(PgWalFileTest, ASegmentThatWasSwitchedIsFinishedOnceItsTailIsWritten) {
  RecordBuilder records({.segment = spec_});
  records.add(100, 1);
  records.add_switch();
  EXPECT_TRUE(is_finished(records.build()));
  EXPECT_FALSE(is_finished(records.build_recycled(7)));
}

TEST_F(PgWalFileTest, AFileOfTheFutureIsNotWrittenYet) {
  SegmentSpec older = spec_;
  older.lsn += spec_.segment_bytes;
  EXPECT_EQ(open(build_segment(older), name_of(spec_)).error().code, Errc::kRetry);
  EXPECT_EQ(open(Bytes(spec_.segment_bytes), name_of(spec_)).error().code, Errc::kRetry);
  EXPECT_EQ(open(Bytes(), name_of(spec_)).error().code, Errc::kRetry);
}

TEST_F(PgWalFileTest, RefusesAnotherCluster) {
  SegmentSpec foreign = spec_;
  foreign.system_id = kTestSystemId + 1;
  EXPECT_EQ(open(build_segment(foreign), name_of(spec_)).error().code, Errc::kInvalid);
}

class DataDirectoryTest : public testing::Test {
 protected:
  void plant(const std::string& path, const std::string& content = "") {
    files_.plant("/pg/" + path, as_bytes(content));
  }

  MemoryFileSystem files_;
  const DataDirectory directory_{files_, "/pg"};
};

TEST_F(DataDirectoryTest, MarksComeInArchivingOrderAndOthersAreLeftOut) {
  plant("pg_wal/archive_status/000000010000000000000003.done");
  plant("pg_wal/archive_status/000000010000000000000002.ready");
  plant("pg_wal/archive_status/00000002.history.done");
  plant("pg_wal/archive_status/000000010000000000000002.partial.ready");
  plant("pg_wal/archive_status/RECOVERYXLOG.done");
  plant("pg_wal/archive_status/000000010000000000000004");
  const auto marks = directory_.marks();
  ASSERT_TRUE(marks.ok());
  std::vector<std::string> words;
  for (const ArchiveMark& mark : marks.value()) {
    words.push_back(mark.name.text() +
                    (mark.kind == ArchiveMark::Kind::kDone ? " done" : " ready"));
  }
  EXPECT_EQ(words, (std::vector<std::string>{
                       "00000002.history done", "000000010000000000000002 ready",
                       "000000010000000000000002.partial ready", "000000010000000000000003 done"}));
}

TEST_F(DataDirectoryTest, KnowsRecoveryAndTheCluster) {
  EXPECT_FALSE(directory_.is_in_recovery());
  plant("standby.signal");
  EXPECT_TRUE(directory_.is_in_recovery());
  EXPECT_EQ(directory_.system_id().error().code, Errc::kNotFound);
  ByteWriter control;
  control.u64(kTestSystemId);
  plant("global/pg_control", std::string(as_text(control.view())) + "more");
  EXPECT_EQ(directory_.system_id().value(), kTestSystemId);
}

TEST_F(DataDirectoryTest, APidFileOfADeadOrAnotherProcessIsNoServer) {
  EXPECT_EQ(directory_.running_server(), std::nullopt);
  plant("postmaster.pid", "not a number\n");
  EXPECT_EQ(directory_.running_server(), std::nullopt);
  EXPECT_TRUE(files_.remove("/pg/postmaster.pid").ok());
  plant("postmaster.pid", std::to_string(getpid()) + "\n/pg\n");  // works elsewhere
  EXPECT_EQ(directory_.running_server(), std::nullopt);
}

}  // namespace
}  // namespace pgwalship
