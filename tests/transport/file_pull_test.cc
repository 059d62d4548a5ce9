#include "transport/file_pull.h"

#include "tests/transport/linked_node.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <future>

namespace pgwalship {
namespace {

class FilePullTest : public testing::Test {
 protected:
  struct End {
    Result<PutOutcome> result;
    FilePull::Fault fault;
  };

  void SetUp() override {
    node_.run_until_linked();
    ASSERT_TRUE(put_file(node_.peer(1).store(), file_).ok());
  }

  std::shared_ptr<FilePull> start(ArchiveStore& store, FilePull::Wish wish) {
    return FilePull::start({node_.quiet(), node_.links(), store}, std::move(wish),
                           [this](const Result<PutOutcome>& result, FilePull::Fault fault) {
                             ends_.push_back({result, fault});
                           });
  }
  std::shared_ptr<FilePull> start() { return start(node_.store(), wish(file_.name)); }
  FilePull::Wish wish(const WalName& name) {
    return {.peer = 1, .name = name, .on_piece = [this] { ++pieces_; }};
  }
  End run_to_end() {
    node_.run_until([this] { return !ends_.empty(); });
    return ends_.front();
  }
  std::size_t staged() const {
    const std::filesystem::directory_iterator tmp(node_.path(0, ".pgwalship/tmp"));
    return static_cast<std::size_t>(std::distance(begin(tmp), end(tmp)));
  }

  LinkedNode node_{1};
  const WalFile file_ = wal_file(5);
  std::vector<End> ends_;
  std::size_t pieces_ = 0;
};

TEST_F(FilePullTest, BringsAFileOverVerified) {
  const auto pull = start();
  EXPECT_TRUE(ends_.empty()) << "not from within start()";
  const End end = run_to_end();
  EXPECT_EQ(end.result.value(), PutOutcome::kStored);
  EXPECT_EQ(end.fault, FilePull::Fault::kNone);
  EXPECT_EQ(pull->received_bytes(), file_.bytes.size());
  EXPECT_EQ(pieces_, (file_.bytes.size() + kDataBytesMax - 1) / kDataBytesMax);
  EXPECT_EQ(node_.store().verify(file_.name).value().sha256, file_.facts.sha256);
  EXPECT_EQ(staged(), 0U);
}

// The link is faster than one core unpacks, and a segment of 64 MiB or more would never come.
TEST_F(FilePullTest, APeerThatIsTooFastToBeUnpackedIsVerifiedAfterwards) {
  SegmentSpec spec;
  spec.segment_bytes = 64U << 20U;
  spec.lsn = std::uint64_t{3} * spec.segment_bytes;
  const WalName name = name_of(spec);
  const Bytes raw = build_segment(spec);
  const WalFile large{name, facts_of(name, raw), build_archive_file(name, raw)};
  ASSERT_GT(large.bytes.size(), kPullUnpackBytesMax + (1U << 20U));
  ASSERT_TRUE(put_file(node_.peer(1).store(), large).ok());
  Spool spool(node_.file_system(), {.directory = node_.store().directory(), .boot = "a boot"});
  ASSERT_TRUE(spool.prepare().ok());
  std::promise<void> disk_is_busy;
  ASSERT_TRUE(node_.quiet().post([busy = disk_is_busy.get_future().share()] {
    busy.wait();
    return Worker::Completion([] {});
  }));
  FilePull::Wish wish = this->wish(name);
  wish.spool = &spool;
  const auto pull = start(node_.store(), std::move(wish));
  node_.run_until([&] { return pull->received_bytes() == large.bytes.size(); });
  disk_is_busy.set_value();
  EXPECT_EQ(run_to_end().result.value(), PutOutcome::kStored);
  EXPECT_EQ(pull->spooled(), "");
  EXPECT_EQ(node_.store().verify(name).value().sha256, large.facts.sha256);
}

TEST_F(FilePullTest, AFileThatIsNotThereIsThePeersFault) {
  start(node_.store(), wish(wal_file(6).name));
  const End end = run_to_end();
  EXPECT_EQ(end.result.error().code, Errc::kNotFound);
  EXPECT_EQ(end.fault, FilePull::Fault::kPeer);
}

TEST_F(FilePullTest, H28ABadCopyIsThePeersFaultAndGetsNoName) {
  rot(node_.path(1, file_.name.text() + ".gz"));
  start();
  const End end = run_to_end();
  EXPECT_EQ(end.result.error().code, Errc::kCorrupt);
  EXPECT_EQ(end.fault, FilePull::Fault::kPeer);
  EXPECT_EQ(node_.store().open(file_.name).error().code, Errc::kNotFound);
  EXPECT_EQ(staged(), 0U);
}

TEST_F(FilePullTest, OtherContentUnderTheNameIsAConflictAndTheOldStays) {
  const WalFile other = wal_file(5, 2);
  ASSERT_TRUE(put_file(node_.store(), other).ok());
  start();
  const End end = run_to_end();
  EXPECT_EQ(end.result.error().code, Errc::kConflict);
  EXPECT_EQ(end.fault, FilePull::Fault::kPeer);
  EXPECT_EQ(node_.store().verify(file_.name).value().sha256, other.facts.sha256);
}

TEST_F(FilePullTest, WithoutRoomAnotherPeersFileWouldFailAsWell) {
  ArchiveStore full(
      node_.file_system(),
      {.directory = node_.store().directory(), .minimum_free_bytes = ~std::uint64_t{0}, .seed = 9});
  start(full, wish(file_.name));
  const End end = run_to_end();
  EXPECT_EQ(end.result.error().code, Errc::kNoSpace);
  EXPECT_EQ(end.fault, FilePull::Fault::kHere);
}

TEST_F(FilePullTest, TheReserveIsForWhomARecoveryWaits) {
  ArchiveStore full(
      node_.file_system(),
      {.directory = node_.store().directory(), .minimum_free_bytes = ~std::uint64_t{0}, .seed = 9});
  FilePull::Wish urgent = wish(file_.name);
  urgent.reserve = ArchiveStore::Reserve::kUse;
  start(full, urgent);
  EXPECT_TRUE(run_to_end().result.ok());
}

TEST_F(FilePullTest, WhatIsAbandonedLeavesNothingAndTheLinkGoesOn) {
  node_.peer(1).stall_after(2);
  const auto abandoned = start();
  node_.run_until([this] { return pieces_ == 2; });
  node_.run_until([this] { return staged() == 1; });
  abandoned->abandon();
  node_.run_until([this] { return staged() == 0; });
  node_.peer(1).go_on();
  start(node_.store(), wish(file_.name));
  EXPECT_TRUE(run_to_end().result.ok());
  EXPECT_EQ(ends_.size(), 1U) << "the abandoned one has nobody to tell";
}

TEST_F(FilePullTest, ALinkThatBreaksInTheMiddleLeavesNothing) {
  struct Owner final : LinkSet::Observer {
    std::shared_ptr<FilePull> pull;
    void on_up(NodeId /*peer*/, const Hello& /*theirs*/) override {}
    void on_down(NodeId /*peer*/, const Error& /*reason*/) override {
      std::exchange(pull, nullptr)->abandon();
    }
  } owner;
  node_.links().observe(owner);
  node_.peer(1).stall_after(2);
  owner.pull = start();
  node_.run_until([this] { return staged() == 1; });
  node_.peer(1).cut();
  node_.run_until([&] { return !owner.pull && staged() == 0; });
  EXPECT_TRUE(ends_.empty());
}

}  // namespace
}  // namespace pgwalship
