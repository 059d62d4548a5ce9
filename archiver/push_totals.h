// What became of the pushes of clients since this daemon started, for the status report. Pure. Loop
// thread.
#pragma once

#include "base/clock.h"
#include "base/histogram.h"
#include "base/result.h"
#include "wal/segment_name.h"

#include <cstdint>
#include <optional>
#include <string>

namespace pgwalship {

// A client's push that was answered.
struct AnsweredPush {
  WalName name;
  std::uint64_t raw_bytes = 0;
  std::uint64_t lsn = 0;  // where the segment starts; 0: not known
  TimePoint began{};
};

struct PushTotals {
  std::uint64_t acknowledged = 0;
  std::uint64_t failed = 0;
  std::uint64_t raw_bytes = 0;  // of what was acknowledged, uncompressed
  LatencyHistogram latency;     // of what was acknowledged, from its first message on
  std::string last_name;        // acknowledged
  std::uint64_t last_lsn = 0;   // where the last acknowledged segment starts
  TimePoint last_at{};
  std::string last_error;
  TimePoint last_error_at{};
  // No push was acknowledged since this one failed, nor was its file shipped without a client.
  std::optional<TimePoint> failing_since;

  void count(const AnsweredPush& push, const Result<std::string>& verdict, TimePoint now);
  // A quorum holds the file, and no client asked: PostgreSQL will once more, within a minute.
  void note_shipped(const WalName& name);

 private:
  std::optional<WalName> failed_name_;  // of the last failure
};

}  // namespace pgwalship
