#include "archiver/archive_gauge.h"

#include "tests/support/memory_file_system.h"

#include <gtest/gtest.h>

namespace pgwalship {
namespace {

TEST(ArchiveGauge, CountsFilesOfWalAndNothingElse) {
  MemoryFileSystem disk;
  disk.plant("/archive/000000010000000000000001.gz", Bytes(100));
  disk.plant("/archive/00000002.history.gz", Bytes(20));
  disk.plant("/archive/notes.txt", Bytes(3000));
  disk.plant("/archive/.pgwalship/index", Bytes(3000));
  EXPECT_EQ(archive_bytes(disk, "/archive").value(), 120U);
  EXPECT_FALSE(archive_bytes(disk, "/nowhere").ok());
}

}  // namespace
}  // namespace pgwalship
