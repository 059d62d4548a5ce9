// The proof that the checker bites: each deliberate mistake is found within a bounded number of
// runs, and as the broken promise that it is.
#include "tests/sim/world.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace pgwalship::sim {
namespace {

struct Case {
  Mutation mutation;
  // How the finding may begin: the guarantee.
  std::vector<std::string> expected;
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << to_word(c.mutation);
}

Scenario scenario_for(Mutation mutation, std::uint64_t seed) {
  Scenario scenario;
  scenario.seed = seed;
  scenario.mutation = mutation;
  scenario.pushes_at_once = 2;
  scenario.between_pushes = milliseconds(500);
  scenario.trouble_time = seconds(40);
  scenario.troubles.session_breaks = seconds(4);
  scenario.troubles.machine_crash = seconds(6);
  switch (mutation) {
    case Mutation::kLinkOverwrites:
      scenario.pushers = 2;
      scenario.shared_names = 8;
      scenario.shared_content = Scenario::SharedContent::kDifferent;
      break;
    case Mutation::kNewNodesCount:
    case Mutation::kNewNodesAreEvidence:
      scenario.quorum = "ALL (*)";
      scenario.troubles = {.partition = seconds(3), .disk_replaced = seconds(8)};
      scenario.between_fetches = milliseconds(300);
      break;
    case Mutation::kSilenceIsEvidence:
    case Mutation::kLocalOnlyFetch:
      scenario.troubles.partition = seconds(4);
      scenario.between_fetches = milliseconds(300);
      break;
    case Mutation::kQuorumOffByOne:
      scenario.quorum = "ANY 2 (*)";
      scenario.troubles.partition = seconds(4);
      break;
    case Mutation::kNoBackFill:
      scenario.streams = Scenario::Streams::kToOthers;
      scenario.troubles = {.daemon_killed = seconds(20)};
      break;
    case Mutation::kPullsUnverified:
      // Nobody can connect to the third node: it lives by what it pulls. The others are enough to
      // repair what rots on one of them.
      scenario.nodes = 4;
      scenario.unreachable = {{0, 2}, {1, 2}, {3, 2}};
      scenario.troubles = {.partition = seconds(5), .bit_rot = seconds(7)};
      break;
    case Mutation::kBadCopiesStay:
      scenario.quorum = "ALL (*)";
      scenario.unreachable = {{2, 0}, {2, 1}};
      scenario.troubles = {.bit_rot = seconds(3)};
      break;
    case Mutation::kExpiredIsEvidence:
      scenario.files_per_pusher = 30;
      scenario.troubles = {.machine_crash = seconds(4), .retention = seconds(3)};
      scenario.between_fetches = milliseconds(200);
      break;
    case Mutation::kVanishedIsEvidence:
      scenario.troubles = {.machine_crash = seconds(4), .other_hands = seconds(1)};
      scenario.between_fetches = milliseconds(100);
      break;
    case Mutation::kHeadersAreCopies:
      scenario.quorum = "ALL (*)";
      scenario.files_per_pusher = 30;
      scenario.scrub_pass = seconds(200);
      scenario.troubles = {.bit_rot = seconds(2), .expiry = seconds(3)};
      break;
    case Mutation::kReadIsShipped:
      scenario.look_ahead = 4;
      break;
    case Mutation::kConflictsSpread:
      scenario.pushers = 2;
      scenario.quorum = "NONE";
      scenario.shared_names = 8;
      scenario.shared_content = Scenario::SharedContent::kDifferent;
      scenario.troubles.partition = seconds(4);
      break;
    case Mutation::kLocalStoredEarly:
    case Mutation::kFileAnsweredEarly:
    case Mutation::kSyncDoesNothing:
    case Mutation::kDirectorySyncDoesNothing:
    case Mutation::kNoCatchUp:
    case Mutation::kRepliesGetLost:
    case Mutation::kNone:
      break;
  }
  return scenario;
}

class DeliberateMistake : public testing::TestWithParam<Case> {};

TEST_P(DeliberateMistake, IsFound) {
  constexpr std::uint64_t kSeedsMax = 40;
  for (std::uint64_t seed = 1; seed <= kSeedsMax; ++seed) {
    World world(scenario_for(GetParam().mutation, seed), nullptr);
    const auto violation = world.run();
    if (!violation) {
      continue;
    }
    bool as_expected = false;
    for (const std::string& start : GetParam().expected) {
      as_expected = as_expected || violation->starts_with(start);
    }
    EXPECT_TRUE(as_expected) << "seed " << seed << ": " << *violation;
    return;
  }
  FAIL() << "not found in " << kSeedsMax << " runs";
}

// The same scenarios without the mistake are all well: it is the mistake that was found.
TEST_P(DeliberateMistake, IsAllThatWasFound) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    Scenario scenario = scenario_for(GetParam().mutation, seed);
    scenario.mutation = Mutation::kNone;
    World world(scenario, nullptr);
    const auto violation = world.run();
    EXPECT_FALSE(violation) << to_text(scenario) << "\n" << violation.value_or("");
  }
}

INSTANTIATE_TEST_SUITE_P(
    Sim, DeliberateMistake,
    testing::Values(
        Case{Mutation::kSyncDoesNothing, {"G1", "G3"}},
        Case{Mutation::kDirectorySyncDoesNothing, {"G1"}},
        Case{Mutation::kLinkOverwrites, {"G2", "G1"}}, Case{Mutation::kLocalStoredEarly, {"G1"}},
        Case{Mutation::kFileAnsweredEarly, {"G1"}}, Case{Mutation::kQuorumOffByOne, {"G1"}},
        Case{Mutation::kSilenceIsEvidence, {"G5"}}, Case{Mutation::kNewNodesAreEvidence, {"G5"}},
        Case{Mutation::kLocalOnlyFetch, {"G5"}}, Case{Mutation::kNoCatchUp, {"L1"}},
        Case{Mutation::kNoBackFill, {"H41"}}, Case{Mutation::kRepliesGetLost, {"G8"}},
        Case{Mutation::kPullsUnverified, {"G3", "L1"}},
        Case{Mutation::kConflictsSpread, {"G2", "G1"}}, Case{Mutation::kBadCopiesStay, {"L1"}},
        Case{Mutation::kExpiredIsEvidence, {"G5"}}, Case{Mutation::kVanishedIsEvidence, {"G5"}},
        Case{Mutation::kHeadersAreCopies, {"H38"}}, Case{Mutation::kReadIsShipped, {"G1"}}),
    [](const auto& test_case) {
      std::string word(to_word(test_case.param.mutation));
      std::erase(word, '-');
      return word;
    });

}  // namespace
}  // namespace pgwalship::sim
