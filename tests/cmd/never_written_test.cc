#include "cmd/never_written.h"

#include "tests/support/memory_file_system.h"
#include "tests/support/segment_builder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace pgwalship {
namespace {

constexpr std::uint64_t kSegment = kSegmentBytesMin;

// Timeline 8 was left at the first byte of segment 5, and pg_wal has a file of that name.
class NeverWritten : public testing::Test {
 protected:
  NeverWritten() { archive_history(9, "8\t" + lsn_text(5 * kSegment) + "\tx\n"); }

  void archive_history(std::uint32_t timeline, const std::string& text) {
    const WalName name = WalName::history_of(timeline);
    files_.plant("/archive/" + name.text() + ".gz", build_archive_file(name, as_bytes(text)));
  }
  // What is said of segment `number` when its file holds that of `holds`.
  std::string said(std::uint64_t number, std::uint64_t holds,
                   std::uint64_t system_id = kTestSystemId) {
    const std::string path = "/pg_wal/" + std::to_string(++count_);
    files_.plant(path, build_segment({.timeline = 6, .lsn = holds * kSegment}));
    const WalName name = name_of({.timeline = 8, .lsn = number * kSegment});
    return never_written(files_, store_, path, name, system_id).value_or("");
  }

  MemoryFileSystem files_;
  ArchiveStore store_{files_, {.directory = "/archive"}};
  int count_ = 0;
};

TEST_F(NeverWritten, ARecycledFileOfATimelineThatWasLeftBeforeIt) {
  EXPECT_THAT(said(5, 2), testing::HasSubstr("nothing to archive: the file was never written"));
  EXPECT_NE(said(6, 2), "");
}

TEST_F(NeverWritten, WhatRecoveryMayNeedIsNotTakenForIt) {
  EXPECT_EQ(said(4, 2), "");  // before the fork
  EXPECT_EQ(said(5, 5), "");  // written
  EXPECT_EQ(said(5, 7), "");  // of a later segment: not recycled, misnamed
}

TEST_F(NeverWritten, AFileOfAnotherServerIsNotTakenForIt) {
  EXPECT_EQ(said(5, 2, 1), "");
}

// The server goes on with the timeline that a copy of it has left, and its disk lost one page: what
// is there is worth more than nothing, and a person must know.
TEST_F(NeverWritten, AWrittenFileThatLostItsFirstPageIsNotTakenForIt) {
  Bytes written = build_segment({.timeline = 8, .lsn = 5 * kSegment});
  const Bytes older = build_segment({.timeline = 6, .lsn = 2 * kSegment});
  std::copy_n(older.begin(), 8192, written.begin());
  files_.plant("/pg_wal/x", written);
  const WalName name = name_of({.timeline = 8, .lsn = 5 * kSegment});
  EXPECT_FALSE(never_written(files_, store_, "/pg_wal/x", name, kTestSystemId).has_value());
}

TEST_F(NeverWritten, WithoutAHistoryNothingIsProven) {
  files_.plant("/pg_wal/x", build_segment({.timeline = 6, .lsn = 2 * kSegment}));
  const WalName name = name_of({.timeline = 9, .lsn = 9 * kSegment});
  EXPECT_FALSE(never_written(files_, store_, "/pg_wal/x", name, kTestSystemId).has_value());
}

}  // namespace
}  // namespace pgwalship
