#include "cmd/expire_call.h"

#include "cmd/daemon_call.h"

#include <algorithm>

namespace pgwalship {

Result<ExpireReport> ask_to_expire(const Config& config, const ExpireCall& call,
                                   const std::function<void(const ExpireReport&)>& on_line) {
  const SystemClock clock;
  const TimePoint start = clock.now();
  const TimePoint end = start + call.limit;
  const auto next_deadline = [&] { return std::min(end, clock.now() + call.patience); };
  TRY_ASSIGN(const auto daemon, connect_daemon(config, clock, next_deadline(), IfDown::kFail));
  TRY(daemon->send(call.query, next_deadline()));
  for (;;) {
    TRY_ASSIGN(const Message message, daemon->receive(next_deadline()));
    const auto* report = std::get_if<ExpireReport>(&message);
    if (report == nullptr || report->id != call.query.id) {
      continue;
    }
    if (report->outcome != ExpireOutcome::kRunning) {
      return *report;
    }
    on_line(*report);
  }
}

}  // namespace pgwalship
