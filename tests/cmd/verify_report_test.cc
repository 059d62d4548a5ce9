#include "cmd/verify_report.h"

#include <gtest/gtest.h>

namespace pgwalship {
namespace {

using State = VerifiedProblem::State;
using std::chrono::seconds;

VerifiedProblem bad_copy(State state, std::string outcome) {
  return {Problem{Problem::Kind::kCorrupt,
                  "000000010000000000000001",
                  "its hash is wrong",
                  "try --repair",
                  {}},
          state, std::move(outcome)};
}

TEST(VerifyReport, SaysWhatBecameOfAProblem) {
  EXPECT_EQ(problem_line(bad_copy(State::kOpen, "")),
            "000000010000000000000001: its hash is wrong (HINT: try --repair)\n");
  EXPECT_EQ(problem_line(bad_copy(State::kRepaired, "from pgdb2")),
            "000000010000000000000001: its hash is wrong; repaired, from pgdb2\n");
  EXPECT_EQ(problem_line(bad_copy(State::kNotRepaired, "no node has it")),
            "000000010000000000000001: its hash is wrong; NOT repaired: no node has it\n");
}

TEST(VerifyReport, EndsWithASummary) {
  const VerifyTotals totals{1000, 200U << 20U, seconds(10)};
  EXPECT_EQ(summary_line(totals, {}), "verified 1000 files in 10 s (20 MB/s): all good\n");
  EXPECT_EQ(summary_line(totals, {bad_copy(State::kOpen, "")}),
            "verified 1000 files in 10 s (20 MB/s): 1 problem\n");
  EXPECT_EQ(summary_line(totals, {bad_copy(State::kOpen, ""), bad_copy(State::kRepaired, "")}),
            "verified 1000 files in 10 s (20 MB/s): 2 problems, 1 repaired\n");
}

TEST(VerifyReport, IsJsonWhateverTheWordsAre) {
  EXPECT_EQ(verify_json({2, 10, {}}, {}),
            "{\n  \"version\": 1,\n  \"good\": true,\n  \"files\": 2,\n  \"bytes\": 10,\n"
            "  \"problems\": []\n}\n");
  const std::string json = verify_json({}, {bad_copy(State::kNotRepaired, "a \"b\\c\"\n")});
  EXPECT_NE(json.find("\"good\": false"), std::string::npos);
  EXPECT_NE(json.find("\"kind\": \"corrupt\""), std::string::npos);
  EXPECT_NE(json.find("\"state\": \"not repaired\""), std::string::npos);
  EXPECT_NE(json.find("\"a \\\"b\\\\c\\\"\\u000a\""), std::string::npos) << json;
}

}  // namespace
}  // namespace pgwalship
