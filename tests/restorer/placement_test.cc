#include "restorer/placement.h"

#include "base/posix_file_system.h"
#include "tests/support/manual_clock.h"
#include "tests/support/segment_builder.h"
#include "tests/support/temp_dir.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <signal.h>

namespace pgwalship {
namespace {

using Outcome = PlacementResult::Outcome;

const WalName kName = name_of({});

// Time stands still, and each look at it is a chance for the outer world.
class EventfulClock final : public Clock {
 public:
  explicit EventfulClock(std::function<void()> event) : event_(std::move(event)) {}
  TimePoint now() const override {
    event_();
    return TimePoint{};
  }
  WallTime wall() const override { return {}; }

 private:
  std::function<void()> event_;
};

class PlacementTest : public testing::Test {
 protected:
  PlacementTest() {
    std::filesystem::create_directory(dir_.file("archive"));
    std::filesystem::create_directory(dir_.file("place"));
  }

  void archive(ByteView file) {
    std::ofstream out(dir_.file("archive/" + kName.text() + ".gz"), std::ios::binary);
    out << as_text(file);
  }

  PlacementResult place(const Clock& clock, TimePoint deadline = kNever) {
    return place_from_archive(
        file_system_, store_, spool_, clock,
        {.name = kName, .destination = dir_.file("place/x"), .deadline = deadline});
  }

  // Puts it where the daemon does; its path.
  std::string spool(ByteView raw) {
    std::filesystem::create_directories(dir_.file("archive/.pgwalship/tmp"));
    EXPECT_TRUE(spool_.prepare().ok());
    const auto file = spool_.create(kName, facts_of(kName, raw));
    EXPECT_TRUE(file.ok());
    file.value()->append(raw);
    return spool_.publish(*file.value());
  }

  std::vector<std::string> placed() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(dir_.file("place"))) {
      names.push_back(entry.path().filename().string());
    }
    return names;
  }

  TempDir dir_;
  PosixFileSystem file_system_;
  ArchiveStore store_{file_system_, ArchiveStore::Options{dir_.file("archive"), 0, 1}};
  Spool spool_{file_system_, {.directory = dir_.file("archive"), .boot = "a boot"}};
  ManualClock clock_;
};

using Names = std::vector<std::string>;

TEST_F(PlacementTest, PlacesTheVerifiedFile) {
  archive(build_archive_file(kName, build_segment({})));
  EXPECT_EQ(place(clock_).outcome, Outcome::kPlaced);
  EXPECT_EQ(placed(), Names{"x"});
  EXPECT_EQ(std::filesystem::file_size(dir_.file("place/x")), kSegmentBytesMin);
}

TEST_F(PlacementTest, MovesTheFileThatLiesReady) {
  const Bytes raw = build_segment({});
  Bytes file = build_archive_file(kName, raw);
  file[file.size() / 2] ^= std::byte{1};  // the archive's would not do
  archive(file);
  const std::string ready = spool(raw);
  EXPECT_EQ(place(SystemClock()).outcome, Outcome::kPlaced);
  EXPECT_EQ(placed(), Names{"x"});
  EXPECT_FALSE(std::filesystem::exists(ready));
  std::ifstream in(dir_.file("place/x"), std::ios::binary);
  const std::string content{std::istreambuf_iterator<char>(in), {}};
  EXPECT_TRUE(content == as_text(raw));
  EXPECT_EQ(place(SystemClock()).outcome, Outcome::kCorrupt) << "it is there once";
}

TEST_F(PlacementTest, H51TheArchiveDecidesWhatIsTakenFromTheSpool) {
  const std::string ready = spool(build_segment({}));
  EXPECT_EQ(place(SystemClock()).outcome, Outcome::kMissing);
  SegmentSpec other;
  other.seed = 2;
  const Bytes chosen = build_segment(other);
  archive(build_archive_file(kName, chosen));
  EXPECT_EQ(place(SystemClock()).outcome, Outcome::kPlaced);
  EXPECT_TRUE(std::filesystem::exists(ready)) << "it is of other content";
}

// Only where there is another file system to copy to.
TEST_F(PlacementTest, H51AFileFromAnotherFileSystemIsVerifiedAgain) {
  const auto there = file_system_.stat("/dev/shm");
  if (!there.ok() || there.value().device == file_system_.stat(dir_.path()).value().device) {
    GTEST_SKIP() << "/dev/shm is no other file system";
  }
  archive(build_archive_file(kName, build_segment({})));
  const std::string target = "/dev/shm/" + dir_.path().substr(dir_.path().rfind('/') + 1);
  const std::string ready = spool(build_segment({}));
  const Placement placement{.name = kName, .destination = target};
  EXPECT_EQ(place_from_archive(file_system_, store_, spool_, SystemClock(), placement).outcome,
            Outcome::kPlaced);
  EXPECT_EQ(std::filesystem::file_size(target), kSegmentBytesMin);
  EXPECT_TRUE(std::filesystem::exists(ready)) << "the daemon removes it";
  std::filesystem::remove(target);
}

TEST_F(PlacementTest, TellsMissingFromCorrupt) {
  EXPECT_EQ(place(clock_).outcome, Outcome::kMissing);
  archive(Bytes(100));
  EXPECT_EQ(place(clock_).outcome, Outcome::kCorrupt);
  Bytes file = build_archive_file(kName, build_segment({}));
  file[file.size() / 2] ^= std::byte{1};
  archive(file);
  EXPECT_EQ(place(clock_).outcome, Outcome::kCorrupt);
  EXPECT_EQ(placed(), Names{});
}

TEST_F(PlacementTest, H27RefusesALegacyFileThatIsNotItsSegment) {
  SegmentSpec other;
  other.lsn = 99U << 20;
  archive(build_legacy_file(build_segment(other), {}));
  EXPECT_EQ(place(clock_).outcome, Outcome::kCorrupt);
  EXPECT_EQ(placed(), Names{});
}

TEST_F(PlacementTest, StopsAtTheDeadline) {
  archive(build_archive_file(kName, build_segment({})));
  const PlacementResult result = place(clock_, clock_.now());
  EXPECT_EQ(result.outcome, Outcome::kFailed);
  EXPECT_EQ(result.error.code, Errc::kTimeout);
  EXPECT_EQ(placed(), Names{});
}

TEST_F(PlacementTest, LeavesAnotherFetchToTheSamePlaceAlone) {
  archive(build_archive_file(kName, build_segment({})));
  auto other = file_system_.create(dir_.file("place/x.pgwalship"));
  ASSERT_TRUE(other.ok());
  const PlacementResult result = place(clock_);
  EXPECT_EQ(result.outcome, Outcome::kFailed);
  EXPECT_EQ(result.error.code, Errc::kRetry);
  other.value().reset();
  EXPECT_EQ(place(clock_).outcome, Outcome::kPlaced);
  EXPECT_EQ(placed(), Names{"x"});
}

TEST_F(PlacementTest, SaysWhenTheDestinationIsTheProblem) {
  archive(build_archive_file(kName, build_segment({})));
  std::filesystem::remove(dir_.file("place"));
  EXPECT_EQ(place(clock_).outcome, Outcome::kFailed);
}

TEST_F(PlacementTest, H34ASignalWhileItWritesEndsTheProcessAndLeavesNothing) {
  archive(build_archive_file(kName, build_segment({})));
  for (const int number : {SIGTERM, SIGQUIT, SIGINT, SIGHUP}) {
    EXPECT_EXIT(
        {
          const EventfulClock clock([number] { ::raise(number); });
          place(clock);
          ::_exit(0);
        },
        testing::KilledBySignal(number), "");
    EXPECT_EQ(placed(), Names{});
  }
}

}  // namespace
}  // namespace pgwalship
