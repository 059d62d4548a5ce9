// What a client asks the daemon to do and to report on: the last messages of docs/protocol.md.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace pgwalship {

// More nodes are not in a report.
inline constexpr std::size_t kReportNodesMax = 64;

struct ProbeQuery {
  std::uint64_t id = 0;
  std::uint32_t wait_ms = 0;
};
struct ProbeReport {
  enum class State : std::uint8_t {
    kDurable = 0,
    kNotCounted = 1,  // durable, on a node that does not count towards the quorum yet
    kFailed = 2,
  };
  struct Node {
    std::string name;
    State state = State::kFailed;
    std::uint64_t elapsed_us = 0;
    std::string why;
  };
  std::uint64_t id = 0;
  bool held = false;
  std::uint64_t elapsed_us = 0;
  std::vector<Node> nodes;  // the daemon's own first
};

}  // namespace pgwalship
