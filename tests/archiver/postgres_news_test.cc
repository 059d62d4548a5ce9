#include "archiver/postgres_facts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pgwalship {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::StartsWith;

class PostgresNewsTest : public testing::Test {
 protected:
  static constexpr std::uint64_t kOurs = 7, kForeign = 8;

  std::vector<std::string> answers(std::uint64_t system_id = kOurs, std::uint64_t pinned = kOurs) {
    PostgresFacts facts;
    facts.reachable = true;
    facts.system_id = system_id;
    facts.archived_count = 5;
    return take(facts, pinned);
  }
  std::vector<std::string> answers_from_elsewhere() {
    PostgresFacts facts;
    facts.reachable = true;
    facts.system_id = kOurs;
    facts.elsewhere = true;
    return take(facts, kOurs);
  }
  std::vector<std::string> is_silent(const std::string& error = "no such file") {
    PostgresFacts facts;
    facts.error = error;
    return take(facts, kOurs);
  }
  std::vector<std::string> take(const PostgresFacts& facts, std::uint64_t pinned) {
    std::vector<std::string> lines;
    for (const PostgresNews::Line& line : news_.take(facts, pinned)) {
      const char* level = line.level == LogLevel::kError     ? "error: "
                          : line.level == LogLevel::kWarning ? "warning: "
                                                             : "info: ";
      lines.push_back(level + line.text);
    }
    return lines;
  }

  PostgresNews news_;
};

TEST_F(PostgresNewsTest, SaysOnceThatTheServerAnswers) {
  EXPECT_FALSE(news_.latest().has_value());
  EXPECT_THAT(answers(), ElementsAre("info: PostgreSQL answers"));
  EXPECT_THAT(answers(), IsEmpty());
}

TEST_F(PostgresNewsTest, H48SaysOnceThatItDoesNotAndOnceThatItDoesAgain) {
  answers();
  EXPECT_THAT(is_silent(), ElementsAre("warning: PostgreSQL cannot be asked: no such file"));
  EXPECT_THAT(is_silent(), IsEmpty());
  EXPECT_THAT(is_silent("starting up"), IsEmpty());
  EXPECT_THAT(answers(), ElementsAre("info: PostgreSQL answers again"));
}

TEST_F(PostgresNewsTest, WarnsOfAServerThatNeverAnswered) {
  EXPECT_THAT(is_silent(), ElementsAre("warning: PostgreSQL cannot be asked: no such file"));
  EXPECT_THAT(is_silent(), IsEmpty());
}

TEST_F(PostgresNewsTest, KeepsTheLastAnswerOfAServerThatIsAway) {
  answers();
  is_silent();
  EXPECT_FALSE(news_.latest()->reachable);
  EXPECT_EQ(news_.latest()->error, "no such file");
  EXPECT_EQ(news_.latest()->archived_count, 5U);
  answers();
  EXPECT_TRUE(news_.latest()->reachable);
  EXPECT_EQ(news_.latest()->error, "");
}

TEST_F(PostgresNewsTest, H11ComplainsOnceOfAServerOfAnotherCluster) {
  answers();
  EXPECT_THAT(answers(kForeign),
              ElementsAre(StartsWith("error: PostgreSQL is of another cluster: its system "
                                     "identifier 8 is not the archive's, 7")));
  EXPECT_THAT(answers(kForeign), IsEmpty());
  EXPECT_EQ(news_.latest()->error, "its system identifier 8 is not the archive's, 7");
}

TEST_F(PostgresNewsTest, H11ComplainsAnewAfterTheRightOneWasThere) {
  answers(kForeign);
  answers(kOurs);
  EXPECT_EQ(news_.latest()->error, "");
  EXPECT_THAT(answers(kForeign), ElementsAre(StartsWith("error: ")));
}

TEST_F(PostgresNewsTest, H48ARestartOfAForeignServerIsNoNewComplaint) {
  answers(kForeign);
  is_silent();
  EXPECT_THAT(answers(kForeign), ElementsAre("info: PostgreSQL answers again"));
}

// Once is no proof: it may have been stopped before anybody looked into its directory.
TEST_F(PostgresNewsTest, WarnsOnceOfAServerThatTwiceRanInAnotherDirectory) {
  answers();
  EXPECT_THAT(answers_from_elsewhere(), IsEmpty());
  EXPECT_FALSE(news_.latest()->elsewhere);
  EXPECT_THAT(answers_from_elsewhere(),
              ElementsAre(StartsWith("warning: PostgreSQL answers, but no "
                                     "server runs in [postgres] data-")));
  EXPECT_TRUE(news_.latest()->elsewhere);
  EXPECT_THAT(answers_from_elsewhere(), IsEmpty());
  answers();
  EXPECT_FALSE(news_.latest()->elsewhere);
}

TEST_F(PostgresNewsTest, AServerThatWasStoppedRunsNowhere) {
  answers_from_elsewhere();
  answers_from_elsewhere();
  is_silent();
  EXPECT_FALSE(news_.latest()->elsewhere);
  EXPECT_THAT(answers_from_elsewhere(), ElementsAre("info: PostgreSQL answers again"));
  EXPECT_FALSE(news_.latest()->elsewhere);
}

TEST_F(PostgresNewsTest, AnArchiveThatIsNotPinnedYetTakesAnyCluster) {
  EXPECT_THAT(answers(kForeign, 0), ElementsAre("info: PostgreSQL answers"));
}

}  // namespace
}  // namespace pgwalship
