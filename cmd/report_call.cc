#include "cmd/report_call.h"

#include "cmd/daemon_call.h"

namespace pgwalship {
namespace {

constexpr std::uint64_t kQueryId = 1;
// 16 times what an archive of a hundred timelines and as many conflicts takes.
constexpr std::size_t kReportBytesMax = 16U << 20;

}  // namespace

Result<std::string> ask_for_report(const Config& config, const Clock& clock, TimePoint deadline,
                                   StatusFormat format) {
  TRY_ASSIGN(const auto daemon, connect_daemon(config, clock, deadline, IfDown::kFail));
  TRY(daemon->send(StatusQuery{kQueryId, format}, deadline));
  std::string json;
  while (json.size() < kReportBytesMax) {
    TRY_ASSIGN(const Message message, daemon->receive(deadline));
    const auto* report = std::get_if<StatusReport>(&message);
    if (report == nullptr || report->id != kQueryId) {
      continue;
    }
    json += as_text(report->json);
    if (!report->more) {
      return json;
    }
  }
  return Error{Errc::kProtocol, "the daemon's status report does not end", ""};
}

}  // namespace pgwalship
