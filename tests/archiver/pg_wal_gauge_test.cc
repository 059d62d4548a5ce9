#include "archiver/pg_wal_gauge.h"

#include "tests/support/memory_file_system.h"
#include "wal/segment_name.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace pgwalship {
namespace {

TEST(PgWalGauge, H19ReadsEachDirectoryOnceHoweverMuchWaits) {
  MemoryFileSystem disk;
  const Bytes content(1000);
  for (std::uint32_t number = 1; number <= 50; ++number) {
    const std::string name = WalName::segment_at(1, std::uint64_t{number} << 24U, 1U << 24U).text();
    disk.plant("/data/pg_wal/" + name, content);
    disk.plant("/data/pg_wal/archive_status/" + name + (number <= 20 ? ".done" : ".ready"), {});
  }
  disk.plant("/data/pg_wal/00000002.history", content);
  disk.plant("/data/pg_wal/xlogtemp.1", content);
  disk.set_free_bytes(12345);
  const auto sample = read_pg_wal_sample(disk, "/data/pg_wal");
  ASSERT_TRUE(sample.ok()) << sample.error().message;
  EXPECT_EQ(sample.value().free_bytes, 12345U);
  EXPECT_EQ(sample.value().wal_bytes, 50'000U);
  EXPECT_EQ(sample.value().ready, 30U);
}

TEST(PgWalGauge, GivesNoSampleOfWhatCannotBeRead) {
  MemoryFileSystem disk;
  EXPECT_FALSE(read_pg_wal_sample(disk, "/data/pg_wal").ok());
}

}  // namespace
}  // namespace pgwalship
