#include "restorer/scrub_service.h"

#include "tests/restorer/fetch_machine.h"
#include "tests/transport/linked_node.h"

#include <gtest/gtest.h>

namespace pgwalship {
namespace {

class ScrubServiceTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const std::uint32_t number : {5U, 6U, 7U}) {
      ASSERT_TRUE(put_file(node_.store(), wal_file(number)).ok());
    }
    node_.loop().on_turn([this](TimePoint now) { return fetches_.tick(now); });
    node_.run_until_linked();
  }
  void TearDown() override { node_.stop_workers(); }

  // As a daemon that has just started.
  void start(std::function<bool()> busy = [] { return false; }) {
    scrub_ = std::make_unique<ScrubService>(
        std::chrono::milliseconds(30),
        ScrubService::Machine{node_.loop(), node_.clock(), node_.quiet(), node_.file_system(),
                              node_.store(), fetches_, node_.log(), std::move(busy)});
    if (!std::exchange(ticking_, true)) {
      node_.loop().on_turn([this](TimePoint now) { return scrub_->tick(now); });
    }
  }
  void run_a_pass() {
    node_.run_until([this] { return scrub_->mark().last_pass.has_value(); });
  }
  void rot_here(std::uint32_t number) { rot(node_.path(0, wal_file(number).name.text() + ".gz")); }

  LinkedNode node_{1};
  FetchService fetches_{{.nodes = node_.nodes(), .quorum = Quorum::parse("ANY 1 (*)").value()},
                        fetch_machine(node_)};
  std::unique_ptr<ScrubService> scrub_;
  bool ticking_ = false;
};

TEST_F(ScrubServiceTest, ReadsAllFilesInAPass) {
  start();
  node_.run_until([this] { return scrub_->mark().read == 3; });
  run_a_pass();
  EXPECT_EQ(scrub_->mark().last_bad, 0U);
}

TEST_F(ScrubServiceTest, H28ReplacesABadCopyFromAPeer) {
  ASSERT_TRUE(put_file(node_.peer(1).store(), wal_file(6)).ok());
  rot_here(6);
  start();
  run_a_pass();
  EXPECT_EQ(scrub_->mark().last_bad, 1U);
  EXPECT_EQ(scrub_->mark().last_repaired, 1U);
  EXPECT_TRUE(node_.store().verify(wal_file(6).name).ok());
}

TEST_F(ScrubServiceTest, H28CountsABadCopyThatNobodyCanReplaceAndGoesOn) {
  rot_here(6);
  start();
  run_a_pass();
  EXPECT_EQ(scrub_->mark().last_bad, 1U);
  EXPECT_EQ(scrub_->mark().last_repaired, 0U);
  EXPECT_EQ(node_.store().verify(wal_file(6).name).error().code, Errc::kCorrupt);
}

TEST_F(ScrubServiceTest, GoesOnWhereTheDaemonBeforeItStood) {
  ScrubMark mark;
  mark.position = wal_file(6).name;
  mark.read = 2;
  ASSERT_TRUE(ScrubBook(node_.file_system(), node_.store().directory()).write(mark).ok());
  rot_here(5);
  start();
  run_a_pass();
  EXPECT_EQ(scrub_->mark().last_bad, 0U) << "that file is read in the next pass";
}

}  // namespace
}  // namespace pgwalship
