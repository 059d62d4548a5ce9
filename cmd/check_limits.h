// The limits of `pgwalship check`: each is an option with a default. One table serves the command
// line, the help and the rules.
#pragma once

#include "base/result.h"

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace pgwalship {

struct CheckLimits {
  struct Count {
    std::uint64_t warning;
    std::uint64_t critical;
  };
  struct Time {
    std::chrono::milliseconds warning;
    std::chrono::milliseconds critical;
  };
  // Finished segments that PostgreSQL has not archived yet. A busy server has a few at a time; 64
  // of 16 MB are a gigabyte of pg_wal.
  Count backlog{16, 64};
  // How long the oldest of them waits, and for how long pushes have failed.
  Time age{std::chrono::minutes(5), std::chrono::minutes(30)};
  // How long a peer may be away or behind while the others hold the quorum: a reboot is nothing.
  Time peer{std::chrono::minutes(5), std::chrono::hours(24)};
  // For how long there is no quorum. A restart of the daemon is forgiven.
  Time quorum{std::chrono::seconds(0), std::chrono::seconds(30)};
  // How far a peer's clock is off: recovery to a time, and days of [retention], go by clocks.
  Time clock{std::chrono::seconds(2), std::chrono::minutes(1)};
  // Free bytes for the archive; below [archive] minimum-free it is critical always.
  Count free{5ULL << 30, 1ULL << 30};
};

// Names of the options, without "--": "warning-backlog", "critical-backlog", ...
std::vector<std::string> check_limit_options();
// For --help, one line each.
std::string check_limits_help();
// kInvalid for a value that is not understood, or a warning beyond its critical limit.
Result<CheckLimits> parse_check_limits(
    const std::map<std::string, std::string, std::less<>>& values);

}  // namespace pgwalship
