#include "archiver/status_report.h"

#include "tests/support/manual_clock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace pgwalship {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::uint32_t kMiB = 1U << 20U;

// "TIMELINE FIRST-LAST FILES" for each range, the names without their timeline.
std::vector<std::string> ranges(const std::vector<std::string>& names,
                                std::uint32_t segment_bytes = 16 * kMiB) {
  std::vector<WalName> sorted;
  for (const std::string& name : names) {
    sorted.push_back(WalName::parse(name).value());
  }
  std::vector<std::string> result;
  for (const ArchiveRange& range : archive_ranges(sorted, segment_bytes)) {
    result.push_back(std::to_string(range.timeline) + " " + range.first.substr(8) + "-" +
                     range.last.substr(8) + " " + std::to_string(range.files));
  }
  return result;
}

TEST(ArchiveRanges, OfAnEmptyArchiveAreNone) {
  EXPECT_THAT(ranges({}), IsEmpty());
}

TEST(ArchiveRanges, JoinsSegmentsThatFollowOneAnother) {
  EXPECT_THAT(
      ranges({"000000010000000000000001", "000000010000000000000002", "000000010000000000000003"}),
      ElementsAre("1 0000000000000001-0000000000000003 3"));
}

TEST(ArchiveRanges, EndsAtAGap) {
  EXPECT_THAT(ranges({"000000010000000000000001", "000000010000000000000003"}),
              ElementsAre("1 0000000000000001-0000000000000001 1",
                          "1 0000000000000003-0000000000000003 1"));
}

TEST(ArchiveRanges, H31GoesOnFromFFToTheNextLogFile) {
  EXPECT_THAT(
      ranges({"0000000100000000000000FE", "0000000100000000000000FF", "000000010000000100000000"}),
      ElementsAre("1 00000000000000FE-0000000100000000 3"));
}

TEST(ArchiveRanges, H31KnowsTheLastSegmentOfOtherSizes) {
  EXPECT_THAT(ranges({"000000010000000000000FFF", "000000010000000100000000"}, 1 * kMiB),
              ElementsAre("1 0000000000000FFF-0000000100000000 2"));
  EXPECT_THAT(ranges({"000000010000000000000003", "000000010000000100000000"}, 1024 * kMiB),
              ElementsAre("1 0000000000000003-0000000100000000 2"));
  EXPECT_THAT(ranges({"000000010000000000000003", "000000010000000100000000"}, 16 * kMiB),
              ElementsAre("1 0000000000000003-0000000000000003 1",
                          "1 0000000100000000-0000000100000000 1"));
}

TEST(ArchiveRanges, TakesTheDefaultWhenTheSizeIsNotKnown) {
  EXPECT_THAT(ranges({"0000000100000000000000FF", "000000010000000100000000"}, 0),
              ElementsAre("1 00000000000000FF-0000000100000000 2"));
}

TEST(ArchiveRanges, ATimelineHasRangesOfItsOwn) {
  EXPECT_THAT(ranges({"000000010000000000000001", "000000010000000000000002",
                      "000000020000000000000002", "000000020000000000000003"}),
              ElementsAre("1 0000000000000001-0000000000000002 2",
                          "2 0000000000000002-0000000000000003 2"));
}

TEST(ArchiveRanges, H9OnlyWholeSegmentsCount) {
  EXPECT_THAT(ranges({"00000002.history", "000000010000000000000001",
                      "000000010000000000000001.00000028.backup",
                      "000000010000000000000002.partial", "000000010000000000000003"}),
              ElementsAre("1 0000000000000001-0000000000000001 1",
                          "1 0000000000000003-0000000000000003 1"));
}

// What PostgreSQL itself says ------------------------------------------------------------------

class PostgresqlStatusTest : public testing::Test {
 protected:
  nlohmann::json report() const {
    StatusInputs inputs{nodes_, "main", "/archive", "NONE", 0, shipper_, totals_, links_, disk_};
    inputs.postgres = facts_.has_value() ? &*facts_ : nullptr;
    return nlohmann::json::parse(status_json(inputs));
  }
  void answers(PostgresFacts::Role role) {
    facts_.emplace();
    facts_->reachable = true;
    facts_->role = role;
  }

  const ManualClock clock_;
  std::unique_ptr<EventLoop> loop_ = EventLoop::create(clock_).value();
  NodeList nodes_{{Node{"a", "", "a", 22}}, 0};
  Shipper shipper_{Shipper::Options{nodes_, Quorum(), OnQuorumLoss::kWait, 0}};
  PushService::Totals totals_;
  LinkSet links_{*loop_};
  DiskFacts disk_;
  std::optional<PostgresFacts> facts_;
};

TEST_F(PostgresqlStatusTest, WithoutConninfoTheDiskKnowsTheRoleAndThatIsAll) {
  disk_.role = "standby";
  disk_.ready_files = 3;
  EXPECT_EQ(report()["postgresql"], (nlohmann::json{{"role", "standby"}, {"ready", 3}}));
  EXPECT_EQ(report()["role"], "standby");
}

TEST_F(PostgresqlStatusTest, CarriesWhatTheServerAnswered) {
  answers(PostgresFacts::Role::kPrimary);
  facts_->server_version = 150020;
  facts_->archived_count = 5;
  facts_->failed_count = 2;
  facts_->last_archived_wal = "000000010000000000000005";
  facts_->last_failed_wal = "000000010000000000000006";
  facts_->current_lsn = "0/7000000";
  EXPECT_EQ(report()["postgresql"], (nlohmann::json{{"role", "primary"},
                                                    {"reachable", true},
                                                    {"error", ""},
                                                    {"archived", 5},
                                                    {"failed", 2},
                                                    {"last_archived", "000000010000000000000005"},
                                                    {"last_failed", "000000010000000000000006"},
                                                    {"lsn", "0/7000000"},
                                                    {"version", 150020}}));
}

TEST_F(PostgresqlStatusTest, TheServerKnowsItsRoleBetterThanTheDisk) {
  disk_.role = "primary";
  answers(PostgresFacts::Role::kStandby);
  EXPECT_EQ(report()["role"], "standby");
  disk_.role = "standby";
  answers(PostgresFacts::Role::kPrimary);
  EXPECT_EQ(report()["role"], "primary");
}

TEST_F(PostgresqlStatusTest, OnlyTheDiskTellsARecoveryToAPointInTimeFromAStandby) {
  disk_.role = "recovering";
  answers(PostgresFacts::Role::kStandby);
  EXPECT_EQ(report()["role"], "recovering");
}

TEST_F(PostgresqlStatusTest, AServerThatIsAwayHasTheRoleTheDiskTells) {
  disk_.role = "stopped";
  answers(PostgresFacts::Role::kPrimary);
  facts_->reachable = false;
  facts_->error = "no such file";
  EXPECT_EQ(report()["role"], "stopped");
  EXPECT_EQ(report()["postgresql"]["reachable"], false);
  EXPECT_EQ(report()["postgresql"]["error"], "no such file");
}

}  // namespace
}  // namespace pgwalship
