#include "cmd/check_limits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pgwalship {
namespace {

using testing::HasSubstr;

TEST(CheckLimits, HaveDefaultsInTheRightOrder) {
  const auto limits = parse_check_limits({});
  ASSERT_TRUE(limits.ok()) << limits.error().text();
  EXPECT_EQ(limits.value().backlog.warning, 16U);
  EXPECT_GT(limits.value().free.warning, limits.value().free.critical);
}

TEST(CheckLimits, AreGivenInUnits) {
  const auto limits = parse_check_limits(
      {{"warning-free", "20GB"}, {"critical-peer", "2h"}, {"critical-backlog", "100"}});
  ASSERT_TRUE(limits.ok());
  EXPECT_EQ(limits.value().free.warning, 20ULL << 30);
  EXPECT_EQ(limits.value().peer.critical, std::chrono::hours(2));
  EXPECT_EQ(limits.value().backlog.critical, 100U);
}

TEST(CheckLimits, RefuseWhatIsNotUnderstood) {
  for (const auto& [name, value] :
       {std::pair{"warning-backlog", "many"}, std::pair{"warning-free", "5"},
        std::pair{"critical-age", "soon"}}) {
    const auto limits = parse_check_limits({{name, value}});
    ASSERT_FALSE(limits.ok()) << name;
    EXPECT_THAT(limits.error().message, HasSubstr(name));
  }
}

TEST(CheckLimits, AWarningComesBeforeItsCriticalLimit) {
  EXPECT_FALSE(parse_check_limits({{"warning-backlog", "65"}}).ok());
  EXPECT_FALSE(parse_check_limits({{"warning-free", "1MB"}}).ok());
  EXPECT_FALSE(parse_check_limits({{"critical-age", "1s"}}).ok());
}

TEST(CheckLimits, TheHelpNamesEveryOption) {
  const std::string help = check_limits_help();
  for (const std::string& option : check_limit_options()) {
    EXPECT_THAT(help, HasSubstr("--" + option));
  }
}

}  // namespace
}  // namespace pgwalship
