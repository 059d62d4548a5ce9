#include "archiver/expire_service.h"

#include "tests/transport/linked_node.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pgwalship {
namespace {

using testing::HasSubstr;

// A backup begins at segment 16, and one backup is kept: 5, 6 and 7 may go.
class ExpireServiceTest : public testing::Test {
 protected:
  void SetUp() override {
    node_.loop().on_turn([this](TimePoint now) { return expiry_.tick(now); });
    const std::vector<ArchiveStore*> stores{&node_.store(), &node_.peer(1).store(),
                                            &node_.peer(2).store()};
    for (ArchiveStore* store : stores) {
      for (const std::uint32_t number : {5U, 6U, 7U, 16U, 17U}) {
        ASSERT_TRUE(put_file(*store, wal_file(number)).ok());
      }
      ASSERT_TRUE(put_file(*store, label_).ok());
      ASSERT_TRUE(store->mark_reconciled().ok());
    }
    node_.run_until_linked();
  }
  void TearDown() override { node_.stop_workers(); }

  static WalFile label() {
    const WalName name = wal_name("000000010000000000000010.00000028.backup");
    const Bytes raw = [] {
      const ByteView text = as_bytes(
          "START WAL LOCATION: 0/1000028 (file 000000010000000000000010)\n"
          "STOP WAL LOCATION: 0/1100100 (file 000000010000000000000011)\n"
          "LABEL: nightly\nSTART TIMELINE: 1\nSTOP TIMELINE: 1\n");
      return Bytes(text.begin(), text.end());
    }();
    return {name, facts_of(name, raw), build_archive_file(name, raw)};
  }
  std::string at(NodeId node, std::uint32_t number) {
    return node_.path(node, wal_file(number).name.text() + ".gz");
  }

  ExpireReport expire(ExpireMode mode = ExpireMode::kRemove) {
    std::optional<ExpireReport> last;
    expiry_.expire({1, mode, 0}, [&](const ExpireReport& report) {
      if (report.outcome != ExpireOutcome::kRunning) {
        last = report;
      }
    });
    node_.run_until([&] { return last.has_value(); });
    return *last;
  }
  std::size_t files_here() { return node_.store().list().value().size(); }

  LinkedNode node_{2};
  ExpireService expiry_{{.nodes = node_.nodes(),
                         .quorum = Quorum::parse("ANY 1 (*)").value(),
                         .rules = {.backups = 1, .days = {}, .size_bytes = {}},
                         .interval = {}},
                        {node_.loop(), node_.clock(), node_.disk(), node_.scans(), node_.links(),
                         node_.store(), node_.log()}};
  const WalFile label_ = label();
};

TEST_F(ExpireServiceTest, H38RemovesHereWhatTheRulesLetGoAndTheQuorumHas) {
  const ExpireReport report = expire();
  EXPECT_EQ(report.outcome, ExpireOutcome::kDone) << report.line;
  EXPECT_EQ(expiry_.view().removed, 3U);
  EXPECT_EQ(files_here(), 3U);
  EXPECT_EQ(node_.store().floor().value(), wal_file(16).name.position());
  EXPECT_EQ(node_.peer(1).store().list().value().size(), 6U) << "other archives are not touched";
}

TEST_F(ExpireServiceTest, ADryRunRemovesNothing) {
  EXPECT_EQ(expire(ExpireMode::kDryRun).outcome, ExpireOutcome::kDone);
  EXPECT_EQ(files_here(), 6U);
  EXPECT_EQ(node_.store().floor().value(), 0U);
}

TEST_F(ExpireServiceTest, NothingGoesThatIsNotOnTheQuorum) {
  for (const NodeId peer : {1, 2}) {
    std::filesystem::remove(at(peer, 6));
  }
  const ExpireReport report = expire();
  EXPECT_EQ(report.outcome, ExpireOutcome::kHeld);
  EXPECT_THAT(report.line, HasSubstr("not on the quorum"));
  EXPECT_EQ(expiry_.view().removed, 1U) << "5 alone: what comes after 6 stays with it";
  EXPECT_TRUE(node_.store().verify(wal_file(6).name).ok());
}

TEST_F(ExpireServiceTest, H28ACopyThatIsKnownToBeBadDoesNotCount) {
  for (const NodeId peer : {1, 2}) {
    rot(at(peer, 5));
    ASSERT_TRUE(node_.peer(peer).store().quarantine_corrupt(wal_file(5).name).ok());
  }
  const ExpireReport report = expire();
  EXPECT_EQ(report.outcome, ExpireOutcome::kHeld);
  EXPECT_THAT(report.line, HasSubstr("corrupt"));
  EXPECT_EQ(files_here(), 6U);
}

TEST_F(ExpireServiceTest, H28ACopyThatHasRottenUnseenDoesNotCount) {
  for (const NodeId peer : {1, 2}) {
    rot(at(peer, 6));
  }
  EXPECT_EQ(expire(ExpireMode::kDryRun).outcome, ExpireOutcome::kDone) << "it asks for headers";
  const ExpireReport report = expire();
  EXPECT_EQ(report.outcome, ExpireOutcome::kHeld);
  EXPECT_THAT(report.line, HasSubstr("has a corrupt copy"));
  EXPECT_EQ(expiry_.view().removed, 1U);
  EXPECT_TRUE(node_.store().verify(wal_file(6).name).ok());
}

TEST_F(ExpireServiceTest, APeerThatWasNeverHeardHoldsEverything) {
  node_.peer(2).cut();
  node_.run_until([this] { return !node_.links().is_up(2); });
  EXPECT_EQ(expire().outcome, ExpireOutcome::kHeld);
  EXPECT_EQ(files_here(), 6U);
  node_.peer(2).connect();
  node_.run_until_linked();
  EXPECT_EQ(expire().outcome, ExpireOutcome::kDone);
  node_.peer(2).cut();
  EXPECT_EQ(expire().outcome, ExpireOutcome::kDone) << "known, and not needed for the quorum";
}

TEST_F(ExpireServiceTest, WhatAPeersServerNeedsStays) {
  ASSERT_TRUE(node_.peer(2).store().record_needs(wal_file(6).name.position()).ok());
  expire();
  EXPECT_EQ(files_here(), 5U);
  EXPECT_TRUE(node_.store().open(wal_file(6).name).ok());
}

TEST_F(ExpireServiceTest, ASecondRunMeanwhileIsTurnedAway) {
  bool over = false;
  expiry_.expire({1, ExpireMode::kDryRun, 0}, [&](const ExpireReport& report) {
    over = report.outcome != ExpireOutcome::kRunning;
  });
  std::optional<ExpireReport> second;
  expiry_.expire({2, ExpireMode::kRemove, 0}, [&](const ExpireReport& report) { second = report; });
  ASSERT_TRUE(second);
  EXPECT_EQ(second->outcome, ExpireOutcome::kHeld);
  node_.run_until([&] { return over; });
  EXPECT_EQ(files_here(), 6U);
}

}  // namespace
}  // namespace pgwalship
