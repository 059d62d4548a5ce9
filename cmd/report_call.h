// Asks the daemon for its status report.
#pragma once

#include "base/clock.h"
#include "cmd/config.h"
#include "transport/messages.h"

#include <string>

namespace pgwalship {

// kRetry when there is no daemon, kTimeout when it is not done at the deadline.
Result<std::string> ask_for_report(const Config& config, const Clock& clock, TimePoint deadline,
                                   StatusFormat format = StatusFormat::kJson);

}  // namespace pgwalship
