#include "tests/sim/scenario.h"

#include "base/random.h"

#include <array>
#include <utility>

namespace pgwalship::sim {

namespace {

struct Cluster {
  std::size_t nodes;
  std::vector<std::string> sites;
  std::string quorum;
};

const std::vector<Cluster>& clusters() {
  static const std::vector<Cluster> all = {
      {3, {}, "ANY 1 (*)"},
      {3, {}, "ANY 1 (*)"},
      {3, {}, "ALL (*)"},
      {3, {}, "ANY 2 (*)"},
      {3, {}, "NONE"},
      {1, {}, "NONE"},
      {2, {}, "ANY 1 (*)"},
      {2, {}, "NONE"},
      {4, {"a", "a", "b", "b"}, "ALL (site:local)"},
      {4, {"a", "a", "b", "b"}, "ANY 1 (site:local) AND ANY 2 (*)"},
      {4, {"a", "a", "b", "b"}, "ANY 1 (site:a) AND ANY 1 (site:b)"},
      {5, {}, "ANY 2 (*)"},
      {5, {"a", "a", "a", "b", "b"}, "ANY 1 (site:local) AND ANY 1 (site:b, site:a)"},
  };
  return all;
}

}  // namespace

std::string_view to_word(Mutation mutation) {
  static constexpr std::array<std::string_view, 21> kWords = {
      "none",
      "sync-does-nothing",
      "directory-sync-does-nothing",
      "link-overwrites",
      "local-stored-early",
      "file-answered-early",
      "quorum-off-by-one",
      "new-nodes-count",
      "silence-is-evidence",
      "new-nodes-are-evidence",
      "local-only-fetch",
      "no-catch-up",
      "no-back-fill",
      "replies-get-lost",
      "pulls-unverified",
      "conflicts-spread",
      "bad-copies-stay",
      "expired-is-evidence",
      "headers-are-copies",
      "vanished-is-evidence",
      "read-is-shipped",
  };
  return kWords.at(static_cast<std::size_t>(mutation));
}

Scenario random_scenario(std::uint64_t seed) {
  Random random(seed * 0x9E3779B97F4A7C15U + 1);
  Scenario scenario;
  scenario.seed = seed;
  const Cluster& cluster = clusters()[random.below(clusters().size())];
  scenario.nodes = cluster.nodes;
  scenario.sites = cluster.sites;
  scenario.quorum = cluster.quorum;
  scenario.pushers = 1 + random.below(random.one_in(2) ? 1 : cluster.nodes);
  scenario.files_per_pusher = static_cast<std::uint32_t>(4 + random.below(16));
  if (random.one_in(2)) {
    scenario.shared_names = static_cast<std::uint32_t>(1 + random.below(4));
  }
  scenario.shared_content =
      random.one_in(2) ? Scenario::SharedContent::kSame : Scenario::SharedContent::kDifferent;
  scenario.pushes_at_once = 1 + random.below(4);
  scenario.push_timeout = seconds(3 + random.below(13));
  scenario.between_pushes = milliseconds(200 + random.below(4000));
  scenario.between_fetches = milliseconds(500 + random.below(5000));
  if (random.one_in(4)) {
    scenario.files = Scenario::Files::kSegments;
    scenario.prefetch = random.below(9);
    scenario.between_restores = milliseconds(100 + random.below(2000));
  }

  // Each kind of trouble in some of the runs only: together they would hide each other.
  Troubles& troubles = scenario.troubles;
  const auto sometimes = [&](Duration& mean, std::uint64_t one_in, int low, int high) {
    if (random.one_in(one_in)) {
      mean = seconds(static_cast<std::uint64_t>(low) +
                     random.below(static_cast<std::uint64_t>(high - low)));
    }
  };
  sometimes(troubles.machine_crash, 2, 3, 30);
  sometimes(troubles.everything_crashes, 4, 15, 60);
  sometimes(troubles.daemon_killed, 2, 2, 30);
  sometimes(troubles.receiver_killed, 3, 2, 20);
  sometimes(troubles.session_breaks, 2, 1, 15);
  sometimes(troubles.partition, 2, 3, 30);
  sometimes(troubles.clog, 3, 3, 20);
  sometimes(troubles.disk_errors, 3, 4, 30);
  sometimes(troubles.disk_full, 4, 5, 40);
  sometimes(troubles.disk_slow, 3, 5, 30);
  if (scenario.quorum != "NONE") {
    sometimes(troubles.bit_rot, 3, 2, 20);
    sometimes(troubles.disk_replaced, 4, 10, 40);
  }
  if (random.one_in(2)) {
    scenario.streams = Scenario::Streams::kToOthers;
  }
  sometimes(troubles.retention, 3, 5, 30);
  sometimes(troubles.expiry, 3, 3, 20);
  if (scenario.quorum != "NONE") {
    sometimes(troubles.other_hands, 3, 2, 20);
  }
  if (scenario.nodes >= 3 && scenario.quorum == "ANY 1 (*)" && random.one_in(3)) {
    const std::size_t from = random.below(scenario.nodes);
    scenario.unreachable.emplace(from,
                                 (from + 1 + random.below(scenario.nodes - 1)) % scenario.nodes);
  }
  if (random.one_in(2)) {
    scenario.look_ahead = 1 + random.below(8);
  }
  return scenario;
}

std::string to_text(const Scenario& scenario) {
  return "seed " + std::to_string(scenario.seed) + ": " + std::to_string(scenario.nodes) +
         " nodes, quorum " + scenario.quorum + ", " + std::to_string(scenario.pushers) +
         " pushers of " + std::to_string(scenario.files_per_pusher) + " files (" +
         std::to_string(scenario.shared_names) + " names shared, " +
         (scenario.shared_content == Scenario::SharedContent::kSame ? "same content"
                                                                    : "different contents") +
         (scenario.streams == Scenario::Streams::kNone ? "), " : "), streamed, ") + "look-ahead " +
         std::to_string(scenario.look_ahead) + ", " + std::to_string(scenario.unreachable.size()) +
         " links impossible, mutation " + std::string(to_word(scenario.mutation));
}

}  // namespace pgwalship::sim
