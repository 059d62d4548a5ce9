// How `expire` and `cleanup` ask the daemon.
#pragma once

#include "cmd/config.h"
#include "transport/messages.h"

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

namespace pgwalship {

// Sends the query and hands every line of the report to `on_line`; the last report. kTimeout when
// the daemon says nothing for `patience`, or has not come to an end within `limit`: it goes on by
// itself. kRetry when it does not run.
struct ExpireCall {
  ExpireMode mode = ExpireMode::kDryRun;
  SegmentPosition needs = 0;  // of this node's server; 0: nothing is said
  std::chrono::milliseconds patience{};
  std::chrono::milliseconds limit{};
};
Result<ExpireReport> ask_to_expire(const Config& config, const ExpireCall& call,
                                   const std::function<void(const ExpireReport&)>& on_line);

// Says why `who` failed; its exit status.
int fail_expire(std::string_view who, const Error& error);
int expire_failure_status();  // Verb::failure_status

}  // namespace pgwalship
