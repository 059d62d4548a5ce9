#include "archiver/push_totals.h"

#include <gtest/gtest.h>

namespace pgwalship {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint kStart{1h};
const Result<std::string> kStored = std::string("stored");
const Result<std::string> kNoQuorum = Error{Errc::kRetry, "no quorum", ""};

AnsweredPush push(const char* name, std::uint64_t lsn = 0) {
  return {.name = WalName::parse(name).value(), .raw_bytes = 16, .lsn = lsn, .began = kStart};
}

TEST(PushTotals, CountsWhatWasAcknowledged) {
  PushTotals totals;
  totals.count(push("000000010000000000000007", 0x7000000), kStored, kStart + 1s);
  totals.count(push("00000002.history"), kStored, kStart + 2s);
  EXPECT_EQ(totals.acknowledged, 2U);
  EXPECT_EQ(totals.raw_bytes, 32U);
  EXPECT_EQ(totals.last_name, "00000002.history");
  EXPECT_EQ(totals.last_lsn, 0x7000000U) << "a history file has none";
  EXPECT_EQ(totals.last_at, kStart + 2s);
}

TEST(PushTotals, FailFromTheFirstFailureToTheNextSuccess) {
  PushTotals totals;
  totals.count(push("000000010000000000000007"), kNoQuorum, kStart + 1s);
  totals.count(push("000000010000000000000007"), kNoQuorum, kStart + 2s);
  EXPECT_EQ(totals.failing_since, kStart + 1s);
  EXPECT_EQ(totals.failed, 2U);
  EXPECT_EQ(totals.last_error, "000000010000000000000007: no quorum");
  totals.count(push("000000010000000000000007"), kStored, kStart + 3s);
  EXPECT_FALSE(totals.failing_since);
}

// PostgreSQL waits for a minute after three failures, and look-ahead does not.
TEST(PushTotals, NothingFailsOnceTheFileWasShippedWithoutAClient) {
  PushTotals totals;
  totals.count(push("000000010000000000000007"), kNoQuorum, kStart);
  totals.note_shipped(WalName::parse("000000010000000000000008").value());
  EXPECT_TRUE(totals.failing_since) << "that was another file";
  totals.note_shipped(WalName::parse("000000010000000000000007").value());
  EXPECT_FALSE(totals.failing_since);
}

}  // namespace
}  // namespace pgwalship
