#include "cmd/command_line.h"

#include <gtest/gtest.h>

#include <array>

namespace pgwalship {
namespace {

using Words = std::vector<std::string>;

CommandLine parsed(const Words& words) {
  const auto line = parse_command_line(words);
  EXPECT_TRUE(line.ok());
  return line.ok() ? line.value() : CommandLine{};
}

TEST(CommandLine, TakesTheConfigurationBeforeTheVerb) {
  for (const Words& words :
       {Words{"--config", "c", "push", "a", "b"}, Words{"--config=c", "push", "a", "b"},
        Words{"-c", "c", "push", "a", "b"}}) {
    const CommandLine line = parsed(words);
    EXPECT_EQ(line.config_path, "c");
    EXPECT_EQ(line.verb, "push");
    EXPECT_EQ(line.arguments, (Words{"a", "b"}));
  }
}

TEST(CommandLine, LeavesWhatFollowsTheVerbToTheVerb) {
  EXPECT_EQ(parsed({"push", "--config", "c"}).arguments, (Words{"--config", "c"}));
  EXPECT_EQ(parsed({"push", "--config", "c"}).config_path, "");
  EXPECT_EQ(parsed({"status", "--help"}).wanted, CommandLine::Wanted::kVerb);
}

TEST(CommandLine, KnowsHelpAndVersion) {
  EXPECT_EQ(parsed({"--help"}).wanted, CommandLine::Wanted::kHelp);
  EXPECT_EQ(parsed({"-V"}).wanted, CommandLine::Wanted::kVersion);
}

TEST(CommandLine, RefusesWhatItDoesNotKnow) {
  for (const Words& words : {Words{}, Words{"--confi", "c", "push"}, Words{"--config"},
                             Words{"--config="}, Words{"--nonsense", "push"}, Words{"-"}}) {
    EXPECT_FALSE(parse_command_line(words).ok()) << testing::PrintToString(words);
  }
}

TEST(Arguments, MustAllBeThereAndNoMore) {
  const VerbSyntax syntax{.positionals = {"PATH", "NAME"}};
  const auto both = parse_arguments(syntax, {"a", ""});
  ASSERT_TRUE(both.ok());
  EXPECT_EQ(both.value().values.at("PATH"), "a");
  EXPECT_EQ(both.value().values.at("NAME"), "");
  EXPECT_EQ(parse_arguments(syntax, {"a"}).error().message, "NAME is missing");
  EXPECT_EQ(parse_arguments(syntax, {"a", "b", "c", "d"}).error().message,
            "'c' is one argument too many");
  EXPECT_EQ(parse_arguments({}, {"c"}).error().message, "'c' is one argument too many");
  EXPECT_EQ(parse_arguments(syntax, {"a", "b", "--force"}).error().hint,
            "--help after the verb shows what it takes");
  EXPECT_EQ(parse_arguments(syntax, {"a", "b", "--config", "c"}).error().message,
            "--config stands before the verb");
}

TEST(Arguments, KnowOptionsAndFlags) {
  const VerbSyntax syntax{.values = {"from"}, .flags = {"json"}};
  const auto given = parse_arguments(syntax, {"--from", "pgdb1", "--json"});
  ASSERT_TRUE(given.ok());
  EXPECT_EQ(given.value().values.at("from"), "pgdb1");
  EXPECT_TRUE(given.value().flags.contains("json"));
  EXPECT_EQ(parse_arguments(syntax, {}).error().message, "--from is missing");
}

TEST(NearestWord, ForgivesTwoSlips) {
  constexpr std::array<std::string_view, 3> kWords{"push", "fetch", "status"};
  EXPECT_EQ(nearest_word("psuh", kWords), "push");
  EXPECT_EQ(nearest_word("ftch", kWords), "fetch");
  EXPECT_EQ(nearest_word("stats", kWords), "status");
  EXPECT_EQ(nearest_word("archive", kWords), "");
  EXPECT_EQ(nearest_word("", kWords), "");
}

}  // namespace
}  // namespace pgwalship
