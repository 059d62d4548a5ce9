#include "wal/archive_place.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace pgwalship {
namespace {

// In archiving order.
const std::vector<std::string> kNames = {
    "00000002.history",
    "FFFFFFFF.history",
    "000000000000000000000000",
    "000000010000000000000001",
    "000000010000000000000001.00000028.backup",
    "000000010000000000000001.00000029.backup",
    "000000010000000000000001.partial",
    "000000010000000000000002",
    "0000000100000001000000FF",
    "000000010000000200000000",
    "00000002000000000000FFFF",
    "FFFFFFFFFFFFFFFFFFFFFFFF",
    "FFFFFFFFFFFFFFFFFFFFFFFF.FFFFFFFF.backup",
    "FFFFFFFFFFFFFFFFFFFFFFFF.partial",
};

ArchivePlace place(const std::string& text) {
  return ArchivePlace::of(WalName::parse(text).value());
}

TEST(ArchivePlace, GivesBackItsName) {
  for (const std::string& text : kNames) {
    ASSERT_TRUE(place(text).name().has_value()) << text;
    EXPECT_EQ(place(text).name()->text(), text);
  }
}

TEST(ArchivePlace, IsInTheOrderOfNames) {
  for (const std::string& a : kNames) {
    for (const std::string& b : kNames) {
      EXPECT_EQ(place(a) <=> place(b), WalName::parse(a).value() <=> WalName::parse(b).value())
          << a << " " << b;
    }
    EXPECT_LT(place(a), kPlacesEnd);
  }
}

TEST(ArchivePlace, HasNoNameWhereNoneStands) {
  for (const ArchivePlace nonsense : {
           kPlacesEnd,
           ArchivePlace{.lane = 0, .position = std::uint64_t{1} << 32U},
           ArchivePlace{.lane = 0, .position = 1, .kind = 1},
           ArchivePlace{.lane = 2, .position = 1, .kind = 3},
           ArchivePlace{.lane = 2, .position = 1, .kind = 0, .offset = 1},
           ArchivePlace{.lane = 2, .position = 1, .kind = 2, .offset = 1},
           ArchivePlace{.lane = 0, .position = 1, .kind = 0, .offset = 1},
           ArchivePlace{.lane = ~std::uint64_t{0}},
       }) {
    EXPECT_FALSE(nonsense.name().has_value()) << nonsense.lane << " " << nonsense.position;
  }
}

TEST(ArchivePlace, HistoryFilesAreNeverBelowAFloor) {
  EXPECT_FALSE(place("00000001.history").is_below(~SegmentPosition{0}));
  EXPECT_TRUE(place("000000010000000000000001").is_below(2));
  EXPECT_FALSE(place("000000010000000000000002.partial").is_below(2));
}

}  // namespace
}  // namespace pgwalship
