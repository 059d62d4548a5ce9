#include "archiver/status_report.h"

#include "tests/support/manual_clock.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <tuple>

namespace pgwalship {
namespace {

class StatusReportTest : public testing::Test {
 protected:
  nlohmann::json report() const {
    StatusInputs inputs{nodes_,   "main",  "/archive", "NONE", 0,
                        shipper_, totals_, links_,     disk_,  archive_};
    inputs.postgres = facts_.has_value() ? &*facts_ : nullptr;
    inputs.verdicts = &verdicts_;
    inputs.now = now_;
    return nlohmann::json::parse(status_json(inputs));
  }
  void answers(PostgresFacts::Role role) {
    facts_.emplace();
    facts_->reachable = true;
    facts_->role = role;
  }

  const ManualClock clock_;
  TimePoint now_{};
  std::unique_ptr<EventLoop> loop_ = EventLoop::create(clock_).value();
  NodeList nodes_{{Node{"a", "", "a", 22}}, 0};
  Shipper shipper_{Shipper::Options{nodes_, Quorum(), OnQuorumLoss::kWait, 0}};
  PushTotals totals_;
  LinkSet links_{*loop_};
  DiskFacts disk_;
  ArchiveIndex archive_;
  std::optional<PostgresFacts> facts_;
  ConflictWatch::Verdicts verdicts_;
};

TEST_F(StatusReportTest, ShowsTheRangesOfTheIndex) {
  for (const char* name : {"00000002.history", "000000010000000000000001",
                           "000000010000000000000002", "000000010000000000000004"}) {
    archive_.put(ArchivePlace::of(WalName::parse(name).value()), {});
  }
  const auto archive = report()["archive"];
  EXPECT_EQ(archive["files"], 4);
  EXPECT_EQ(archive["ranges"], nlohmann::json::array({{{"timeline", 1},
                                                       {"first", "000000010000000000000001"},
                                                       {"last", "000000010000000000000002"},
                                                       {"files", 2}},
                                                      {{"timeline", 1},
                                                       {"first", "000000010000000000000004"},
                                                       {"last", "000000010000000000000004"},
                                                       {"files", 1}}}));
}

// It was 0 for five minutes after a start, while files came.
TEST_F(StatusReportTest, KnowsHowLargeTheArchiveIsOnceItWasRead) {
  archive_.put(ArchivePlace::of(WalName::parse("000000010000000000000001").value()),
               {.key = {}, .stamp = 1, .file_bytes = 100});
  EXPECT_EQ(report()["archive"]["bytes"], 100);
  disk_.reading = true;
  EXPECT_FALSE(report()["archive"].contains("bytes"));
}

TEST_F(StatusReportTest, WithoutConninfoTheDiskKnowsTheRoleAndThatIsAll) {
  disk_.role = "standby";
  disk_.ready_files = 3;
  EXPECT_EQ(report()["postgresql"],
            (nlohmann::json{{"role", "standby"}, {"ready", 3}, {"oldest_ready_age_seconds", 0.0}}));
  EXPECT_EQ(report()["role"], "standby");
}

TEST_F(StatusReportTest, CarriesWhatTheServerAnswered) {
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
                                                    {"elsewhere", false},
                                                    {"archived", 5},
                                                    {"failed", 2},
                                                    {"last_archived", "000000010000000000000005"},
                                                    {"last_failed", "000000010000000000000006"},
                                                    {"lsn", "0/7000000"},
                                                    {"version", 150020}}));
}

TEST_F(StatusReportTest, CountsFinishedSegmentsThatTheServerHasNotArchived) {
  answers(PostgresFacts::Role::kPrimary);
  facts_->segment_bytes = 16U << 20;
  facts_->last_archived_wal = "0000000100000000000000FE";
  facts_->current_lsn = "0/FF000028";  // in the next one: nothing is behind
  EXPECT_EQ(report()["postgresql"]["unarchived_segments"], 0);
  facts_->current_lsn = "1/02000000";
  EXPECT_EQ(report()["postgresql"]["unarchived_segments"], 3);
  facts_->last_archived_wal = "00000002.history";
  EXPECT_FALSE(report()["postgresql"].contains("unarchived_segments"));
  facts_->last_archived_wal = "0000000100000000000000FE";
  answers(PostgresFacts::Role::kStandby);
  EXPECT_FALSE(report()["postgresql"].contains("unarchived_segments"));
}

class UnarchivedTest : public StatusReportTest {
 protected:
  void SetUp() override {
    answers(PostgresFacts::Role::kPrimary);
    facts_->segment_bytes = 16U << 20;
    facts_->writes_timeline = 1;
    facts_->asked_at = now_ = TimePoint{} + std::chrono::hours(1);
    archive("000000010000000000000007");
  }
  void archive(const char* name) {
    archive_.put(ArchivePlace::of(WalName::parse(name).value()), {});
  }
  nlohmann::json server() const { return report()["postgresql"]; }
};

TEST_F(UnarchivedTest, IsWhatThePrimaryWroteBehindTheLastSegment) {
  facts_->current_lsn = "0/8500000";
  now_ += std::chrono::seconds(7);
  EXPECT_EQ(report()["archive"]["last_segment"], "000000010000000000000007");
  EXPECT_EQ(server()["unarchived_bytes"], 5U << 20);
  EXPECT_EQ(server()["alone_bytes"], 5U << 20);
  EXPECT_EQ(server()["age_seconds"], 7);
  facts_->current_lsn = "0/8000000";
  EXPECT_EQ(server()["unarchived_bytes"], 0);
}

// Stored here, refused for want of a quorum, and pushed again and again.
TEST_F(UnarchivedTest, WhatIsInThisArchiveAloneIsNotArchived) {
  facts_->current_lsn = "0/8500000";
  facts_->last_archived_wal = "000000010000000000000006";
  EXPECT_EQ(server()["unarchived_bytes"], 21U << 20);
  EXPECT_EQ(server()["alone_bytes"], 21U << 20);
  facts_->last_archived_wal = "000000010000000000000007";
  EXPECT_EQ(server()["unarchived_bytes"], 5U << 20);
}

// A crash resets PostgreSQL's statistics; its marks stay.
TEST_F(UnarchivedTest, WhatIsMarkedReadyIsNotArchivedWhateverTheStatisticsSay) {
  facts_->current_lsn = "0/8500000";
  disk_.first_ready = WalName::parse("000000010000000000000007").value();
  EXPECT_EQ(server()["unarchived_bytes"], 21U << 20);
  disk_.first_ready = WalName::parse("000000010000000000000008").value();
  EXPECT_EQ(server()["unarchived_bytes"], 5U << 20);
  disk_.first_ready = WalName::parse("000000020000000000000003").value();
  EXPECT_EQ(server()["unarchived_bytes"], 5U << 20) << "of another timeline";
}

TEST_F(UnarchivedTest, IsNotAloneThereWhenAStandbyStreams) {
  facts_->current_lsn = "0/8500000";
  facts_->streamed_lsn = 0x8400000;
  EXPECT_EQ(server()["unarchived_bytes"], 5U << 20);
  EXPECT_EQ(server()["alone_bytes"], 1U << 20);
  facts_->hidden_standbys = 1;
  EXPECT_FALSE(server().contains("alone_bytes")) << "nobody can tell";
}

// The parent's last segment reaches over the fork, and what the child wrote there is not in it.
TEST_F(UnarchivedTest, ASegmentOfTheTimelineThatWasLeftHoldsNothingOfTheNewOne) {
  facts_->current_lsn = "0/7500000";
  EXPECT_EQ(server()["unarchived_bytes"], 0);
  facts_->writes_timeline = 2;
  EXPECT_EQ(server()["unarchived_bytes"], 5U << 20);
  archive("000000020000000000000007");
  EXPECT_EQ(server()["unarchived_bytes"], 0);
}

TEST_F(UnarchivedTest, IsNotToldOfAStandbyNorOfAnEmptyArchiveNorOfAnotherCluster) {
  facts_->current_lsn = "0/8500000";
  facts_->error = "its system identifier is not the archive's";
  EXPECT_FALSE(server().contains("unarchived_bytes"));
  facts_->error = "";
  facts_->role = PostgresFacts::Role::kStandby;
  EXPECT_FALSE(server().contains("unarchived_bytes"));
  facts_->role = PostgresFacts::Role::kPrimary;
  EXPECT_TRUE(server().contains("unarchived_bytes"));
  archive_ = ArchiveIndex();
  EXPECT_FALSE(server().contains("unarchived_bytes"));
}

TEST_F(StatusReportTest, SaysForHowLongPushesHaveFailed) {
  EXPECT_FALSE(report()["push"].contains("failing_seconds"));
  totals_.last_error = "no quorum";
  totals_.failing_since = TimePoint{};
  EXPECT_TRUE(report()["push"].contains("failing_seconds"));
}

TEST_F(StatusReportTest, PushesThatNobodyTriesAgainDoNotFailForEver) {
  totals_.last_error = "conflict";
  totals_.failing_since = totals_.last_error_at;
  now_ = totals_.last_error_at + std::chrono::seconds(110);
  EXPECT_EQ(report()["push"]["failing"], true);
  now_ = totals_.last_error_at + std::chrono::seconds(130);
  EXPECT_EQ(report()["push"]["failing"], false);
  EXPECT_FALSE(report()["push"].contains("failing_seconds"));
  EXPECT_EQ(report()["push"]["last_error"], "conflict");
}

TEST_F(StatusReportTest, TheServerKnowsItsRoleBetterThanTheDisk) {
  disk_.role = "primary";
  answers(PostgresFacts::Role::kStandby);
  EXPECT_EQ(report()["role"], "standby");
  disk_.role = "standby";
  answers(PostgresFacts::Role::kPrimary);
  EXPECT_EQ(report()["role"], "primary");
}

TEST_F(StatusReportTest, OnlyTheDiskTellsARecoveryToAPointInTimeFromAStandby) {
  disk_.role = "recovering";
  answers(PostgresFacts::Role::kStandby);
  EXPECT_EQ(report()["role"], "recovering");
}

// It was asked some seconds ago, and killed since (H40).
TEST_F(StatusReportTest, KnowsFromTheDiskThatAServerHasStoppedSinceItWasAsked) {
  answers(PostgresFacts::Role::kPrimary);
  disk_.role = "stopped";
  EXPECT_EQ(report()["role"], "stopped");
}

TEST_F(StatusReportTest, AServerThatRunsInAnotherDirectoryIsNotStopped) {
  answers(PostgresFacts::Role::kPrimary);
  facts_->elsewhere = true;
  disk_.role = "stopped";
  EXPECT_EQ(report()["role"], "primary");
  EXPECT_EQ(report()["postgresql"]["elsewhere"], true);
}

TEST_F(StatusReportTest, AServerThatNeverAnsweredHasNoCounters) {
  facts_.emplace();
  facts_->error = "no such file";
  EXPECT_FALSE(report()["postgresql"].contains("archived"));
  EXPECT_FALSE(report()["postgresql"].contains("failed"));
}

TEST_F(StatusReportTest, AServerThatIsAwayHasTheRoleTheDiskTells) {
  disk_.role = "stopped";
  answers(PostgresFacts::Role::kPrimary);
  facts_->reachable = false;
  facts_->error = "no such file";
  EXPECT_EQ(report()["role"], "stopped");
  EXPECT_EQ(report()["postgresql"]["reachable"], false);
  EXPECT_EQ(report()["postgresql"]["error"], "no such file");
}

TEST_F(StatusReportTest, H5ConflictsAreWhatIsInQuarantineWhoeverPutItThere) {
  disk_.quarantined = {"00000002.history.conflict-0123456789ab.gz",
                       "00000002.history.resolved-00.gz",
                       "00000003.history.conflict-00.gz",
                       "00000003.history.corrupt-00.gz",
                       "000000010000000000000001.same-records-00.gz",
                       "by-hand"};
  verdicts_["00000002.history.conflict-0123456789ab.gz"] = "timeline 2 was begun twice";
  const auto json = report();
  ASSERT_EQ(json["conflicts"].size(), 2U);
  EXPECT_EQ(json["conflicts"][0], (nlohmann::json{{"name", "00000002.history"},
                                                  {"where", "a"},
                                                  {"text", "timeline 2 was begun twice"},
                                                  {"file", disk_.quarantined[0]}}));
  EXPECT_EQ(json["conflicts"][1]["text"], "not compared yet");
  EXPECT_EQ(json["archive"]["quarantined"],
            (nlohmann::json{"00000003.history.corrupt-00.gz", "by-hand"}));
}

TEST_F(StatusReportTest, ADifferenceFromAPeerWhoseContentIsInQuarantineHereIsShownOnce) {
  nodes_.nodes.push_back(Node{"b", "", "b", 22});
  Shipper shipper(Shipper::Options{nodes_, Quorum(), OnQuorumLoss::kWait, 0});
  const TimePoint now = clock_.now();
  std::ignore = shipper.step(PeerGreeted{1, true}, now);
  Differences differences;
  differences.by_content = true;
  Sha256 mine;
  Sha256 theirs;
  mine.bytes.fill(std::byte{0x11});
  theirs.bytes.fill(std::byte{0x22});
  const WalName name = WalName::parse("000000010000000000000007").value();
  differences.conflicting.push_back({name, mine, theirs});
  std::optional<TransferId> transfer;
  std::ignore = shipper.step(Compared{1, true, differences, true}, now);
  for (const ShipperAction& action : shipper.step(Tick{}, shipper.next_wakeup())) {
    if (const auto* pull = std::get_if<PullFile>(&action)) {
      transfer = pull->transfer;
    }
  }
  ASSERT_TRUE(transfer);
  std::ignore = shipper.step(
      FilePulled{*transfer, Error{Errc::kConflict, "other content", ""}, PullFault::kPeer}, now);
  ASSERT_EQ(shipper.conflicts().size(), 1U);
  const auto shown = [&] {
    const StatusInputs inputs{nodes_,  "main",  "/archive", "NONE", 0,
                              shipper, totals_, links_,     disk_,  archive_};
    return nlohmann::json::parse(status_json(inputs))["conflicts"];
  };
  EXPECT_EQ(shown().size(), 1U) << "as long as it is not in quarantine";
  disk_.quarantined = {name.text() + ".conflict-222222222222.gz"};
  ASSERT_EQ(shown().size(), 1U);
  EXPECT_EQ(shown()[0]["where"], "a");
  disk_.quarantined = {name.text() + ".conflict-333333333333.gz"};
  EXPECT_EQ(shown().size(), 2U) << "a third content";
}

}  // namespace
}  // namespace pgwalship
