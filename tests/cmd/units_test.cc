#include "cmd/units.h"

#include <gtest/gtest.h>

namespace pgwalship {
namespace {

using namespace std::chrono_literals;

TEST(Units, ReadsDurations) {
  EXPECT_EQ(parse_duration("15s").value(), 15s);
  EXPECT_EQ(parse_duration("15 s").value(), 15s);
  EXPECT_EQ(parse_duration("500ms").value(), 500ms);
  EXPECT_EQ(parse_duration("1min").value(), 1min);
  EXPECT_EQ(parse_duration("2h").value(), 2h);
  EXPECT_EQ(parse_duration("1d").value(), 24h);
  EXPECT_EQ(parse_duration("0").value(), 0s);
}

TEST(Units, ReadsSizesInPowersOf1024) {
  EXPECT_EQ(parse_size("1B").value(), 1U);
  EXPECT_EQ(parse_size("1kB").value(), 1024U);
  EXPECT_EQ(parse_size("64MB").value(), 64U << 20);
  EXPECT_EQ(parse_size("1 GB").value(), 1U << 30);
  EXPECT_EQ(parse_size("2TB").value(), 2ULL << 40);
  EXPECT_EQ(parse_size("0").value(), 0U);
}

TEST(Units, RefusesWhatHasNoUnitOrAnother) {
  for (const char* text : {"", "15", "s", "15 sec", "15S", "1.5s", "-1s", "+1s", "1s ", "1s2", "s1",
                           "15m", "1 0s", "0x1s"}) {
    const auto duration = parse_duration(text);
    ASSERT_FALSE(duration.ok()) << text;
    EXPECT_EQ(duration.error().code, Errc::kInvalid);
    EXPECT_NE(duration.error().hint.find("ms, s, min, h, d"), std::string::npos) << text;
  }
  for (const char* text : {"", "64", "64mb", "64M", "64KB", "5%", "1.5GB", "-1MB", "MB"}) {
    const auto size = parse_size(text);
    ASSERT_FALSE(size.ok()) << text;
    EXPECT_NE(size.error().hint.find("B, kB, MB, GB, TB"), std::string::npos) << text;
  }
}

TEST(Units, RefusesWhatOverflows) {
  EXPECT_FALSE(parse_size("99999999TB").ok());
  EXPECT_FALSE(parse_size("99999999999999999999999B").ok());
  EXPECT_FALSE(parse_duration("9223372036854775807d").ok());
  EXPECT_TRUE(parse_size("9223372036854775807B").ok());
}

TEST(Units, WritesTheLargestUnitThatFits) {
  EXPECT_EQ(duration_text(15s), "15s");
  EXPECT_EQ(duration_text(1500ms), "1500ms");
  EXPECT_EQ(duration_text(120s), "2min");
  EXPECT_EQ(duration_text(0s), "0ms");
  EXPECT_EQ(size_text(64U << 20), "64MB");
  EXPECT_EQ(size_text(1025), "1025B");
  EXPECT_EQ(size_text(0), "0B");
}

}  // namespace
}  // namespace pgwalship
