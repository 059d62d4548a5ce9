#include "wal/differences.h"

#include <gtest/gtest.h>

#include <string>

namespace pgwalship {
namespace {

using Texts = std::vector<std::string>;

std::vector<WalName> names(const Texts& texts) {
  std::vector<WalName> all;
  for (const std::string& text : texts) {
    all.push_back(WalName::parse(text).value());
  }
  return all;
}

Texts texts(const std::vector<WalName>& names) {
  Texts all;
  for (const WalName& name : names) {
    all.push_back(name.text());
  }
  return all;
}

std::string segment(int number, const std::string& timeline = "00000001") {
  const WalName name = WalName::segment_at(1, static_cast<std::uint64_t>(number) << 24, 1U << 24);
  return timeline + name.text().substr(8);
}

TEST(Differences, AreNoneBetweenEqualArchives) {
  const auto both = names({"00000002.history", segment(1), segment(2)});
  const Differences found = compare_names(both, both, 0);
  EXPECT_TRUE(found.missing_there.empty());
  EXPECT_TRUE(found.missing_here.empty());
  EXPECT_TRUE(found.covers_theirs());
}

TEST(Differences, NameWhatEachSideLacks) {
  const Differences found = compare_names(names({"00000002.history", segment(1), segment(3)}),
                                          names({segment(2), segment(3), segment(4)}), 0);
  EXPECT_EQ(texts(found.missing_there), (Texts{"00000002.history", segment(1)}));
  EXPECT_EQ(texts(found.missing_here), (Texts{segment(2), segment(4)}));
  EXPECT_FALSE(found.covers_theirs());
  EXPECT_FALSE(found.more);
}

TEST(Differences, NothingBelowTheFloorIsOne) {
  const Texts left = {"00000003.history", segment(1), segment(300), segment(299, "00000002")};
  const Texts right = {"00000002.history", segment(2), segment(298, "00000002"),
                       segment(301, "00000002")};
  const SegmentPosition floor = WalName::parse(segment(299)).value().position();
  const Differences found = compare_names(names(left), names(right), floor);
  EXPECT_EQ(texts(found.missing_there),
            (Texts{"00000003.history", segment(300), segment(299, "00000002")}));
  EXPECT_EQ(texts(found.missing_here), (Texts{"00000002.history", segment(301, "00000002")}));
  EXPECT_EQ(found.floor, floor);
}

TEST(Differences, AreCutWithAWordThatThereIsMore) {
  std::vector<WalName> many;
  for (int number = 1; number <= static_cast<int>(kDifferencesMax) + 1; ++number) {
    many.push_back(WalName::parse(segment(number)).value());
  }
  const Differences cut = compare_names({}, many, 0);
  EXPECT_EQ(cut.missing_here.size(), kDifferencesMax);
  EXPECT_EQ(cut.missing_here.front().text(), segment(1));
  EXPECT_TRUE(cut.more);
  many.pop_back();
  EXPECT_FALSE(compare_names(many, {}, 0).more);
  EXPECT_TRUE(compare_names(many, {}, 0).covers_theirs());
}

}  // namespace
}  // namespace pgwalship
