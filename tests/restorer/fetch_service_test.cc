#include "restorer/fetch_service.h"

#include "tests/restorer/fetch_machine.h"
#include "tests/transport/linked_node.h"

#include <gtest/gtest.h>

namespace pgwalship {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class FetchServiceTest : public testing::Test {
 protected:
  void SetUp() override {
    node_.loop().on_turn([this](TimePoint now) { return fetches_.tick(now); });
    ASSERT_TRUE(node_.store().mark_reconciled().ok());
    ASSERT_TRUE(spool_.prepare().ok());
    for (const NodeId peer : {1, 2}) {
      ASSERT_TRUE(node_.peer(peer).store().mark_reconciled().ok());
      node_.peer(peer).connect();  // so that it greets with it
    }
    node_.run_until_linked();
  }
  void TearDown() override { node_.stop_workers(); }

  void put_at(NodeId peer, const WalFile& file) {
    ASSERT_TRUE(put_file(node_.peer(peer).store(), file).ok());
  }
  void rot_at(NodeId node, const WalFile& file) { rot(node_.path(node, file.name.text() + ".gz")); }
  FetchService::AnswerHandler note() {
    return [this](const FetchEnded& ended) { answers_.push_back(ended); };
  }
  FetchEnded answer() {
    node_.run_until([this] { return !answers_.empty(); });
    return answers_.front();
  }
  FetchEnded fetch(const WalFile& file) {
    fetches_.fetch(file.name, milliseconds(10), note());
    return answer();
  }
  bool is_good_here(const WalFile& file) {
    const auto facts = node_.store().verify(file.name);
    return facts.ok() && facts.value().sha256 == file.facts.sha256;
  }
  std::size_t quarantined() { return node_.store().quarantined().value().size(); }

  // What lies ready, by name.
  std::vector<std::string> unpacked() {
    std::vector<std::string> names;
    for (const auto& entry :
         std::filesystem::directory_iterator(node_.path(0, ".pgwalship/ahead"))) {
      names.push_back(entry.path().filename().string().substr(0, 24));
    }
    std::ranges::sort(names);
    return names;
  }
  bool lies_ready(const WalFile& file) {
    return spool_.find(file.name, file.facts, node_.clock().wall()).has_value();
  }

  LinkedNode node_{2};
  Spool spool_{node_.file_system(), {.directory = node_.store().directory(), .boot = "a boot"}};
  FetchService fetches_{{.nodes = node_.nodes(),
                         .quorum = Quorum::parse("ANY 1 (*)").value(),
                         .prefetch = 4,
                         .on_repaired = [this] { ++repaired_; }},
                        fetch_machine(node_, &spool_)};
  const WalFile file_ = wal_file(5);
  std::vector<FetchEnded> answers_;
  int repaired_ = 0;
};

TEST_F(FetchServiceTest, BringsAFileFromThePeerThatHasIt) {
  put_at(2, file_);
  const FetchEnded ended = fetch(file_);
  EXPECT_EQ(ended.verdict, FetchVerdict::kFound) << ended.message;
  EXPECT_EQ(ended.message, "from pgdb3");
  EXPECT_TRUE(is_good_here(file_));
}

TEST_F(FetchServiceTest, H28ABadCopyOfOnePeerIsServedFromTheOther) {
  put_at(1, file_);
  put_at(2, file_);
  rot_at(2, file_);  // which is asked first
  EXPECT_EQ(fetch(file_).verdict, FetchVerdict::kFound);
  EXPECT_TRUE(is_good_here(file_));
}

TEST_F(FetchServiceTest, SaysAbsentWhenAllWhoCountSaySo) {
  EXPECT_EQ(fetch(file_).verdict, FetchVerdict::kAbsent);
}

// Nobody has recorded it yet: the watch alone knows.
TEST_F(FetchServiceTest, WhatWasJustRemovedByHandIsNotJustAbsent) {
  ASSERT_TRUE(put_file(node_.store(), file_).ok());
  std::filesystem::remove(node_.path(0, file_.name.text() + ".gz"));
  node_.peer(1).cut();
  node_.run_until([this] { return !node_.links().is_up(1); });
  const FetchEnded ended = fetch(file_);
  EXPECT_EQ(ended.verdict, FetchVerdict::kUnknown) << ended.message;
  EXPECT_NE(ended.message.find("files have vanished from its archive"), std::string::npos)
      << ended.message;
}

TEST_F(FetchServiceTest, H28OnlyBadCopiesAreNoAbsence) {
  put_at(1, file_);
  rot_at(1, file_);
  EXPECT_EQ(fetch(file_).verdict, FetchVerdict::kCorrupt);
}

TEST_F(FetchServiceTest, ALinkThatBreaksInTheMiddleIsFollowedByTheOtherPeer) {
  put_at(1, file_);
  put_at(2, file_);
  node_.peer(1).stall_after(1);
  node_.peer(2).stall_after(1);
  fetches_.fetch(file_.name, seconds(5), note());
  const auto staged = [&] { return node_.path(0, ".pgwalship/tmp"); };
  node_.run_until([&] { return !std::filesystem::is_empty(staged()); });
  // One of them is being pulled from; that one breaks, and the other goes on.
  const NodeId source = file_.name.seg() % 3 == 1 ? 1 : 2;
  node_.peer(3 - source).go_on();
  node_.peer(source).cut();
  EXPECT_EQ(answer().verdict, FetchVerdict::kFound);
  EXPECT_TRUE(is_good_here(file_));
}

TEST_F(FetchServiceTest, RepairReplacesABadCopyAndKeepsItInQuarantine) {
  ASSERT_TRUE(put_file(node_.store(), file_).ok());
  put_at(1, file_);
  rot_at(0, file_);
  fetches_.repair(file_.name, note());
  EXPECT_EQ(answer().verdict, FetchVerdict::kFound);
  EXPECT_TRUE(is_good_here(file_));
  EXPECT_EQ(quarantined(), 1U);
  EXPECT_EQ(repaired_, 1);
}

// Else a peer that this node cannot ask would see no difference, and never send its good one.
TEST_F(FetchServiceTest, H28ABadCopyThatNobodyCanReplaceGoesToQuarantineAndCountsAsCorrupt) {
  ASSERT_TRUE(put_file(node_.store(), file_).ok());
  rot_at(0, file_);
  fetches_.repair(file_.name, note());
  EXPECT_EQ(answer().verdict, FetchVerdict::kCorrupt);
  // It is in quarantine first, and then its name goes.
  node_.run_until([this] { return quarantined() == 1 && node_.store().list().value().empty(); });
  EXPECT_EQ(node_.store().open(file_.name).error().code, Errc::kCorrupt);
  answers_.clear();
  EXPECT_EQ(fetch(file_).verdict, FetchVerdict::kCorrupt) << "it was here: never absent";
  put_at(1, file_);
  answers_.clear();
  EXPECT_EQ(fetch(file_).verdict, FetchVerdict::kFound);
  EXPECT_EQ(quarantined(), 1U);
}

TEST_F(FetchServiceTest, RepairLeavesAGoodCopyAlone) {
  ASSERT_TRUE(put_file(node_.store(), file_).ok());
  fetches_.repair(file_.name, note());
  EXPECT_EQ(answer().verdict, FetchVerdict::kFound);
  EXPECT_EQ(quarantined(), 0U);
}

TEST_F(FetchServiceTest, RelaysAPeersCopyWithoutKeepingIt) {
  put_at(1, file_);
  Bytes relayed;
  bool ended = false;
  fetches_.relay(file_.name, 0, [&](const Message& message) {
    if (const auto* data = std::get_if<Data>(&message)) {
      relayed.insert(relayed.end(), data->bytes.begin(), data->bytes.end());
    }
    ended = ended || std::holds_alternative<GetEnd>(message);
  });
  node_.run_until([&] { return ended; });
  EXPECT_EQ(relayed, file_.bytes);
  EXPECT_EQ(node_.store().open(file_.name).error().code, Errc::kNotFound);
}

TEST_F(FetchServiceTest, ReadsAheadOfARecovery) {
  for (const std::uint32_t number : {7U, 8U}) {
    put_at(1, wal_file(number));
  }
  fetches_.restored(wal_file(5).name, kSegmentBytesMin);
  fetches_.restored(wal_file(6).name, kSegmentBytesMin);
  node_.run_until([&] { return fetches_.files_ahead() == 2; });
  EXPECT_TRUE(is_good_here(wal_file(7)));
  EXPECT_TRUE(is_good_here(wal_file(8)));
  EXPECT_TRUE(fetches_.in_recovery());
}

TEST_F(FetchServiceTest, WhatAClientWaitsForLiesReady) {
  put_at(1, file_);
  EXPECT_EQ(fetch(file_).verdict, FetchVerdict::kFound);
  EXPECT_TRUE(lies_ready(file_));
}

TEST_F(FetchServiceTest, H51NothingIsUnpackedOfABadCopy) {
  put_at(1, file_);
  rot_at(1, file_);
  EXPECT_EQ(fetch(file_).verdict, FetchVerdict::kCorrupt);
  EXPECT_TRUE(unpacked().empty());
}

TEST_F(FetchServiceTest, UnpacksAheadWhatIsHereAndWhatIsNotAndCleansUpBehindTheRecovery) {
  ASSERT_TRUE(put_file(node_.store(), wal_file(7)).ok());
  put_at(1, wal_file(8));
  fetches_.restored(wal_file(5).name, kSegmentBytesMin);
  fetches_.restored(wal_file(6).name, kSegmentBytesMin);
  node_.run_until([&] { return unpacked().size() == 2; });
  EXPECT_TRUE(lies_ready(wal_file(7)));
  EXPECT_TRUE(lies_ready(wal_file(8)));
  EXPECT_EQ(fetches_.files_ahead(), 1U);
  fetches_.restored(wal_file(7).name, kSegmentBytesMin);
  node_.run_until([&] { return unpacked() == std::vector{wal_file(8).name.text()}; });
  fetches_.restored(wal_file(20).name, kSegmentBytesMin);
  node_.run_until([&] { return unpacked().empty(); });
}

TEST_F(FetchServiceTest, H28ABadLocalCopyIsMetWhenItIsUnpackedAhead) {
  ASSERT_TRUE(put_file(node_.store(), wal_file(7)).ok());
  rot_at(0, wal_file(7));
  put_at(1, wal_file(7));
  fetches_.restored(wal_file(5).name, kSegmentBytesMin);
  fetches_.restored(wal_file(6).name, kSegmentBytesMin);
  node_.run_until([&] { return fetches_.files_ahead() == 1; });
  EXPECT_TRUE(is_good_here(wal_file(7)));
  EXPECT_TRUE(lies_ready(wal_file(7)));
  EXPECT_EQ(quarantined(), 1U);
}

TEST_F(FetchServiceTest, AClientWaitsForAFileThatIsOnItsWayAndItComesOnce) {
  put_at(1, wal_file(7));
  node_.peer(1).stall_after(1);
  fetches_.restored(wal_file(5).name, kSegmentBytesMin);
  fetches_.restored(wal_file(6).name, kSegmentBytesMin);
  const std::string tmp = node_.path(0, ".pgwalship/tmp");
  node_.run_until([&] { return !std::filesystem::is_empty(tmp); });
  fetches_.fetch(wal_file(7).name, seconds(5), note());
  node_.peer(1).go_on();
  EXPECT_EQ(answer().verdict, FetchVerdict::kFound);
  EXPECT_EQ(fetches_.files_ahead(), 1U);
}

TEST_F(FetchServiceTest, AClientDoesNotWaitForWhatDoesNotMove) {
  put_at(1, wal_file(7));
  put_at(2, wal_file(7));
  node_.peer(1).stall_after(1);
  node_.peer(2).stall_after(1);
  fetches_.restored(wal_file(5).name, kSegmentBytesMin);
  fetches_.restored(wal_file(6).name, kSegmentBytesMin);
  const std::string tmp = node_.path(0, ".pgwalship/tmp");
  node_.run_until([&] { return !std::filesystem::is_empty(tmp); });
  const NodeId source = wal_file(7).name.seg() % 3 == 1 ? 1 : 2;
  node_.peer(3 - source).go_on();
  fetches_.fetch(wal_file(7).name, seconds(5), note());
  EXPECT_EQ(answer().verdict, FetchVerdict::kFound) << "from the other one";
}

class FetchServiceWithoutSpoolTest : public FetchServiceTest {
 protected:
  FetchService without_spool_{
      {.nodes = node_.nodes(), .quorum = Quorum::parse("ANY 1 (*)").value(), .prefetch = 4},
      fetch_machine(node_)};
};

// What comes ahead is looked at without being read there, and nobody may be told that it is good.
TEST_F(FetchServiceWithoutSpoolTest, H28ABadCopyThatAClientMeetsWhileItComesAheadIsReplaced) {
  const WalFile wanted = wal_file(7);
  ASSERT_TRUE(put_file(node_.store(), wanted).ok());
  rot_at(0, wanted);
  put_at(1, wanted);
  without_spool_.restored(wal_file(5).name, kSegmentBytesMin);
  without_spool_.restored(wal_file(6).name, kSegmentBytesMin);
  without_spool_.fetch(wanted.name, seconds(5), note());
  EXPECT_EQ(answer().verdict, FetchVerdict::kFound);
  EXPECT_TRUE(is_good_here(wanted));
}

}  // namespace
}  // namespace pgwalship
