#include "wal/archive_compare.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>

namespace pgwalship {
namespace {

using Archive = std::map<std::string, std::uint8_t>;  // name to content; 0: not known

ArchivePlace place(const std::string& text) {
  return ArchivePlace::of(WalName::parse(text).value());
}

ContentKey key(std::uint8_t number) {
  ContentKey key;
  key.bytes[5] = std::byte{number};
  return key;
}

std::string segment(std::uint64_t number, std::uint32_t timeline = 1) {
  return WalName::segment_at(timeline, number << 24U, 1U << 24U).text();
}

ArchiveIndex index_of(const Archive& archive) {
  ArchiveIndex index;
  for (const auto& [name, content] : archive) {
    index.put(place(name), {key(content), 0, 0});
  }
  return index;
}

Archive many(std::uint64_t segments) {
  Archive archive;
  for (std::uint64_t i = 0; i < segments; ++i) {
    archive.emplace(segment(i), 1);
  }
  return archive;
}

struct Outcome {
  Differences differences;
  std::size_t round_trips = 0;
  std::size_t items = 0;  // summaries and entries that came back
};

std::size_t items_of(const CompareAnswer& answer) {
  std::size_t items = 0;
  for (const RangeAnswer& range : answer.ranges) {
    const auto* split = std::get_if<SplitRange>(&range);
    const auto* listed = std::get_if<ListedRange>(&range);
    items += split != nullptr ? split->parts.size() : listed != nullptr ? listed->items.size() : 0;
  }
  return items;
}

Outcome compare(const ArchiveIndex& mine, const ArchiveIndex& theirs, SegmentPosition floor = 0,
                SegmentPosition their_floor = 0) {
  ArchiveComparison comparison(floor);
  Outcome outcome;
  while (const auto query = comparison.next(mine)) {
    EXPECT_LE(query->ranges.size(), kAskedRangesMax);
    const CompareAnswer answer = answer_compare(theirs, *query, their_floor);
    const std::size_t items = items_of(answer);
    EXPECT_LE(items, kAnswerItemsMax);
    outcome.items += items;
    ++outcome.round_trips;
    const auto taken = comparison.take(mine, answer);
    EXPECT_TRUE(taken.ok()) << taken.error().message;
    if (!taken.ok()) {
      break;
    }
  }
  outcome.differences = std::move(comparison).result();
  return outcome;
}

Outcome compare(const Archive& mine, const Archive& theirs, SegmentPosition floor = 0) {
  return compare(index_of(mine), index_of(theirs), floor);
}

std::vector<std::string> texts(const std::vector<WalName>& names) {
  std::vector<std::string> texts;
  for (const WalName& name : names) {
    texts.push_back(name.text());
  }
  return texts;
}

std::vector<std::string> conflicts(const Differences& differences) {
  std::vector<std::string> texts;
  for (const Differences::Conflict& conflict : differences.conflicting) {
    texts.push_back(conflict.name.text());
  }
  return texts;
}

TEST(ArchiveCompare, EqualArchivesAgreeInOneRoundTrip) {
  for (const std::uint64_t size : {0U, 1U, 1000U, 20'000U}) {
    Archive archive = many(size);
    archive.emplace("00000002.history", 3);
    archive.emplace(segment(7, 2), 4);
    const Outcome outcome = compare(archive, archive);
    EXPECT_EQ(outcome.round_trips, 1U) << size;
    EXPECT_EQ(outcome.items, 0U);
    EXPECT_TRUE(outcome.differences.covers_theirs());
    EXPECT_TRUE(outcome.differences.missing_there.empty());
  }
}

TEST(ArchiveCompare, FindsWhatEachSideLacks) {
  Archive mine = many(3000);
  Archive theirs = mine;
  theirs.erase(segment(17));
  theirs.erase(segment(2999));
  mine.erase(segment(1500));
  theirs.emplace("00000002.history", 1);
  mine.emplace(segment(3) + ".00000028.backup", 1);
  const Outcome outcome = compare(mine, theirs);
  EXPECT_EQ(
      texts(outcome.differences.missing_there),
      (std::vector<std::string>{segment(3) + ".00000028.backup", segment(17), segment(2999)}));
  EXPECT_EQ(texts(outcome.differences.missing_here),
            (std::vector<std::string>{"00000002.history", segment(1500)}));
  EXPECT_TRUE(outcome.differences.conflicting.empty());
  EXPECT_FALSE(outcome.differences.more);
}

TEST(ArchiveCompare, ADifferenceCostsWhatDiffers) {
  const Archive mine = many(100'000);
  Archive theirs = mine;
  for (std::uint64_t i = 0; i < 10; ++i) {
    theirs.erase(segment(i * 9973 + 5));
  }
  const Outcome outcome = compare(mine, theirs);
  EXPECT_EQ(outcome.differences.missing_there.size(), 10U);
  EXPECT_LE(outcome.round_trips, 4U);
  EXPECT_LE(outcome.items, 64U + 10 * (64 + 64));
}

TEST(ArchiveCompare, OtherContentOfAKnownNameIsAConflict) {
  Archive mine = many(500);
  Archive theirs = mine;
  theirs[segment(300)] = 2;
  const Outcome outcome = compare(mine, theirs);
  EXPECT_EQ(conflicts(outcome.differences), std::vector<std::string>{segment(300)});
  EXPECT_EQ(outcome.differences.conflicting[0].mine, key(1).start_of_hash());
  EXPECT_EQ(outcome.differences.conflicting[0].theirs, key(2).start_of_hash());
  EXPECT_TRUE(outcome.differences.missing_there.empty());
  EXPECT_TRUE(outcome.differences.missing_here.empty());
}

TEST(ArchiveCompare, H24ContentThatIsNotKnownIsNoConflict) {
  Archive mine = many(500);
  Archive theirs = mine;
  theirs[segment(300)] = 0;
  mine[segment(400)] = 0;
  const Outcome outcome = compare(mine, theirs);
  EXPECT_TRUE(outcome.differences.conflicting.empty());
  EXPECT_TRUE(outcome.differences.covers_theirs());
  EXPECT_TRUE(outcome.differences.missing_there.empty());
}

// A new or emptied primary finds that it lacks everything. Nothing else comes of it.
TEST(ArchiveCompare, H37AnEmptyArchiveOnlyLacks) {
  const Archive full = many(1000);
  const Outcome empty_asks = compare({}, full);
  EXPECT_EQ(empty_asks.differences.missing_here.size(), 1000U);
  EXPECT_TRUE(empty_asks.differences.missing_there.empty());
  EXPECT_TRUE(empty_asks.differences.conflicting.empty());
  const Outcome full_asks = compare(full, {});
  EXPECT_EQ(full_asks.differences.missing_there.size(), 1000U);
  EXPECT_EQ(full_asks.round_trips, 1U);
}

TEST(ArchiveCompare, NamesSoManyAndSaysThatThereIsMore) {
  const Archive full = many(kDifferencesMax + 2000);
  const Outcome pulls = compare({}, full);
  EXPECT_EQ(pulls.differences.missing_here.size(), kDifferencesMax);
  EXPECT_EQ(pulls.differences.missing_here.front().text(), segment(0));
  EXPECT_EQ(pulls.differences.missing_here.back().text(), segment(kDifferencesMax - 1));
  EXPECT_TRUE(pulls.differences.more);
  EXPECT_FALSE(pulls.differences.covers_theirs());
  const Outcome sends = compare(full, {});
  EXPECT_EQ(sends.differences.missing_there.size(), kDifferencesMax);
  EXPECT_TRUE(sends.differences.more);
  const Outcome exactly = compare(many(kDifferencesMax), {});
  EXPECT_EQ(exactly.differences.missing_there.size(), kDifferencesMax);
  EXPECT_FALSE(exactly.differences.more);
}

TEST(ArchiveCompare, ManyConflictsHideNothingThatIsMissing) {
  Archive mine = many(kDifferencesMax + 500);
  Archive theirs;
  for (const auto& [name, content] : mine) {
    theirs.emplace(name, 2);
  }
  mine.emplace(segment(20'000), 1);
  theirs.emplace(segment(20'001), 1);
  const Outcome outcome = compare(mine, theirs);
  EXPECT_EQ(outcome.differences.conflicting.size(), kDifferencesMax);
  EXPECT_EQ(texts(outcome.differences.missing_there), std::vector<std::string>{segment(20'000)});
  EXPECT_EQ(texts(outcome.differences.missing_here), std::vector<std::string>{segment(20'001)});
}

TEST(ArchiveCompare, ListsThatFillOnOneSideHideNothingOnTheOther) {
  Archive mine = many(kDifferencesMax + 500);
  const Archive theirs = {{segment(20'000), 1}, {segment(20'001), 1}};
  const Outcome outcome = compare(mine, theirs);
  EXPECT_EQ(outcome.differences.missing_there.size(), kDifferencesMax);
  EXPECT_EQ(outcome.differences.missing_here.size(), 2U);
  EXPECT_TRUE(outcome.differences.more);
}

TEST(ArchiveCompare, NothingBelowEitherFloorIsCompared) {
  const Archive all = many(1000);
  Archive without = all;
  without.erase(segment(99));
  without.erase(segment(100));
  const SegmentPosition floor = WalName::parse(segment(100)).value().position();
  EXPECT_EQ(texts(compare(all, without, floor).differences.missing_there),
            std::vector<std::string>{segment(100)});
  const Outcome theirs = compare(index_of(all), index_of(without), 0, floor);
  EXPECT_EQ(texts(theirs.differences.missing_there), std::vector<std::string>{segment(100)});
  EXPECT_EQ(theirs.differences.floor, floor);
}

// Segments that come while the comparison runs: in or out, but it ends, and the old ones are right.
TEST(ArchiveCompare, GoesOnWhileBothArchivesGrow) {
  Archive mine = many(5000);
  Archive theirs = mine;
  theirs.erase(segment(4000));
  ArchiveIndex here = index_of(mine);
  ArchiveIndex there = index_of(theirs);
  ArchiveComparison comparison(0);
  std::uint64_t next = 5000;
  while (const auto query = comparison.next(here)) {
    there.put(place(segment(next)), {key(1), 0, 0});
    const CompareAnswer answer = answer_compare(there, *query, 0);
    here.put(place(segment(next++)), {key(1), 0, 0});
    ASSERT_TRUE(comparison.take(here, answer).ok());
  }
  const Differences found = std::move(comparison).result();
  EXPECT_EQ(found.missing_there.front().text(), segment(4000));
  EXPECT_LT(next, 5010U);
}

TEST(ArchiveCompare, RandomArchivesAgreeWithANaiveDifference) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 200; ++round) {
    const std::uint64_t size = std::uint64_t{1} << random() % 13;
    const std::uint64_t spread = size * (1 + random() % 4);
    Archive mine;
    Archive theirs;
    const auto any_name = [&]() -> std::string {
      std::string name = segment(random() % spread, static_cast<std::uint32_t>(1 + random() % 3));
      switch (random() % 40) {
        case 0:
          return name.substr(0, 7) + "9.history";
        case 1:
          return name + ".partial";
        case 2:
          return name + ".0000002" + std::to_string(random() % 5) + ".backup";
        default:
          return name;
      }
    };
    for (std::uint64_t i = 0; i < size; ++i) {
      const std::string name = any_name();
      const auto content = static_cast<std::uint8_t>(random() % 16 == 0 ? 0 : 1);
      mine.emplace(name, content);
      theirs.emplace(name, random() % 64 == 0 ? 0 : content);
    }
    for (std::uint64_t i = random() % 20; i > 0; --i) {
      (random() % 2 == 0 ? mine : theirs).emplace(any_name(), 1);
      (random() % 2 == 0 ? mine : theirs).erase(any_name());
      const auto conflicting = theirs.find(any_name());
      if (conflicting != theirs.end()) {
        conflicting->second = 2;
      }
    }
    const SegmentPosition floor = random() % 3 == 0 ? random() % 512 : 0;
    std::vector<std::string> missing_there;
    std::vector<std::string> missing_here;
    std::vector<std::string> conflicting;
    const auto is_out = [&](const std::string& name) { return place(name).is_below(floor); };
    for (const auto& [name, content] : mine) {
      const auto other = theirs.find(name);
      if (is_out(name)) continue;
      if (other == theirs.end()) {
        missing_there.push_back(name);
      } else if (content != 0 && other->second != 0 && content != other->second) {
        conflicting.push_back(name);
      }
    }
    for (const auto& [name, content] : theirs) {
      if (!is_out(name) && !mine.contains(name)) missing_here.push_back(name);
    }
    const Outcome outcome = compare(mine, theirs, floor);
    auto sorted = [](std::vector<std::string> names) {
      std::sort(names.begin(), names.end());
      return names;
    };
    ASSERT_EQ(sorted(texts(outcome.differences.missing_there)), missing_there) << round;
    ASSERT_EQ(sorted(texts(outcome.differences.missing_here)), missing_here) << round;
    ASSERT_EQ(sorted(conflicts(outcome.differences)), conflicting) << round;
    ASSERT_TRUE(std::is_sorted(outcome.differences.missing_there.begin(),
                               outcome.differences.missing_there.end()));
    ASSERT_TRUE(std::is_sorted(outcome.differences.missing_here.begin(),
                               outcome.differences.missing_here.end()));
  }
}

// What a peer says that is not one of ours ---------------------------------------------------

class ArchiveCompareNonsense : public testing::Test {
 protected:
  ArchiveCompareNonsense() { EXPECT_TRUE(comparison_.next(mine_).has_value()); }

  testing::AssertionResult refuses(const CompareAnswer& answer) {
    const auto taken = comparison_.take(mine_, answer);
    if (taken.ok()) {
      return testing::AssertionFailure() << "taken";
    }
    return taken.error().code == Errc::kProtocol ? testing::AssertionSuccess()
                                                 : testing::AssertionFailure();
  }

  static CompareAnswer listed(const std::vector<ArchivePlace>& places) {
    ListedRange range;
    for (const ArchivePlace& at : places) {
      range.items.push_back({at, key(1)});
    }
    return {0, {range}};
  }

  // One timeline: the only asked range ends at the end of all places.
  ArchiveIndex mine_ = index_of({{"00000002.history", 1}});
  ArchiveComparison comparison_{0};
};

TEST_F(ArchiveCompareNonsense, NoRanges) {
  EXPECT_TRUE(refuses({0, {}}));
}

TEST_F(ArchiveCompareNonsense, MoreRangesThanAsked) {
  EXPECT_TRUE(refuses({0, {SameRange{}, SameRange{}, SameRange{}}}));
}

TEST_F(ArchiveCompareNonsense, ALowerFloorThanAsked) {
  ArchiveComparison comparison(5);
  ASSERT_TRUE(comparison.next(mine_).has_value());
  EXPECT_EQ(comparison.take(mine_, {4, {SameRange{}}}).error().code, Errc::kProtocol);
}

TEST_F(ArchiveCompareNonsense, PartsThatAreNone) {
  EXPECT_TRUE(refuses({0, {SplitRange{{}, {{}}}}}));
  EXPECT_TRUE(refuses({0, {SplitRange{{}, {}}}}));
  EXPECT_TRUE(refuses({0, {SplitRange{{}, {{}, {}}}}}));
  SplitRange too_many;
  for (std::uint64_t i = 0; i <= kRangePartsMax; ++i) {
    too_many.parts.push_back({1, i, i});
    too_many.cuts.push_back({.lane = 1, .position = i});
  }
  too_many.cuts.pop_back();
  EXPECT_TRUE(refuses({0, {too_many}}));
}

TEST_F(ArchiveCompareNonsense, CutsOutOfOrder) {
  EXPECT_TRUE(refuses({0, {SplitRange{{ArchivePlace{}}, {{1, 1, 1}, {1, 1, 1}}}}}));
  EXPECT_TRUE(refuses({0, {SplitRange{{kPlacesEnd}, {{1, 1, 1}, {1, 1, 1}}}}}));
  EXPECT_TRUE(refuses(
      {0,
       {SplitRange{{place(segment(2)), place(segment(1))}, {{1, 1, 1}, {1, 1, 1}, {1, 1, 1}}}}}));
}

TEST_F(ArchiveCompareNonsense, ListsOutOfOrderOrTwice) {
  EXPECT_TRUE(refuses(listed({place(segment(2)), place(segment(1))})));
  EXPECT_TRUE(refuses(listed({place(segment(2)), place(segment(2))})));
}

TEST_F(ArchiveCompareNonsense, PlacesOfNoName) {
  EXPECT_TRUE(refuses(listed({ArchivePlace{.lane = 2, .position = 1, .kind = 7}})));
  EXPECT_TRUE(refuses(listed({kPlacesEnd})));
}

TEST_F(ArchiveCompareNonsense, TooLongALists) {
  std::vector<ArchivePlace> places;
  for (std::uint64_t i = 0; i <= kRangeListedMax; ++i) {
    places.push_back(place(segment(i)));
  }
  EXPECT_TRUE(refuses(listed(places)));
}

TEST(ArchiveCompare, APlaceBelowTheFloorIsNonsense) {
  ArchiveComparison comparison(10);
  const ArchiveIndex mine;
  ASSERT_TRUE(comparison.next(mine).has_value());
  const CompareAnswer answer{10, {ListedRange{{{place(segment(9)), key(1)}}}}};
  EXPECT_EQ(comparison.take(mine, answer).error().code, Errc::kProtocol);
}

TEST(ArchiveCompare, APeerThatSplitsForEverIsLeft) {
  ArchiveComparison comparison(0);
  const ArchiveIndex mine;
  Result<void> taken;
  for (int rounds = 0; taken.ok(); ++rounds) {
    ASSERT_LT(rounds, 10'000);
    const auto query = comparison.next(mine);
    ASSERT_TRUE(query.has_value());
    ArchivePlace cut = query->ranges[0].range.first;
    ++cut.position;
    taken = comparison.take(mine, {0, {SplitRange{{cut}, {{0, 0, 0}, {9, 9, 9}}}}});
  }
  EXPECT_EQ(taken.error().code, Errc::kProtocol);
}

}  // namespace
}  // namespace pgwalship
