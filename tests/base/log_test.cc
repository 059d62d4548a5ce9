#include "base/log.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace pgwalship {
namespace {

// stderr is what is left then.
JournalSocket no_journal() {
  return JournalSocket("/nowhere");
}

std::string captured(const std::function<void()>& work) {
  testing::internal::CaptureStderr();
  work();
  return testing::internal::GetCapturedStderr();
}

TEST(Log, StderrLineHasTimeLevelAndMessage) {
  const std::string text = captured([] {
    Log log(LogLevel::kInfo, LogTarget::kStderr);
    log.warning("peer 'b' is away");
  });
  std::string shape = text;
  std::replace_if(
      shape.begin(), shape.end(), [](char c) { return c >= '0' && c <= '9'; }, '0');
  const std::size_t zone = std::string("0000-00-00 00:00:00.000 ").size();
  ASSERT_GT(shape.size(), zone);
  EXPECT_TRUE(shape[zone] == '+' || shape[zone] == '-') << text;
  shape[zone] = '+';
  EXPECT_EQ(shape, "0000-00-00 00:00:00.000 +00:00 warning: peer 'b' is away\n");
}

TEST(Log, JournalLineHasThePriorityAndNoTime) {
  const std::string text = captured([] {
    Log log(LogLevel::kDebug, LogTarget::kJournal, no_journal());
    log.error("e");
    log.warning("w");
    log.info("i");
    log.debug("d");
  });
  EXPECT_EQ(text, "<3>e\n<4>w\n<6>i\n<7>d\n");
}

TEST(Log, JournalGivesEachLineOfAMessageItsPriority) {
  const Error error{Errc::kIo, "open 'f': Permission denied", "look at the owner"};
  const std::string text = captured([&] {
    Log log(LogLevel::kInfo, LogTarget::kJournal, no_journal());
    log.error(error.text());
  });
  EXPECT_EQ(text, "<3>open 'f': Permission denied\n<3>HINT: look at the owner\n");
}

TEST(Log, LeavesOutWhatIsBelowItsLevel) {
  const std::string text = captured([] {
    Log log(LogLevel::kWarning, LogTarget::kJournal, no_journal());
    log.info("left out");
    log.warning("first");
    log.set_level(LogLevel::kDebug);
    log.debug("second");
    log.set_level(LogLevel::kError);
    log.warning("left out");
  });
  EXPECT_EQ(text, "<4>first\n<7>second\n");
}

TEST(Log, TakesBracesAndPercentSignsAsTheyAre) {
  const std::string text = captured([] {
    Log log(LogLevel::kInfo, LogTarget::kJournal, no_journal());
    log.info("{} %s %v {0}");
  });
  EXPECT_EQ(text, "<6>{} %s %v {0}\n");
}

TEST(Log, LinesOfSeveralThreadsStayWhole) {
  const std::string text = captured([] {
    Log log(LogLevel::kInfo, LogTarget::kJournal, no_journal());
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&log] {
        for (int line = 0; line < 100; ++line) {
          log.info("whole");
        }
      });
    }
    for (std::thread& thread : threads) {
      thread.join();
    }
  });
  std::string expected;
  for (int i = 0; i < 400; ++i) {
    expected += "<6>whole\n";
  }
  EXPECT_EQ(text, expected);
}

TEST(Log, ParsesItsWords) {
  EXPECT_EQ(parse_log_level("debug").value(), LogLevel::kDebug);
  EXPECT_EQ(parse_log_level("info").value(), LogLevel::kInfo);
  EXPECT_EQ(parse_log_level("warning").value(), LogLevel::kWarning);
  EXPECT_EQ(parse_log_level("error").value(), LogLevel::kError);
  EXPECT_EQ(parse_log_target("stderr").value(), LogTarget::kStderr);
  EXPECT_EQ(parse_log_target("syslog").value(), LogTarget::kSyslog);
  EXPECT_EQ(parse_log_target("journal").value(), LogTarget::kJournal);
}

TEST(Log, SaysWhichWordsItKnows) {
  const auto level = parse_log_level("WARN");
  ASSERT_FALSE(level.ok());
  EXPECT_EQ(level.error().code, Errc::kInvalid);
  EXPECT_EQ(level.error().text(),
            "unknown log level 'WARN'\nHINT: choose one of debug, info, warning, error");
  EXPECT_EQ(parse_log_target("file").error().text(),
            "unknown log target 'file'\nHINT: choose one of stderr, syslog, journal");
}

TEST(Log, SyslogPutsNothingOnStderr) {
  const std::string text = captured([] {
    Log log(LogLevel::kInfo, LogTarget::kSyslog);
    log.info("pgwalship log test");
  });
  EXPECT_EQ(text, "");
}

}  // namespace
}  // namespace pgwalship
