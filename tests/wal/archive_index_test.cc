#include "wal/archive_index.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <vector>

namespace pgwalship {
namespace {

ArchivePlace place(const std::string& text) {
  return ArchivePlace::of(WalName::parse(text).value());
}

ArchivePlace segment(std::uint32_t timeline, SegmentPosition position) {
  return {std::uint64_t{timeline} + 1, position, 0, 0};
}

ContentKey key(std::uint8_t number) {
  ContentKey key;
  key.bytes.front() = std::byte{number};
  key.bytes.back() = std::byte{number};
  return key;
}

std::vector<std::string> names(const ArchiveIndex& index, const PlaceRange& range = {},
                               SegmentPosition floor = 0) {
  std::vector<std::string> names;
  index.visit(range, floor, [&](const ArchivePlace& at, const ArchiveIndex::Entry&) {
    names.push_back(at.name().value().text());
    return ArchiveIndex::Visit::kGoOn;
  });
  return names;
}

ArchiveIndex index_of(const std::vector<std::string>& texts) {
  ArchiveIndex index;
  for (const std::string& text : texts) {
    index.put(place(text), {key(1), 7, 100});
  }
  return index;
}

TEST(ArchiveIndex, KeepsWhatWasPut) {
  ArchiveIndex index;
  const ArchiveIndex::Entry entry{key(3), 0x1122334455667788, 4'000'000'000};
  index.put(place("000000010000000000000001"), entry);
  EXPECT_EQ(index.find(place("000000010000000000000001")), entry);
  EXPECT_EQ(index.find(place("000000010000000000000001.partial")), std::nullopt);
  EXPECT_EQ(index.find(place("000000010000000000000002")), std::nullopt);
  EXPECT_EQ(index.find(place("000000020000000000000001")), std::nullopt);
  EXPECT_EQ(index.size(), 1U);
  EXPECT_EQ(index.file_bytes(), 4'000'000'000U);
}

TEST(ArchiveIndex, ReplacesAndRemoves) {
  ArchiveIndex index = index_of({"000000010000000000000001"});
  index.put(place("000000010000000000000001"), {key(2), 8, 50});
  EXPECT_EQ(index.size(), 1U);
  EXPECT_EQ(index.file_bytes(), 50U);
  ArchiveIndex other;
  other.put(place("000000010000000000000001"), {key(2), 9, 60});
  EXPECT_EQ(index.summarize({}, 0), other.summarize({}, 0)) << "stamp and size are no content";
  index.remove(place("000000010000000000000002"));
  index.remove(place("000000020000000000000001"));
  index.remove(place("000000010000000000000001"));
  EXPECT_EQ(index.size(), 0U);
  EXPECT_EQ(index.file_bytes(), 0U);
  EXPECT_EQ(index.summarize({}, 0), RangeSummary{});
}

TEST(ArchiveIndex, VisitsInArchivingOrder) {
  const std::vector<std::string> ordered = {
      "00000002.history",
      "000000010000000000000001",
      "000000010000000000000001.00000028.backup",
      "000000010000000000000001.partial",
      "0000000100000000000000FF",
      "000000010000000100000000",
      "000000020000000000000001",
  };
  std::vector<std::string> shuffled = ordered;
  std::shuffle(shuffled.begin(), shuffled.end(), std::minstd_rand(1));
  EXPECT_EQ(names(index_of(shuffled)), ordered);
}

TEST(ArchiveIndex, TheFloorHidesSegmentsOfAllTimelinesAndNoHistory) {
  const ArchiveIndex index = index_of(
      {"00000002.history", "000000010000000000000001", "000000010000000000000002.partial",
       "000000010000000000000003", "000000020000000000000002", "000000020000000000000003"});
  const std::vector<std::string> kept = {"00000002.history", "000000010000000000000003",
                                         "000000020000000000000003"};
  EXPECT_EQ(names(index, {}, 3), kept);
  EXPECT_EQ(index.summarize({}, 3), index_of(kept).summarize({}, 0));
  EXPECT_EQ(index.nth({}, 3, 1), place("000000010000000000000003"));
  EXPECT_EQ(index.nth({}, 3, 3), std::nullopt);
}

TEST(ArchiveIndex, SummariesTellNamesAndContentsApart) {
  std::vector<RangeSummary> seen;
  const auto add = [&](const ArchivePlace& at, const ContentKey& content) {
    for (const RangeSummary& other : seen) {
      EXPECT_NE(summary_of(at, content).digest_low, other.digest_low);
      EXPECT_NE(summary_of(at, content).digest_high, other.digest_high);
    }
    seen.push_back(summary_of(at, content));
  };
  add(segment(1, 1), key(0));
  add(segment(1, 1), key(1));
  add(segment(1, 2), key(1));
  add(segment(2, 1), key(1));
  add(place("000000010000000000000001.partial"), key(1));
  add(place("000000010000000000000001.00000028.backup"), key(1));
  add(place("000000010000000000000001.00000029.backup"), key(1));
  add(place("00000001.history"), key(1));
}

// Both nodes of a link must come to the same numbers, whatever they are built with.
TEST(ArchiveIndex, TheDigestIsPartOfTheProtocol) {
  const RangeSummary summary = summary_of(place("000000030000000A00000001"), key(0x5A));
  EXPECT_EQ(summary.count, 1U);
  EXPECT_EQ(summary.digest_low, 0xB54387944C2E1B1FU);
  EXPECT_EQ(summary.digest_high, 0x46B7293D94CE4699U);
}

// Any range of any mixture is the sum of what lies in it, and nth counts it.
TEST(ArchiveIndex, RandomRangesAgreeWithANaiveSum) {
  std::mt19937_64 random(42);
  for (int round = 0; round < 20; ++round) {
    ArchiveIndex index;
    std::map<ArchivePlace, ArchiveIndex::Entry> naive;
    const std::uint64_t spread = round % 2 == 0 ? 300 : 5000;
    const auto any_place = [&] {
      ArchivePlace at{random() % 4, random() % spread, 0, 0};
      if (at.lane != 0 && random() % 8 == 0) {
        at.kind = static_cast<std::uint8_t>(1 + random() % 2);
        at.offset = at.kind == 1 ? static_cast<std::uint32_t>(random() % 3) : 0;
      }
      return at;
    };
    for (int i = 0; i < 1000; ++i) {
      const ArchivePlace at = any_place();
      if (random() % 4 == 0) {
        index.remove(at);
        naive.erase(at);
      } else {
        const ArchiveIndex::Entry entry{key(static_cast<std::uint8_t>(random() % 3)), random(), 5};
        index.put(at, entry);
        naive[at] = entry;
      }
    }
    ASSERT_EQ(index.size(), naive.size());
    for (int i = 0; i < 50; ++i) {
      PlaceRange range{any_place(), any_place()};
      if (range.last < range.first) {
        std::swap(range.first, range.last);
      }
      const SegmentPosition floor = random() % 2 == 0 ? 0 : random() % spread;
      RangeSummary expected;
      std::vector<ArchivePlace> places;
      for (const auto& [at, entry] : naive) {
        if (range.first <= at && at < range.last && !at.is_below(floor)) {
          expected.add(summary_of(at, entry.key));
          places.push_back(at);
        }
      }
      ASSERT_EQ(index.summarize(range, floor), expected);
      for (std::size_t n = 0; n < places.size(); n += 1 + n / 4) {
        ASSERT_EQ(index.nth(range, floor, n), places[n]);
      }
      ASSERT_EQ(index.nth(range, floor, places.size()), std::nullopt);
      ASSERT_EQ(names(index, range, floor).size(), places.size());
    }
  }
}

TEST(ArchiveIndex, RunsFollowTheSegmentSizeAcrossALog) {
  for (const std::uint32_t segment_bytes : {1U << 20U, 16U << 20U, 64U << 20U, 1U << 30U}) {
    ArchiveIndex index;
    index.set_segment_bytes(segment_bytes);
    WalName name = WalName::segment_at(1, 0x1'00000000, segment_bytes);
    const std::string first = name.text();
    std::string last;
    for (int i = 0; i < 10'000; ++i, name = name.next(segment_bytes)) {
      index.put(ArchivePlace::of(name), {});
      last = name.text();
    }
    const std::vector<ArchiveIndex::Run> one = {{1, first, last, 10'000}};
    EXPECT_EQ(index.runs(), one) << segment_bytes;
  }
}

TEST(ArchiveIndex, RunsEndAtGapsAndTimelines) {
  const ArchiveIndex index =
      index_of({"00000002.history", "000000010000000000000001", "000000010000000000000002",
                "000000010000000000000002.00000028.backup", "000000010000000000000004",
                "000000010000000000000005.partial", "0000000200000000000000FF",
                "000000020000000100000000", "000000020000000100000002"});
  const std::vector<ArchiveIndex::Run> expected = {
      {1, "000000010000000000000001", "000000010000000000000002", 2},
      {1, "000000010000000000000004", "000000010000000000000004", 1},
      {2, "0000000200000000000000FF", "000000020000000100000000", 2},
      {2, "000000020000000100000002", "000000020000000100000002", 1},
  };
  EXPECT_EQ(index.runs(), expected);
}

TEST(ArchiveIndex, KnowsItsLanes) {
  const ArchiveIndex index =
      index_of({"00000002.history", "000000010000000000000001", "000000010000000100000001",
                "000000030000000000000001", "FFFFFFFF0000000000000001"});
  EXPECT_EQ(index.lanes(9), (std::vector<std::uint64_t>{0, 2, 4, 0x1'00000000}));
  EXPECT_EQ(index.lanes(2), (std::vector<std::uint64_t>{0, 2}));
  EXPECT_TRUE(ArchiveIndex().lanes(2).empty());
}

TEST(ArchiveIndex, HoldsThePlacesAtTheEdges) {
  const std::vector<std::string> edges = {"FFFFFFFFFFFFFFFFFFFFFFFF",
                                          "FFFFFFFFFFFFFFFFFFFFFFFF.FFFFFFFF.backup",
                                          "FFFFFFFFFFFFFFFFFFFFFFFF.partial"};
  const ArchiveIndex index = index_of(edges);
  EXPECT_EQ(names(index), edges);
  EXPECT_EQ(names(index, {}, ~SegmentPosition{0}), edges);
  EXPECT_EQ(index.runs().size(), 1U);
}

}  // namespace
}  // namespace pgwalship
