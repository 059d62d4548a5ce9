#include "archiver/expire_batch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pgwalship {
namespace {

using testing::HasSubstr;

constexpr NodeId kHere = 0;
constexpr NodeId kSecond = 1;
constexpr NodeId kThird = 2;

WalName segment(std::uint32_t timeline, std::uint32_t number) {
  return WalName::segment_at(timeline, std::uint64_t{number} << 24U, 1U << 24U);
}
Sha256 content(unsigned seed) {
  Sha256 hash;
  hash.bytes[0] = static_cast<std::byte>(seed);
  return hash;
}

class ExpireBatchTest : public testing::Test {
 protected:
  ExpireBatch& with_quorum(const char* expression, std::vector<ExpireBatch::Candidate> files) {
    quorum_ = Quorum::parse(expression).value();
    batch_.emplace(nodes_, quorum_, std::move(files));
    return *batch_;
  }
  ExpireBatch& three_segments(const char* expression = "ANY 1 (*)") {
    return with_quorum(
        expression,
        {{segment(1, 1), content(1)}, {segment(1, 2), content(2)}, {segment(1, 3), content(3)}});
  }
  static StatResult stat(Presence presence, unsigned seed = 0) {
    StatResult result;
    result.presence = presence;
    result.reconciled = true;
    result.facts.sha256 = content(seed);
    return result;
  }
  void all_hold(NodeId peer) {
    for (std::size_t i = 0; i < batch_->size(); ++i) {
      batch_->answer(peer, i, stat(Presence::kPresent, static_cast<unsigned>(i + 1)));
    }
  }

  NodeList nodes_{{{"pgdb1", "", "", 22}, {"pgdb2", "", "", 22}, {"pgdb3", "", "", 22}}, kHere};
  Quorum quorum_;
  std::optional<ExpireBatch> batch_;
};

TEST_F(ExpireBatchTest, LetsGoWhatTheQuorumHolds) {
  three_segments();
  all_hold(kSecond);
  EXPECT_EQ(batch_->judge().go.size(), 3U);
  EXPECT_EQ(batch_->judge().why, "");
}

TEST_F(ExpireBatchTest, ASilentPeerDoesNotCount) {
  three_segments("ANY 2 (*)");
  all_hold(kSecond);
  const auto verdict = batch_->judge();
  EXPECT_TRUE(verdict.go.empty());
  EXPECT_THAT(verdict.why, HasSubstr("is not on the quorum ANY 2 (*): pgdb3 is silent"));
}

TEST_F(ExpireBatchTest, StopsAtTheFirstThatAPeerLacks) {
  three_segments();
  all_hold(kSecond);
  batch_->answer(kSecond, 1, stat(Presence::kAbsent));
  const auto verdict = batch_->judge();
  EXPECT_EQ(verdict.go, std::vector{segment(1, 1)});
  EXPECT_THAT(verdict.why, HasSubstr("pgdb2 does not have it, pgdb3 is silent"));
}

TEST_F(ExpireBatchTest, WhatHasExpiredThereWasThere) {
  three_segments("ANY 2 (*)");
  all_hold(kSecond);
  all_hold(kThird);
  batch_->answer(kThird, 0, stat(Presence::kExpired));
  EXPECT_EQ(batch_->judge().go.size(), 3U);
}

// A replaced node is complete from some position on, and what is below never expired there.
TEST_F(ExpireBatchTest, WhatAReplacedNodeNeverHadIsNotThere) {
  three_segments("ANY 2 (*)");
  all_hold(kSecond);
  all_hold(kThird);
  StatResult replaced = stat(Presence::kExpired);
  replaced.reconciled = false;
  batch_->answer(kThird, 0, replaced);
  EXPECT_EQ(batch_->judge().go.size(), 0U);
  EXPECT_THAT(batch_->judge().why, HasSubstr("pgdb3 was never made complete from there on"));
}

TEST_F(ExpireBatchTest, OtherContentIsNotTheFile) {
  three_segments();
  all_hold(kSecond);
  batch_->answer(kSecond, 0, stat(Presence::kPresent, 9));
  EXPECT_THAT(batch_->judge().why, HasSubstr("other content"));
}

TEST_F(ExpireBatchTest, CorruptCopiesAndErrorsDoNotCount) {
  three_segments("ANY 1 (*)");
  batch_->answer(kSecond, 0, stat(Presence::kCorrupt));
  batch_->answer(kThird, 0, Error{Errc::kIo, "read: Input/output error", ""});
  EXPECT_THAT(batch_->judge().why,
              HasSubstr("pgdb2 has a corrupt copy, pgdb3 cannot say: read: Input/output error"));
}

TEST_F(ExpireBatchTest, H42APeerThatWasNeverCompleteDoesNotCount) {
  three_segments();
  StatResult fresh = stat(Presence::kPresent, 1);
  fresh.reconciled = false;
  batch_->answer(kSecond, 0, fresh);
  EXPECT_THAT(batch_->judge().why, HasSubstr("was never made complete"));
}

TEST_F(ExpireBatchTest, H24ALegacyFileIsTakenByItsName) {
  with_quorum("ANY 2 (*)", {{segment(1, 1), std::nullopt}});
  batch_->answer(kSecond, 0, stat(Presence::kPresent, 5));
  batch_->answer(kThird, 0, stat(Presence::kPresent));
  EXPECT_EQ(batch_->judge().go.size(), 1U);
}

TEST_F(ExpireBatchTest, KeepsWhatAPeersServerNeedsNow) {
  three_segments();
  all_hold(kSecond);
  StatResult needy = stat(Presence::kAbsent);
  needy.needs = segment(1, 2).position();
  batch_->answer(kThird, 0, needy);
  const auto verdict = batch_->judge();
  EXPECT_EQ(verdict.go, std::vector{segment(1, 1)});
  EXPECT_THAT(verdict.why, HasSubstr("the server of pgdb3 needs from segment 0000000000000002 on"));
}

TEST_F(ExpireBatchTest, APositionGoesAsAWhole) {
  with_quorum(
      "ANY 1 (*)",
      {{segment(1, 1), content(1)}, {segment(1, 2), content(2)}, {segment(2, 2), content(3)}});
  all_hold(kSecond);
  batch_->answer(kSecond, 2, stat(Presence::kAbsent));
  EXPECT_EQ(batch_->judge().go, std::vector{segment(1, 1)});
}

TEST_F(ExpireBatchTest, WithoutAQuorumNobodyIsNeeded) {
  three_segments("NONE");
  EXPECT_EQ(batch_->judge().go.size(), 3U);
}

}  // namespace
}  // namespace pgwalship
