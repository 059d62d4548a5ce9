#include "wal/archive_scrub.h"

#include "tests/support/memory_file_system.h"

#include <gtest/gtest.h>

namespace pgwalship {
namespace {

const std::string kArchive = "/archive";

ScrubMark some_mark() {
  ScrubMark mark;
  mark.position = WalName::parse("0000000200000003000000FF").value();
  mark.read = 17;
  mark.bad = 2;
  mark.repaired = 1;
  mark.last_pass = WallTime(std::chrono::seconds(1'800'000'000));
  mark.last_bad = 4;
  mark.last_repaired = 3;
  return mark;
}

class ScrubBookTest : public testing::Test {
 protected:
  ScrubBookTest() { EXPECT_TRUE(disk_.make_directories(kArchive + "/.pgwalship/tmp").ok()); }

  MemoryFileSystem disk_;
  ScrubBook book_{disk_, kArchive};
};

TEST_F(ScrubBookTest, KeepsItsPlace) {
  EXPECT_EQ(book_.read(), ScrubMark{});
  ASSERT_TRUE(book_.write(some_mark()).ok());
  EXPECT_EQ(book_.read(), some_mark());
  ASSERT_TRUE(book_.write(ScrubMark{}).ok());
  EXPECT_EQ(book_.read(), ScrubMark{});
}

TEST_F(ScrubBookTest, WhatAKilledDaemonLeftIsNoObstacle) {
  disk_.plant(kArchive + "/.pgwalship/tmp/scrub.new", Bytes(3));
  ASSERT_TRUE(book_.write(some_mark()).ok());
  EXPECT_EQ(book_.read(), some_mark());
}

TEST(ScrubMark, IgnoresWhatItDoesNotUnderstand) {
  EXPECT_EQ(parse_scrub_mark(""), ScrubMark{});
  const ScrubMark mark = parse_scrub_mark(
      "position ../../etc/passwd\nread 5\nbad -1\nrepaired x\nlast-pass 99999999999999999999\n"
      "colour red\nread\n\nlast-bad 7");
  ScrubMark expected;
  expected.read = 5;
  expected.last_bad = 7;
  EXPECT_EQ(mark, expected);
  EXPECT_EQ(parse_scrub_mark("last-pass 18446744073709551615\n"), ScrubMark{});
}

}  // namespace
}  // namespace pgwalship
