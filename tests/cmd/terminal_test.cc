#include "cmd/terminal.h"

#include "cmd/text_table.h"

#include <gtest/gtest.h>

namespace pgwalship {
namespace {

using namespace std::chrono_literals;

TEST(Progress, ShowsHowLongItStillTakes) {
  EXPECT_EQ(
      progress_text(
          {.what = "verified", .done = 250, .all = 1000, .bytes = 50U << 20U, .elapsed = 5s}, 100),
      "verified [#####               ] 250 of 1000, 10 MB/s, 15 s to go");
}

TEST(Progress, GuessesNothingAtTheBeginningOrWithoutAnEnd) {
  EXPECT_EQ(progress_text({.what = "verified", .all = 10}, 100),
            "verified [                    ] 0 of 10");
  EXPECT_EQ(progress_text({.what = "read", .done = 7, .elapsed = 5s}, 100), "read 7");
  EXPECT_EQ(progress_text({.what = "sent", .done = 9, .all = 4, .elapsed = 5s}, 100),
            "sent [####################] 4 of 4");
}

TEST(Progress, FitsIntoTheTerminal) {
  const Progress progress{.what = "shipping", .done = 1, .all = 2, .now = "a-long-name"};
  EXPECT_EQ(progress_text(progress, 60), "shipping [##########          ] 1 of 2: a-long-name");
  EXPECT_EQ(progress_text(progress, 45), "shipping [##########          ] 1 of 2");
  EXPECT_EQ(progress_text(progress, 10), "shipping [");
}

TEST(Terminal, RoundsForReading) {
  EXPECT_EQ(rounded_size(0), "0 B");
  EXPECT_EQ(rounded_size(1536), "1.5 kB");
  EXPECT_EQ(rounded_size(16.0 * (1 << 20)), "16 MB");
  EXPECT_EQ(rounded_time(1.25), "1.2 s");
  EXPECT_EQ(rounded_time(119), "119 s");
  EXPECT_EQ(rounded_time(7300), "2 h");
  EXPECT_EQ(rounded_time(200000), "2 days");
}

TEST(Terminal, ColoursOnlyWhereTheyAreOn) {
  EXPECT_EQ(shaded("OK", Shade::kGood, Colours::kOff), "OK");
  EXPECT_EQ(shaded("OK", Shade::kGood, Colours::kOn), "\033[32mOK\033[0m");
  EXPECT_EQ(shaded("OK", Shade::kPlain, Colours::kOn), "OK");
  EXPECT_EQ(colours_of(-1), Colours::kOff);
}

TEST(TextTable, AlignsAndLeavesOutWhatIsEmpty) {
  TextTable table({"peer", "site", "state"});
  table.add({"pgdb2", "", {"down", Shade::kBad}});
  table.add({"p", "", "current"});
  EXPECT_EQ(table.text(Colours::kOff),
            "  peer   state\n"
            "  pgdb2  down\n"
            "  p      current\n");
  EXPECT_NE(table.text(Colours::kOn).find("\033[1;31mdown\033[0m\n"), std::string::npos);
}

TEST(Fitted, KeepsTheFirstLinesOfAScreen) {
  EXPECT_EQ(fitted("a\nb\nc\n", 80, 3), "a\nb\nc\n");
  EXPECT_EQ(fitted("a\nb\nc\nd\n", 80, 3), "a\nb\n... 2 more lines, in a larger window\n");
  EXPECT_EQ(fitted("", 80, 3), "");
}

TEST(Fitted, CountsWhatALongLineTakesAndNoColours) {
  EXPECT_EQ(fitted("12345678901\nb\nc\n", 10, 3),
            "12345678901\n... 2 more lines, in a larger window\n");
  const std::string line = "\033[1;31m1234567890\033[0m\n";
  EXPECT_EQ(fitted(line + "b\n", 10, 2), line + "b\n");
}

}  // namespace
}  // namespace pgwalship
