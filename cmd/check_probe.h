// `pgwalship check --push`: asks the daemon to send a probe, and what to think of what came of it.
#pragma once

#include "base/clock.h"
#include "cmd/check_rules.h"
#include "cmd/config.h"
#include "transport/report_messages.h"

#include <chrono>

namespace pgwalship {

// The report comes after the shorter of push-timeout and what is left until `deadline`.
Result<ProbeReport> ask_for_probe(const Config& config, const Clock& clock, TimePoint deadline);

// Adds findings and performance data; the worst stays first. `limit`: how long a push may take.
void add_probe(CheckResult& result, const Result<ProbeReport>& report,
               std::chrono::milliseconds limit);

}  // namespace pgwalship
