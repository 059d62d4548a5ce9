#include "cmd/expire_call.h"

#include "cmd/daemon_call.h"
#include "cmd/emergency_exit.h"
#include "cmd/exit_status.h"

#include <algorithm>

namespace pgwalship {
namespace {

constexpr std::uint64_t kQueryId = 1;

}  // namespace

int fail_expire(std::string_view who, const Error& error) {
  print_reason(std::string(who), error);
  return to_status(error.code == Errc::kInvalid ? ExpireExit::kUsage : ExpireExit::kFailed);
}

int expire_failure_status() {
  return to_status(ExpireExit::kFailed);
}

Result<ExpireReport> ask_to_expire(const Config& config, const ExpireCall& call,
                                   const std::function<void(const ExpireReport&)>& on_line) {
  const SystemClock clock;
  const TimePoint start = clock.now();
  const TimePoint end = start + call.limit;
  const auto next_deadline = [&] { return std::min(end, clock.now() + call.patience); };
  TRY_ASSIGN(const auto daemon, connect_daemon(config, clock, next_deadline(), IfDown::kFail));
  TRY(daemon->send(ExpireQuery{kQueryId, call.mode, call.needs}, next_deadline()));
  for (;;) {
    TRY_ASSIGN(const Message message, daemon->receive(next_deadline()));
    const auto* report = std::get_if<ExpireReport>(&message);
    if (report == nullptr || report->id != kQueryId) {
      continue;
    }
    if (report->outcome != ExpireOutcome::kRunning) {
      return *report;
    }
    on_line(*report);
  }
}

}  // namespace pgwalship
