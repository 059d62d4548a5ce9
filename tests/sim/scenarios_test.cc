// The cluster under every kind of trouble, alone and mixed; each run ends with the checker content.
#include "tests/sim/world.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace pgwalship::sim {
namespace {

// Runs the scenario with seeds from 1; the sum of what happened, so that a scenario in which
// nothing happens fails.
World::Numbers run_seeds(Scenario scenario, std::uint64_t count) {
  World::Numbers sum;
  for (std::uint64_t seed = 1; seed <= count; ++seed) {
    scenario.seed = seed;
    World world(scenario, nullptr);
    const auto violation = world.run();
    EXPECT_FALSE(violation) << to_text(scenario) << "\n" << violation.value_or("");
    if (violation) {
      break;
    }
    sum.events += world.numbers().events;
    sum.acknowledged += world.numbers().acknowledged;
    sum.found += world.numbers().found;
    sum.absent += world.numbers().absent;
    sum.crashes += world.numbers().crashes;
  }
  return sum;
}

Scenario three_nodes() {
  Scenario scenario;
  scenario.pushes_at_once = 2;
  return scenario;
}

class RandomSeeds : public testing::TestWithParam<std::uint64_t> {};

TEST_P(RandomSeeds, KeepEveryPromise) {
  constexpr std::uint64_t kSeedsEach = 25;
  World::Numbers sum;
  for (std::uint64_t i = 0; i < kSeedsEach; ++i) {
    const Scenario scenario = random_scenario(GetParam() * kSeedsEach + i + 1);
    World world(scenario, nullptr);
    const auto violation = world.run();
    ASSERT_FALSE(violation) << to_text(scenario) << "\n"
                            << violation.value_or("") << "\nreplay: sim --seed " << scenario.seed
                            << " --verbose";
    sum.acknowledged += world.numbers().acknowledged;
  }
  EXPECT_GT(sum.acknowledged, 50U);
}
INSTANTIATE_TEST_SUITE_P(Sim, RandomSeeds, testing::Range(std::uint64_t{0}, std::uint64_t{8}));

TEST(Simulation, IsTheSameForTheSameSeed) {
  const auto trace = [] {
    std::string lines;
    World world(random_scenario(7), [&](const std::string& line) { lines += line + "\n"; });
    EXPECT_FALSE(world.run());
    return lines;
  };
  const std::string first = trace();
  EXPECT_FALSE(first.empty());
  EXPECT_EQ(first, trace());
}

TEST(Simulation, WithoutTroubleEveryPushIsAcknowledgedAtOnce) {
  const auto sum = run_seeds(three_nodes(), 3);
  EXPECT_EQ(sum.acknowledged, 3U * 12U);
}

TEST(Scenarios, H14PartitionsInOneDirectionAndInBoth) {
  Scenario scenario = three_nodes();
  scenario.troubles.partition = seconds(4);
  scenario.troubles.session_breaks = seconds(6);
  scenario.pushers = 3;
  EXPECT_GT(run_seeds(scenario, 10).acknowledged, 300U);
}

TEST(Scenarios, H1CrashesOfEverythingAtAnyStep) {
  Scenario scenario = three_nodes();
  scenario.troubles.everything_crashes = seconds(10);
  scenario.troubles.machine_crash = seconds(4);
  EXPECT_GT(run_seeds(scenario, 15).crashes, 200U);
}

TEST(Scenarios, H3KilledDaemonsAndReceivers) {
  Scenario scenario = three_nodes();
  scenario.troubles.daemon_killed = seconds(2);
  scenario.troubles.receiver_killed = seconds(2);
  scenario.between_pushes = milliseconds(500);
  run_seeds(scenario, 10);
}

TEST(Scenarios, H50SegmentsAreSafeBeforeTheyArePushed) {
  Scenario scenario = three_nodes();
  scenario.look_ahead = 4;
  scenario.files_per_pusher = 30;
  scenario.troubles.daemon_killed = seconds(8);
  scenario.troubles.session_breaks = seconds(5);
  scenario.troubles.machine_crash = seconds(10);
  scenario.troubles.disk_replaced = seconds(15);
  EXPECT_GT(run_seeds(scenario, 8).acknowledged, 200U);
}

TEST(Scenarios, H7TwoPrimariesPushTheSameNames) {
  Scenario scenario = three_nodes();
  scenario.pushers = 2;
  scenario.shared_names = 8;
  scenario.shared_content = Scenario::SharedContent::kDifferent;
  scenario.between_pushes = milliseconds(100);
  scenario.troubles.session_breaks = seconds(5);
  scenario.troubles.machine_crash = seconds(10);
  run_seeds(scenario, 15);
}

TEST(Scenarios, H21EveryNodePushesTheSameFiles) {
  Scenario scenario = three_nodes();
  scenario.pushers = 3;
  scenario.shared_names = 12;
  scenario.between_pushes = milliseconds(200);
  scenario.troubles.daemon_killed = seconds(8);
  EXPECT_EQ(run_seeds(scenario, 10).acknowledged, 10U * 12U);
}

TEST(Scenarios, H42AReplacedNodeStartsEmpty) {
  Scenario scenario = three_nodes();
  scenario.troubles.disk_replaced = seconds(12);
  scenario.troubles.partition = seconds(15);
  scenario.pushers = 2;
  run_seeds(scenario, 15);
}

TEST(Scenarios, G7WhoeverCanConnectMakesBothEndsEqual) {
  Scenario scenario = three_nodes();
  // A new cluster begins to count when one node was connected to all: the third.
  scenario.unreachable = {{0, 1}, {1, 2}};
  scenario.pushers = 3;
  scenario.troubles.session_breaks = seconds(5);
  scenario.troubles.machine_crash = seconds(12);
  EXPECT_GT(run_seeds(scenario, 8).acknowledged, 250U);
}

TEST(Scenarios, G7ANodeThatNobodyCanConnectToPullsWhatItLacks) {
  Scenario scenario = three_nodes();
  scenario.unreachable = {{0, 2}, {1, 2}};
  scenario.pushers = 2;
  scenario.troubles.daemon_killed = seconds(6);
  scenario.troubles.disk_replaced = seconds(20);
  scenario.troubles.bit_rot = seconds(8);
  EXPECT_GT(run_seeds(scenario, 8).acknowledged, 150U);
}

TEST(Scenarios, FloorsRiseOnEachNodeByItself) {
  Scenario scenario = three_nodes();
  scenario.files_per_pusher = 24;
  scenario.troubles.retention = seconds(4);
  scenario.troubles.machine_crash = seconds(10);
  scenario.troubles.disk_replaced = seconds(20);
  scenario.between_fetches = milliseconds(500);
  EXPECT_GT(run_seeds(scenario, 10).acknowledged, 200U);
}

TEST(Scenarios, H38DaemonsLetGoWhatIsOnTheQuorumWhileBytesRot) {
  Scenario scenario = three_nodes();
  scenario.files_per_pusher = 24;
  scenario.troubles.expiry = seconds(3);
  scenario.troubles.bit_rot = seconds(4);
  scenario.troubles.machine_crash = seconds(15);
  scenario.troubles.partition = seconds(15);
  scenario.troubles.disk_replaced = seconds(25);
  scenario.between_fetches = milliseconds(500);
  EXPECT_GT(run_seeds(scenario, 10).acknowledged, 200U);
}

TEST(Scenarios, H16DisksThatFillAndFail) {
  Scenario scenario = three_nodes();
  scenario.troubles.disk_full = seconds(8);
  scenario.troubles.disk_errors = seconds(8);
  scenario.troubles.machine_crash = seconds(20);
  run_seeds(scenario, 15);
}

TEST(Scenarios, H28BytesRotOnDisks) {
  Scenario scenario = three_nodes();
  scenario.troubles.bit_rot = seconds(2);
  scenario.troubles.daemon_killed = seconds(10);
  scenario.troubles.machine_crash = seconds(20);
  scenario.between_fetches = milliseconds(500);
  run_seeds(scenario, 10);
}

// The third node cannot ask anybody for a good copy: the others have to notice that it needs one.
// With ALL its own word is enough to prove an absence.
TEST(Scenarios, H28BytesRotOnANodeThatCanConnectToNobody) {
  Scenario scenario = three_nodes();
  scenario.quorum = "ALL (*)";
  scenario.unreachable = {{2, 0}, {2, 1}};
  scenario.troubles.bit_rot = seconds(3);
  scenario.troubles.daemon_killed = seconds(10);
  run_seeds(scenario, 10);
}

TEST(Scenarios, H30ARecoveryIsFetchedAheadForWhileEverythingDies) {
  Scenario scenario = three_nodes();
  scenario.files = Scenario::Files::kSegments;
  scenario.prefetch = 4;
  scenario.between_restores = milliseconds(300);
  scenario.between_pushes = milliseconds(500);
  scenario.troubles.disk_replaced = seconds(10);
  scenario.troubles.daemon_killed = seconds(4);
  scenario.troubles.bit_rot = seconds(8);
  run_seeds(scenario, 5);
}

TEST(Scenarios, G8SlowDisksAndCloggedLinks) {
  Scenario scenario = three_nodes();
  scenario.quorum = "ANY 2 (*)";
  scenario.push_timeout = seconds(5);
  scenario.troubles.disk_slow = seconds(5);
  scenario.troubles.clog = seconds(5);
  run_seeds(scenario, 10);
}

TEST(Scenarios, SitesAndTheirQuorums) {
  for (const char* quorum : {"ALL (site:local)", "ANY 1 (site:local) AND ANY 2 (*)",
                             "ANY 1 (site:a) AND ANY 1 (site:b)"}) {
    Scenario scenario = three_nodes();
    scenario.nodes = 4;
    scenario.sites = {"a", "a", "b", "b"};
    scenario.quorum = quorum;
    scenario.pushers = 4;
    scenario.files_per_pusher = 5;
    scenario.troubles.partition = seconds(6);
    scenario.troubles.machine_crash = seconds(8);
    EXPECT_GT(run_seeds(scenario, 4).acknowledged, 60U) << quorum;
  }
}

TEST(Scenarios, OneNodeAlone) {
  Scenario scenario;
  scenario.nodes = 1;
  scenario.quorum = "NONE";
  scenario.troubles.machine_crash = seconds(5);
  scenario.troubles.daemon_killed = seconds(5);
  EXPECT_EQ(run_seeds(scenario, 5).acknowledged, 5U * 12U);
}

}  // namespace
}  // namespace pgwalship::sim
