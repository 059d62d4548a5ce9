#include "wal/timeline_history.h"

#include "wal/lsn.h"

#include <gtest/gtest.h>

#include <string>

namespace pgwalship {
namespace {

// As PostgreSQL 15 wrote it after a second promotion; the blank line is its own.
constexpr std::string_view kReal =
    "1\t0/B00000\tno recovery target specified\n"
    "\n"
    "2\t0/1000000\tno recovery target specified\n";

std::string reason_against(std::string_view text) {
  const auto history = parse_timeline_history(3, text);
  return history.ok() ? "nothing" : history.error().message;
}

TEST(TimelineHistory, ReadsWhatPostgresqlWrote) {
  const TimelineHistory history = parse_timeline_history(3, kReal).value();
  ASSERT_EQ(history.forks.size(), 2U);
  EXPECT_EQ(history.forks[0].parent, 1U);
  EXPECT_EQ(history.forks[0].lsn, 0xB00000U);
  EXPECT_EQ(history.forks[0].reason, "no recovery target specified");
  EXPECT_EQ(history.origin().parent, 2U);
  EXPECT_EQ(history.origin().lsn, 0x1000000U);
  EXPECT_EQ(history_text(history), "1 until 0/B00000, 2 until 0/1000000");
}

TEST(TimelineHistory, SkipsCommentsAndBlankLines) {
  const TimelineHistory history =
      parse_timeline_history(3, "# a comment\n\n \t\n  # another\n1\tA/FF000028\n").value();
  ASSERT_EQ(history.forks.size(), 1U);
  EXPECT_EQ(history.origin().lsn, 0xAFF000028U);
  EXPECT_EQ(history.origin().reason, "");
}

TEST(TimelineHistory, ReadsALastLineWithoutItsNewlineAndWindowsLineEnds) {
  EXPECT_EQ(parse_timeline_history(2, "1\t0/A\tbefore 'x'\r").value().origin().reason,
            "before 'x'");
}

TEST(TimelineHistory, TheReasonIsNotPartOfWhereItCameFrom) {
  EXPECT_EQ(parse_timeline_history(2, "1\t0/A\tthis").value().origin(),
            parse_timeline_history(2, "1 0/a that").value().origin());
}

TEST(TimelineHistory, ShowsOnlyVisibleCharacters) {
  EXPECT_EQ(parse_timeline_history(2, "1\t0/A\t\x1b[2J\xc3\xa4").value().origin().reason, "?[2J??");
}

TEST(TimelineHistory, RefusesNumbersThatAreNone) {
  EXPECT_EQ(reason_against("1\t0/A\n\nx\t0/B\n"),
            "history of timeline 3, line 3: 'x' is no timeline");
  EXPECT_EQ(reason_against("1\n"), "history of timeline 3, line 1: '' is no LSN");
  for (const char* text :
       {"-1\t0/A", "+1\t0/A", "0\t0/A", "4294967297\t0/A", "0x1\t0/A", "1\t0", "1\t/A", "1\t0/",
        "1\t0/G", "1\t123456789/0", "1\t0/123456789", "1\t0/-1", "1\t0/A/B", "1,\t0/A"}) {
    EXPECT_NE(reason_against(text), "nothing") << text;
  }
}

TEST(TimelineHistory, RefusesAWrongOrder) {
  EXPECT_EQ(reason_against("2\t0/A\n1\t0/B\n"),
            "history of timeline 3, line 2: timeline 1 comes after timeline 2");
  EXPECT_EQ(reason_against("1\t0/A\n1\t0/B\n"),
            "history of timeline 3, line 2: timeline 1 comes after timeline 1");
  EXPECT_EQ(reason_against("1\t0/B\n2\t0/A\n"),
            "history of timeline 3, line 2: its LSN 0/A comes after 0/B");
  EXPECT_EQ(reason_against("1\t0/A\n3\t0/B\n"),
            "history of timeline 3, line 2: timeline 3 cannot be an ancestor of timeline 3");
  EXPECT_EQ(reason_against("1\t0/A\n2\t0/A\n"), "nothing");
}

TEST(TimelineHistory, RefusesOneThatSaysNothing) {
  EXPECT_EQ(reason_against(""), "history of timeline 3: it names no ancestor");
  EXPECT_EQ(reason_against("# nothing\n"), "history of timeline 3: it names no ancestor");
  EXPECT_FALSE(parse_timeline_history(1, kReal).ok());
  EXPECT_FALSE(parse_timeline_history(3, std::string(kTimelineHistoryBytesMax + 1, '\n')).ok());
}

TEST(Lsn, ReadsWhatPostgresqlWrites) {
  EXPECT_EQ(parse_lsn("0/0"), 0U);
  EXPECT_EQ(parse_lsn("A/FF000028"), 0xAFF000028U);
  EXPECT_EQ(parse_lsn("FFFFFFFF/FFFFFFFF"), ~std::uint64_t{0});
  EXPECT_FALSE(parse_lsn(""));
  EXPECT_FALSE(parse_lsn("0/0 "));
}

TEST(Lsn, OneLineIsSafeToPrint) {
  EXPECT_EQ(one_line("a\nb", 10), "a?b");
  EXPECT_EQ(one_line("abcdef", 3), "abc...");
}

}  // namespace
}  // namespace pgwalship
