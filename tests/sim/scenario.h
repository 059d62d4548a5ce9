// What one run is made of: the cluster, what its servers push, what goes wrong how often. All of it
// comes from the seed, except in the named scenarios, which fix some of it.
#pragma once

#include "base/clock.h"
#include "tests/sim/mutation.h"
#include "tests/sim/schedule.h"

#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace pgwalship::sim {

// How often something happens to the cluster, on average; zero: never.
struct Troubles {
  Duration machine_crash{};
  Duration everything_crashes{};
  Duration daemon_killed{};
  Duration receiver_killed{};
  Duration session_breaks{};
  Duration partition{};  // one direction, or both, or a node from all others
  Duration clog{};
  Duration disk_errors{};
  Duration disk_full{};
  Duration disk_slow{};
  Duration disk_replaced{};
  Duration bit_rot{};      // a stored file changes
  Duration retention{};    // a node's floor rises, and what it holds below goes
  Duration other_hands{};  // somebody removes a file from an archive
  Duration expiry{};       // a daemon lets go what it finds on the quorum
};

struct Scenario {
  std::uint64_t seed = 0;
  std::size_t nodes = 3;
  std::vector<std::string> sites;  // of each node; empty: none
  std::string quorum = "ANY 1 (*)";
  // The first can never connect to the second.
  std::set<std::pair<std::size_t, std::size_t>> unreachable;
  // Nodes that push, from the first; all push the same names when `shared_names` is not 0.
  std::size_t pushers = 1;
  std::uint32_t files_per_pusher = 12;
  // Of each pusher's files so many carry names that all pushers push.
  std::uint32_t shared_names = 0;
  // What they push under these names: the same (archive_mode = always), or each its own.
  enum class SharedContent { kSame, kDifferent } shared_content = SharedContent::kSame;
  // kSegments: all push the same consecutive segments, and the last node recovers from them.
  enum class Files { kMixed, kSegments } files = Files::kMixed;
  std::size_t prefetch = 0;
  Duration between_restores{};  // of that recovery, on average; zero: there is none
  Duration scrub_pass = seconds(20);
  std::size_t pushes_at_once = 1;
  std::size_t look_ahead = 0;  // segments on their way; 0: none is shipped before it is pushed
  // What is pushed is streamed to the other nodes, too, and every third file is not even pushed:
  // its server died before.
  enum class Streams { kNone, kToOthers } streams = Streams::kNone;
  Duration push_timeout = seconds(15);
  Duration between_pushes = seconds(2);   // on average
  Duration between_fetches = seconds(2);  // on average
  Duration trouble_time = seconds(60);
  Duration healing_time = seconds(200);  // until then everything must be well again
  Troubles troubles;
  // When a disk may be replaced by an empty one.
  enum class Replace { kWhenOthersHoldAll, kWhenACopyIsLeft } replace = Replace::kWhenOthersHoldAll;
  Mutation mutation = Mutation::kNone;
};

Scenario random_scenario(std::uint64_t seed);
std::string to_text(const Scenario& scenario);

}  // namespace pgwalship::sim
