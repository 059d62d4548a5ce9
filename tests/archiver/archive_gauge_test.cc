#include "archiver/archive_gauge.h"

#include "tests/support/temp_dir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace pgwalship {
namespace {

TEST(ArchiveGauge, FindsWhatStandsInTheWayOfAName) {
  const TempDir archive;
  Worker quiet(4);
  std::filesystem::create_directory(archive.file("000000010000000000000001.gz"));
  std::filesystem::create_symlink("/nowhere", archive.file("00000002.history.gz"));
  std::filesystem::create_directory(archive.file("notes"));
  std::ofstream(archive.file("000000010000000000000002.gz")) << "a file";
  ArchiveGauge gauge(archive.path(), quiet);
  const TimePoint now = SystemClock().now();
  EXPECT_GT(gauge.tick(now), now);
  while (gauge.view().obstacles.empty()) {
    quiet.drain();
  }
  EXPECT_THAT(gauge.view().obstacles,
              testing::ElementsAre("000000010000000000000001.gz", "00000002.history.gz"));
}

}  // namespace
}  // namespace pgwalship
