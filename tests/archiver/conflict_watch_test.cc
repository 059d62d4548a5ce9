#include "archiver/conflict_watch.h"

#include "base/posix_file_system.h"
#include "tests/support/manual_clock.h"
#include "tests/support/segment_builder.h"
#include "tests/support/temp_dir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <poll.h>

namespace pgwalship {
namespace {

class ConflictWatchTest : public testing::Test {
 protected:
  ConflictWatchTest() { EXPECT_TRUE(store_.prepare().ok()); }

  void put(std::uint64_t seed) {
    const Bytes file = build_archive_file(name_, build_history(2, seed), "pgdb1");
    auto staged = store_.stage(name_).value();
    EXPECT_TRUE(staged->append(file).ok());
    std::ignore = store_.commit(*staged, {.file_bytes = file.size(), .file_crc32 = crc32(0, file)});
  }
  // Looks once, and runs what comes of it.
  void look() {
    now_ = watch_.tick(now_);
    for (int job = 0; job < 3; ++job) {
      pollfd wanted{scans_.event_fd(), POLLIN, 0};
      if (::poll(&wanted, 1, job == 0 ? 10000 : 500) == 1) {
        scans_.drain();
      }
    }
  }

  TempDir dir_;
  PosixFileSystem file_system_;
  ArchiveStore store_{file_system_, {.directory = dir_.file("archive"), .seed = 1}};
  const WalName name_ = WalName::parse("00000002.history").value();
  const ManualClock clock_;
  std::unique_ptr<EventLoop> loop_ = EventLoop::create(clock_).value();
  Log log_{LogLevel::kError, LogTarget::kStderr};
  Worker scans_{10};
  ConflictWatch watch_{{*loop_, scans_, store_, log_}};
  TimePoint now_{};
};

TEST_F(ConflictWatchTest, H8JudgesEachConflictOnceAndForgetsWhatIsDecided) {
  put(1);
  look();
  EXPECT_TRUE(watch_.verdicts().empty());
  put(2);
  testing::internal::CaptureStderr();
  look();
  look();
  const std::string log = testing::internal::GetCapturedStderr();
  ASSERT_EQ(watch_.verdicts().size(), 1U);
  EXPECT_THAT(watch_.verdicts().begin()->second, testing::HasSubstr("timeline 2 was begun twice"));
  EXPECT_THAT(log, testing::HasSubstr("conflict: 00000002.history: timeline 2 was begun twice"));
  EXPECT_EQ(log.find("conflict: "), log.rfind("conflict: ")) << "logged once";

  ASSERT_TRUE(store_.keep_archived(name_).ok());
  look();
  EXPECT_TRUE(watch_.verdicts().empty());
}

}  // namespace
}  // namespace pgwalship
