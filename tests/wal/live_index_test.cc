#include "wal/live_index.h"

#include "tests/support/manual_clock.h"
#include "tests/support/memory_file_system.h"
#include "tests/wal/archive_store_fixture.h"

#include <gtest/gtest.h>

#include <deque>
#include <filesystem>
#include <fstream>
#include <memory>

namespace pgwalship {
namespace {

// Jobs wait until the test runs them: what happens in between is up to the test.
class LiveIndexTest : public ArchiveStoreTest {
 protected:
  void SetUp() override {
    ArchiveStoreTest::SetUp();
    start();
  }

  void start(std::uint64_t cache_changes_min = 1024) {
    jobs_.clear();
    LiveIndex::Options options{
        .directory = archive(),
        .seed = 1,
        .note_vanished =
            [this](std::vector<WalName> names) { return note_vanished_(std::move(names)); },
        .cache_changes_min = cache_changes_min};
    const auto post = [this](Worker::Job job) {
      if (jobs_.size() >= jobs_max_) {
        return false;
      }
      jobs_.push_back(std::move(job));
      return true;
    };
    live_ = std::make_unique<LiveIndex>(file_system_, clock_, options, post);
    if (watched_) {
      live_->watch(std::make_unique<DirectoryWatch>(DirectoryWatch::open(archive()).value()));
    }
  }
  std::string archive() const { return dir_.file("archive"); }

  void run_one() {
    const Worker::Job job = std::move(jobs_.front());
    jobs_.pop_front();
    job()();
  }
  void run_all() {
    while (!jobs_.empty()) run_one();
  }
  // What the handlers of refresh() heard: "ok", or the error's word.
  void refresh() {
    live_->refresh([this](const Result<void>& outcome) {
      heard_.push_back(outcome.ok() ? "ok" : std::string(to_word(outcome.error().code)));
    });
  }
  std::vector<std::string> heard() {
    run_all();
    return std::exchange(heard_, {});
  }
  using Heard = std::vector<std::string>;

  // History files: small, where the content does not matter.
  WalName add(std::uint32_t number) {
    number += 2;  // the first timeline that has one
    const WalName name = ArchivePlace{.lane = 0, .position = number}.name().value();
    write(path(name), build_archive_file(name, build_history(number, number)));
    return name;
  }
  bool holds(const WalName& name) const {
    return live_->index().find(ArchivePlace::of(name)).has_value();
  }

  ManualClock clock_;
  std::deque<Worker::Job> jobs_;
  std::size_t jobs_max_ = 100;
  LiveIndex::Options::NoteVanished note_vanished_ = [this](std::vector<WalName> names) {
    return store_.note_vanished(std::move(names));
  };
  bool watched_ = true;
  std::unique_ptr<LiveIndex> live_;
  Heard heard_;
};

TEST_F(LiveIndexTest, HoldsWhatWasThereWhenItStarted) {
  const WalName name = add(1);
  EXPECT_FALSE(live_->scanned());
  refresh();
  EXPECT_TRUE(heard_.empty());
  EXPECT_EQ(heard(), Heard{"ok"});
  EXPECT_TRUE(live_->scanned());
  EXPECT_TRUE(holds(name));
}

TEST_F(LiveIndexTest, SeesFilesOfOtherHandsAtOnce) {
  refresh();
  run_all();
  const WalName store = name_;
  ASSERT_TRUE(put(store_, store, file_).ok());
  const WalName script = add(20);
  live_->on_changes();
  run_all();
  EXPECT_TRUE(holds(store));
  EXPECT_TRUE(holds(script));
  EXPECT_EQ(live_->index().find(ArchivePlace::of(store))->key, ContentKey::of(sha256(raw_)));
  std::filesystem::remove(path(script));
  live_->on_changes();
  run_all();
  EXPECT_FALSE(holds(script));
}

TEST_F(LiveIndexTest, TellsOfNamesThatCameAndOfNoOthers) {
  const WalName first = add(1);
  std::vector<std::string> grown;
  live_->on_growth([&](const std::optional<WalName>& name) {
    grown.push_back(name ? name->text() : "several");
  });
  refresh();
  run_all();
  EXPECT_TRUE(grown.empty()) << "what was there when it started";
  const WalName second = add(2);
  live_->on_changes();
  run_all();
  EXPECT_EQ(grown, std::vector<std::string>{second.text()});
  write(path(first), as_bytes("changed"));
  std::filesystem::remove(path(second));
  live_->on_changes();
  run_all();
  EXPECT_EQ(grown.size(), 1U) << "neither a change nor a removal";
  add(3);
  clock_.advance(kIndexScanInterval);
  refresh();
  run_all();
  EXPECT_EQ(grown.back(), "several") << "as a scan finds them";
}

TEST_F(LiveIndexTest, RefreshWaitsForWhatHappenedBeforeIt) {
  refresh();
  run_all();
  heard_.clear();
  const WalName first = add(1);
  refresh();
  EXPECT_TRUE(heard_.empty());
  const WalName second = add(2);
  refresh();
  run_one();
  EXPECT_EQ(heard_, Heard{"ok"});
  EXPECT_TRUE(holds(first));
  run_one();
  EXPECT_EQ(heard_, (Heard{"ok", "ok"}));
  EXPECT_TRUE(holds(second));
}

TEST_F(LiveIndexTest, AChangeDuringTheScanIsNotLost) {
  const WalName old = add(1);
  refresh();
  const WalName gone = add(2);
  std::filesystem::remove(path(old));
  std::filesystem::remove(path(gone));
  run_one();
  const WalName fresh = add(3);
  refresh();
  EXPECT_EQ(heard(), (Heard{"ok", "ok"}));
  EXPECT_FALSE(holds(old));
  EXPECT_FALSE(holds(gone));
  EXPECT_TRUE(holds(fresh));
}

TEST_F(LiveIndexTest, AFileThatIsStillWrittenIsLookedAtAgain) {
  refresh();
  run_all();
  const Bytes whole = build_archive_file(name_, raw_);
  {
    std::ofstream out(path(name_), std::ios::binary);
    out << as_text(ByteView(whole).first(10)) << std::flush;
    live_->on_changes();
    run_all();
    EXPECT_FALSE(live_->index().find(ArchivePlace::of(name_))->key.known());
    out << as_text(ByteView(whole).subspan(10));
  }
  live_->on_changes();
  run_all();
  EXPECT_TRUE(live_->index().find(ArchivePlace::of(name_))->key.known());
}

TEST_F(LiveIndexTest, ScansWhenEventsWereLost) {
  refresh();
  run_all();
  std::size_t limit = 0;
  std::ifstream("/proc/sys/fs/inotify/max_queued_events") >> limit;
  if (limit == 0 || limit > 100'000) {
    GTEST_SKIP() << "the queue of this machine is too long";
  }
  for (std::size_t i = 0; i <= limit; ++i) {
    std::ofstream(archive_path(std::to_string(i % 10)));
  }
  const WalName unseen = add(1);
  live_->on_changes();
  run_all();
  EXPECT_TRUE(holds(unseen));
}

TEST_F(LiveIndexTest, ScansWhenTheDirectoryIsAnother) {
  const WalName old = add(1);
  refresh();
  run_all();
  heard_.clear();
  std::filesystem::rename(archive(), dir_.file("moved"));
  ASSERT_TRUE(store_.prepare().ok());
  const WalName fresh = add(2);
  refresh();
  EXPECT_EQ(heard(), Heard{"ok"});
  EXPECT_FALSE(holds(old));
  EXPECT_TRUE(holds(fresh));
  const WalName later = add(3);
  live_->on_changes();
  run_all();
  EXPECT_TRUE(holds(later)) << "the new directory is watched";
}

TEST_F(LiveIndexTest, H25AnArchiveThatIsGoneIsNotAnEmptyOne) {
  add(1);
  refresh();
  run_all();
  heard_.clear();
  std::filesystem::rename(archive(), dir_.file("moved"));
  refresh();
  EXPECT_EQ(heard(), Heard{"not_found"});
  EXPECT_TRUE(live_->error().has_value());
  refresh();
  EXPECT_EQ(heard(), Heard{"not_found"});
  std::filesystem::rename(dir_.file("moved"), archive());
  refresh();
  EXPECT_EQ(heard(), Heard{"ok"});
  EXPECT_FALSE(live_->error().has_value());
  EXPECT_EQ(live_->index().size(), 1U);
}

TEST_F(LiveIndexTest, WhatOtherHandsTakeAwayIsInDoubtUntilThatIsRecorded) {
  const WalName name = add(1);
  const WalName other = add(2);
  refresh();
  run_all();
  std::vector<WalName> told;
  live_->on_vanished([&](const std::vector<WalName>& names) { told = names; });
  EXPECT_FALSE(live_->in_doubt(WalName::parse("00000009.history").value()));
  std::filesystem::remove(path(name));
  EXPECT_TRUE(live_->in_doubt(name)) << "at once";
  EXPECT_EQ(store_.vanished().value().mark, 0U);
  run_all();
  EXPECT_NE(store_.vanished().value().mark, 0U);
  EXPECT_EQ(told, std::vector<WalName>{name});
  EXPECT_EQ(live_->vanishings(), 1U);
  EXPECT_FALSE(live_->in_doubt(name)) << "the store says it from now on";
  EXPECT_TRUE(holds(other));
}

// It may have gone while nothing ran.
TEST_F(LiveIndexTest, EverythingIsInDoubtUntilTheFirstScanHasEnded) {
  const WalName name = WalName::parse("000000010000000000000007").value();
  EXPECT_TRUE(live_->in_doubt(name));
  live_->refresh([](const Result<void>&) {});
  EXPECT_TRUE(live_->in_doubt(name)) << "it has only begun";
  run_all();
  EXPECT_FALSE(live_->in_doubt(name));
}

TEST_F(LiveIndexTest, WhatCouldNotBeRecordedStaysInDoubt) {
  const WalName name = add(1);
  refresh();
  run_all();
  note_vanished_ = [](const std::vector<WalName>&) { return Error{Errc::kIo, "no", ""}; };
  std::filesystem::remove(path(name));
  live_->on_changes();
  run_all();
  EXPECT_FALSE(holds(name));
  EXPECT_TRUE(live_->in_doubt(name));
  note_vanished_ = [this](std::vector<WalName> names) {
    return store_.note_vanished(std::move(names));
  };
  run_all();
  EXPECT_FALSE(live_->in_doubt(name));
  EXPECT_EQ(live_->vanishings(), 1U);
}

TEST_F(LiveIndexTest, WhatWasNeverSeenBeforeItWentHasVanishedAllTheSame) {
  refresh();
  run_all();
  const WalName name = add(1);
  std::filesystem::remove(path(name));
  live_->on_changes();
  run_all();
  EXPECT_EQ(live_->vanishings(), 1U);
}

TEST_F(LiveIndexTest, AScanFindsWhatHasVanishedAndTheCacheWhatDidSoWhileNobodyRan) {
  const WalName name = add(1);
  const WalName other = add(2);
  start(1);
  refresh();
  run_all();
  std::filesystem::remove(path(name));
  start(1);  // this one has seen nothing, but for the cache
  refresh();
  run_all();
  EXPECT_EQ(live_->vanishings(), 1U);
  std::filesystem::remove(path(other));
  watched_ = false;
  start(1);
  refresh();
  run_all();
  EXPECT_EQ(live_->vanishings(), 1U);
}

TEST_F(LiveIndexTest, ItIsSavedAtTheEndAndAfterAWhile) {
  refresh();
  run_all();
  const WalName name = add(1);
  live_->on_changes();
  run_all();
  live_->save();
  std::filesystem::remove(path(name));
  start();
  refresh();
  run_all();
  EXPECT_EQ(live_->vanishings(), 1U);
  const WalName other = add(2);
  clock_.advance(kIndexSaveInterval + std::chrono::seconds(1));
  live_->on_changes();
  run_all();
  std::filesystem::remove(path(other));
  start();
  refresh();
  run_all();
  EXPECT_EQ(live_->vanishings(), 1U);
}

TEST_F(LiveIndexTest, FilesOfAnotherDirectoryHaveNotVanishedFromThisOne) {
  add(1);
  refresh();
  run_all();
  std::filesystem::rename(archive(), dir_.file("moved"));
  ASSERT_TRUE(store_.prepare().ok());
  refresh();
  run_all();
  EXPECT_EQ(live_->index().size(), 0U);
  EXPECT_EQ(live_->vanishings(), 0U);
}

TEST_F(LiveIndexTest, WithoutAWatchEachRefreshScans) {
  watched_ = false;
  start();
  EXPECT_EQ(live_->fd(), -1);
  refresh();
  run_all();
  const WalName name = add(1);
  refresh();
  run_all();
  EXPECT_TRUE(holds(name));
}

TEST_F(LiveIndexTest, ScansThatOverlapWithoutAWatchComeToAnEnd) {
  watched_ = false;
  start();
  refresh();
  refresh();
  run_one();
  refresh();
  for (int jobs = 0; !jobs_.empty(); ++jobs) {
    ASSERT_LT(jobs, 10);
    run_one();
  }
  EXPECT_EQ(heard_, (Heard{"ok", "ok", "ok"}));
}

TEST_F(LiveIndexTest, AQueueThatIsFullIsSaidAndMadeGoodLater) {
  jobs_max_ = 0;
  refresh();
  EXPECT_EQ(heard(), Heard{"retry"});
  jobs_max_ = 100;
  refresh();
  EXPECT_EQ(heard(), Heard{"ok"});
  jobs_max_ = 0;
  const WalName name = add(1);
  live_->on_changes();
  jobs_max_ = 100;
  refresh();
  EXPECT_EQ(heard(), Heard{"ok"});
  EXPECT_TRUE(holds(name));
}

TEST_F(LiveIndexTest, ScansFromTimeToTimeAnyway) {
  refresh();
  run_all();
  const WalName name = add(1);
  live_->on_changes();
  jobs_.clear();  // as if the event had been lost
  refresh();
  run_all();
  EXPECT_FALSE(holds(name));
  clock_.advance(kIndexScanInterval);
  refresh();
  run_all();
  EXPECT_TRUE(holds(name));
}

// A header that changes behind its stamp shows whether headers are read.
TEST_F(LiveIndexTest, KeepsACacheThatTheNextOneUses) {
  start(4);
  const WalName name = add(0);
  for (std::uint32_t i = 1; i < 4; ++i) add(i);
  refresh();
  run_all();
  const auto entry = live_->index().find(ArchivePlace::of(name));
  const auto time = std::filesystem::last_write_time(path(name));
  Bytes damaged = read(path(name));
  damaged[0] = std::byte{};
  write(path(name), damaged);
  std::filesystem::last_write_time(path(name), time);
  start(4);
  refresh();
  run_all();
  EXPECT_EQ(live_->index().find(ArchivePlace::of(name)), entry);
}

TEST_F(LiveIndexTest, WritesTheCacheAgainAfterManyChanges) {
  start(4);
  refresh();
  run_all();
  EXPECT_FALSE(std::filesystem::exists(archive_path(".pgwalship/index")));
  for (std::uint32_t i = 0; i < 4; ++i) add(i);
  live_->on_changes();
  run_all();
  EXPECT_TRUE(std::filesystem::exists(archive_path(".pgwalship/index")));
}

// On a disk in memory, which knows what is durable.
TEST(LiveIndexNames, AreDurableWhereSomebodyReliesOnThem) {
  MemoryFileSystem disk;
  const ManualClock clock;
  ASSERT_TRUE(disk.make_directories("/archive/.pgwalship/tmp").ok());
  const auto at_once = [](const Worker::Job& job) {
    job()();
    return true;
  };
  LiveIndex index(disk, clock, {.directory = "/archive", .names = LiveIndex::Names::kDurable},
                  at_once);
  const std::string path = "/archive/00000002.history.gz";
  ASSERT_TRUE(disk.create(path).value()->sync().ok());  // its name is not durable
  disk.fail({.operation = MemoryFileSystem::Operation::kSyncDirectory});
  std::vector<bool> outcomes;
  const auto note = [&](const Result<void>& outcome) { outcomes.push_back(outcome.ok()); };
  index.refresh(note);
  EXPECT_FALSE(disk.is_durable(path));
  index.refresh(note);
  EXPECT_TRUE(disk.is_durable(path));
  EXPECT_EQ(outcomes, (std::vector<bool>{false, true}));
  EXPECT_EQ(index.index().size(), 1U);
}

TEST_F(LiveIndexTest, DeletingTheCacheLosesNothing) {
  start(1);
  const WalName name = add(1);
  refresh();
  run_all();
  const auto entry = live_->index().find(ArchivePlace::of(name));
  std::filesystem::remove(archive_path(".pgwalship/index"));
  start(1);
  refresh();
  run_all();
  EXPECT_EQ(live_->index().find(ArchivePlace::of(name)), entry);
}

}  // namespace
}  // namespace pgwalship
