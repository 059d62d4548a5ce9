// What a client asks the daemon to do and to report on: the last messages of docs/protocol.md.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace pgwalship {

// More nodes are not in a report.
inline constexpr std::size_t kReportNodesMax = 64;

struct ReconcileQuery {
  std::uint64_t id = 0;
  std::string peer;  // empty: every one
};
struct ReconcileReport {
  enum class State : std::uint8_t { kGoesOn = 0, kEqual = 1, kFailed = 2, kUnreachable = 3 };
  struct Node {
    std::string name;
    State state = State::kGoesOn;
    std::uint64_t received = 0;
    std::uint64_t to_receive = 0;  // from any peer
    std::uint64_t sent = 0;
    std::uint64_t to_send = 0;
    std::uint64_t conflicts = 0;
    std::string why = {};
    friend bool operator==(const Node&, const Node&) = default;
  };
  std::uint64_t id = 0;
  bool last = false;
  std::vector<Node> nodes;
};

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
