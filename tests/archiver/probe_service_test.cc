#include "archiver/probe_service.h"

#include "tests/transport/linked_node.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

namespace pgwalship {
namespace {

using State = ProbeReport::State;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class ProbeServiceTest : public testing::Test {
 protected:
  void SetUp() override {
    node_.loop().on_turn([this](TimePoint now) { return probes_.tick(now); });
    for (const NodeId peer : {1, 2}) {
      ASSERT_TRUE(node_.peer(peer).store().mark_reconciled().ok());
      greet(peer, true);
    }
    node_.run_until_linked();
  }
  void TearDown() override { node_.stop_workers(); }

  void greet(NodeId peer, bool reconciled) {
    shipper_.step(PeerGreeted{peer, reconciled}, node_.loop().now());
  }
  // A directory that is gone takes no probe; nor does a file in its place.
  void break_archive(NodeId node) {
    const std::string tmp = node_.path(node, ".pgwalship/tmp");
    std::filesystem::remove_all(tmp);
    std::ofstream(tmp) << "in the way";
  }
  Result<ProbeReport> probe(Duration wait = std::chrono::seconds(30)) {
    std::optional<Result<ProbeReport>> outcome;
    probes_.probe(wait, [&](const Result<ProbeReport>& report) {
      outcome = report;
      node_.loop().stop();  // it comes at the end of a turn, and nothing may follow
    });
    node_.run_until([&] { return outcome.has_value(); });
    return *outcome;
  }
  static std::vector<State> states(const ProbeReport& report) {
    std::vector<State> states;
    for (const ProbeReport::Node& node : report.nodes) {
      states.push_back(node.state);
    }
    return states;
  }

  LinkedNode node_{2};
  Quorum quorum_ = Quorum::parse("ANY 1 (*)").value();
  Shipper shipper_{{.nodes = node_.nodes(), .quorum = quorum_}};
  ProbeService probes_{
      {.nodes = node_.nodes(), .quorum = quorum_, .timeout = std::chrono::seconds(30), .seed = 1},
      {node_.loop(), node_.disk(), node_.links(), node_.store(), shipper_}};
};

TEST_F(ProbeServiceTest, IsDurableHereAndOnEveryPeerAndLeavesNothing) {
  const auto report = probe();
  ASSERT_TRUE(report.ok()) << report.error().text();
  EXPECT_TRUE(report.value().held);
  EXPECT_GT(report.value().elapsed_us, 0U);
  EXPECT_EQ(report.value().nodes.front().name, "pgdb1");
  EXPECT_THAT(states(report.value()),
              ElementsAre(State::kDurable, State::kDurable, State::kDurable));
  for (const NodeId node : {0, 1, 2}) {
    EXPECT_TRUE(std::filesystem::is_empty(node_.path(node, ".pgwalship/tmp")));
  }
  EXPECT_THAT(node_.store().list().value(), IsEmpty());
}

TEST_F(ProbeServiceTest, APeerThatIsAwayIsNamedAndTheQuorumIsHeldWithoutIt) {
  node_.peer(2).cut();
  node_.run_until([this] { return !node_.links().is_up(2); });
  const auto report = probe();
  EXPECT_TRUE(report.value().held);
  EXPECT_THAT(states(report.value()),
              ElementsAre(State::kDurable, State::kDurable, State::kFailed));
  EXPECT_THAT(report.value().nodes.back().why, HasSubstr("not connected"));
}

TEST_F(ProbeServiceTest, APeerThatIsLostOnTheWayIsNamed) {
  std::optional<Result<ProbeReport>> outcome;
  probes_.probe(std::chrono::seconds(30), [&](const auto& report) {
    outcome = report;
    node_.loop().stop();
  });
  node_.peer(2).cut();
  node_.run_until([&] { return outcome.has_value(); });
  EXPECT_TRUE(outcome->value().held);
  EXPECT_THAT(outcome->value().nodes.back().why, HasSubstr("connection lost"));
}

TEST_F(ProbeServiceTest, NoPeerNoQuorum) {
  for (const NodeId peer : {1, 2}) {
    break_archive(peer);
  }
  const auto report = probe();
  EXPECT_FALSE(report.value().held);
  EXPECT_THAT(states(report.value()), ElementsAre(State::kDurable, State::kFailed, State::kFailed));
  EXPECT_THAT(report.value().nodes.back().why, HasSubstr("write a probe"));
}

TEST_F(ProbeServiceTest, NotWithoutTheLocalCopy) {
  break_archive(0);
  const auto report = probe();
  EXPECT_FALSE(report.value().held);
  EXPECT_THAT(states(report.value()),
              ElementsAre(State::kFailed, State::kDurable, State::kDurable));
}

TEST_F(ProbeServiceTest, H42APeerThatDoesNotCountDoesNotCompleteTheQuorum) {
  for (const NodeId peer : {1, 2}) {
    shipper_.step(PeerLost{peer, "gone"}, node_.loop().now());
    greet(peer, false);
  }
  const auto report = probe();
  EXPECT_FALSE(report.value().held);
  EXPECT_THAT(states(report.value()),
              ElementsAre(State::kDurable, State::kNotCounted, State::kNotCounted));
}

TEST_F(ProbeServiceTest, WaitsNoLongerThanItIsAskedTo) {
  const auto report = probe(Duration(0));
  ASSERT_TRUE(report.ok());
  EXPECT_FALSE(report.value().held);
  EXPECT_THAT(report.value().nodes.back().why, HasSubstr("no answer within"));
  // Late answers of the first are not those of the others. The disk may still be busy with it.
  bool held = false;
  for (int i = 0; i < 1000 && !held; ++i) {
    held = probe().value().held;
  }
  EXPECT_TRUE(held);
}

TEST_F(ProbeServiceTest, OneTakesNothingFromAnother) {
  std::vector<std::vector<State>> outcomes;
  for (int i = 0; i < 3; ++i) {
    probes_.probe(std::chrono::seconds(30), [&](const Result<ProbeReport>& report) {
      outcomes.push_back(states(report.value()));
      node_.loop().stop();
    });
  }
  node_.run_until([&] { return outcomes.size() == 3; });
  const std::vector<State> durable(3, State::kDurable);
  EXPECT_THAT(outcomes, ElementsAre(durable, durable, durable));
}

// Many monitors at once: each probe costs every node some fsyncs.
TEST_F(ProbeServiceTest, ManyAtATimeShareAProbe) {
  int held = 0;
  int late = 0;
  for (int i = 0; i < 12; ++i) {
    probes_.probe(std::chrono::seconds(30), [&](const Result<ProbeReport>& report) {
      held += report.ok() && report.value().held ? 1 : 0;
      node_.loop().stop();
    });
  }
  probes_.probe(Duration(0), [&](const Result<ProbeReport>& report) {
    late += report.ok() && !report.value().held ? 1 : 0;
    node_.loop().stop();
  });
  node_.run_until([&] { return held == 12 && late == 1; });
}

// Its receiver ends when its node's configuration changes, and the link is made anew.
TEST_F(ProbeServiceTest, APeerWhoseLinkIsMadeAnewIsAskedAgain) {
  std::optional<Result<ProbeReport>> outcome;
  break_archive(1);  // the quorum is pgdb3's
  node_.peer(2).cut();
  node_.run_until([this] { return !node_.links().is_up(2); });
  shipper_.step(PeerLost{2, "its configuration has changed"}, node_.loop().now());
  probes_.probe(std::chrono::seconds(30), [&](const auto& report) {
    outcome = report;
    node_.loop().stop();
  });
  greet(2, true);
  node_.peer(2).connect();
  node_.run_until([&] { return outcome.has_value(); });
  EXPECT_TRUE(outcome->value().held);
  EXPECT_THAT(states(outcome->value()),
              ElementsAre(State::kDurable, State::kFailed, State::kDurable));
}

}  // namespace
}  // namespace pgwalship
