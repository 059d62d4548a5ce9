#include "cmd/ini.h"

#include <gtest/gtest.h>

#include <string>

namespace pgwalship {
namespace {

// "line [section] key=value" for each entry, "line! what" for each problem.
std::string told(std::string_view text) {
  const IniText ini = parse_ini(text);
  std::string all;
  for (const IniEntry& entry : ini.entries) {
    all += std::to_string(entry.line) + " [" + entry.section + "] " + entry.key + "=" +
           entry.value + "\n";
  }
  for (const IniProblem& problem : ini.problems) {
    all += std::to_string(problem.line) + "! " + problem.what + "\n";
  }
  return all;
}

TEST(Ini, ReadsSectionsAndKeysWithTheirLines) {
  EXPECT_EQ(told("[a]\nx = 1\n\n[b]\ny=2\nx =3"), "2 [a] x=1\n5 [b] y=2\n6 [b] x=3\n");
}

TEST(Ini, TrimsBlanksAndCarriageReturns) {
  EXPECT_EQ(told(" [ a ] \r\n\t x \t=  1 2  \r\n"), "2 [a] x=1 2\n");
}

TEST(Ini, IgnoresComments) {
  EXPECT_EQ(told("# c\n ; c\n[a] # c\nx = 1 # c\ny = 2\t#c\n#z = 3\n"), "4 [a] x=1\n5 [a] y=2\n");
}

TEST(Ini, KeepsValuesRaw) {
  EXPECT_EQ(told("[a]\nx = a#b;c ; d=\"e\"\n"), "2 [a] x=a#b;c ; d=\"e\"\n");
  EXPECT_EQ(told("[a]\nx =\n"), "2 [a] x=\n");
  EXPECT_EQ(told("[a]\nx = # nothing\n"), "2 [a] x=\n");
}

TEST(Ini, KeepsRepeatedKeysAndSectionsInOrder) {
  EXPECT_EQ(told("[a]\nx=1\nx=2\n[b]\n[a]\nx=3\n"), "2 [a] x=1\n3 [a] x=2\n6 [a] x=3\n");
}

TEST(Ini, NamesTheLineOfEveryProblem) {
  EXPECT_EQ(told("x = 1\n[a\n[]\n[a b]\n[a]\nwords\n= 1\nx y = 1\nz = 1\n"),
            "9 [a] z=1\n"
            "1! x: stands before the first [section]\n"
            "2! '[a' is not a section: write [name]\n"
            "3! '[]' is not a section: write [name]\n"
            "4! '[a b]' is not a section: write [name]\n"
            "6! 'words' is not understood: write key = value\n"
            "7! '= 1' is not understood: write key = value\n"
            "8! 'x y = 1' is not understood: write key = value\n");
}

TEST(Ini, DoesNotGiveKeysToTheSectionBeforeABrokenHeading) {
  EXPECT_EQ(told("[b\nx = 1\n"), "1! '[b' is not a section: write [name]\n");
  EXPECT_EQ(told("[a]\n[b\nx = 1\n"), "2! '[b' is not a section: write [name]\n");
}

TEST(Ini, SurvivesWhatIsNotText) {
  EXPECT_EQ(told(std::string_view("[a]\nx = \0\n", 10)),
            "2! a NUL character: this is not a text file\n");
  EXPECT_EQ(told("\xef\xbb\xbf[a]\nx=1"), "2 [a] x=1\n");
  EXPECT_EQ(told(""), "");
  EXPECT_EQ(told("["), "1! '[' is not a section: write [name]\n");
  EXPECT_EQ(told("="), "1! '=' is not understood: write key = value\n");
}

TEST(Ini, CountsTheLastLine) {
  EXPECT_EQ(parse_ini("").last_line, 1);
  EXPECT_EQ(parse_ini("a\nb\n").last_line, 2);
  EXPECT_EQ(parse_ini("a\nb").last_line, 2);
}

}  // namespace
}  // namespace pgwalship
