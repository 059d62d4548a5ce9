#include "archiver/push_totals.h"

namespace pgwalship {

void PushTotals::count(const AnsweredPush& push, const Result<std::string>& verdict,
                       TimePoint now) {
  if (verdict.ok()) {
    ++acknowledged;
    raw_bytes += push.raw_bytes;
    latency.add(now - push.began);
    failing_since.reset();
    last_name = push.name.text();
    last_lsn = push.lsn != 0 ? push.lsn : last_lsn;
    last_at = now;
  } else {
    ++failed;
    failing_since = failing_since.value_or(now);
    failed_name_ = push.name;
    last_error = push.name.text() + ": " + verdict.error().message;
    last_error_at = now;
  }
}

void PushTotals::note_shipped(const WalName& name) {
  if (failed_name_ == name) {
    failing_since.reset();
  }
}

}  // namespace pgwalship
