// What `pgwalship check` thinks of a status report: findings, performance data, and the text that
// monitoring plugins print (monitoring-plugins.org, "Development Guidelines"). Pure.
#pragma once

#include "base/result.h"
#include "cmd/check_limits.h"

#include <string>
#include <string_view>
#include <vector>

namespace pgwalship {

// The exit status of a plugin.
enum class CheckLevel : int { kOk = 0, kWarning = 1, kCritical = 2, kUnknown = 3 };

struct CheckFinding {
  CheckLevel level = CheckLevel::kOk;
  std::string text;
  std::string hint;  // what to do; may be empty
};

// 'label'=value[unit];[warning];[critical];[minimum];[maximum]
struct PerformanceValue {
  std::string label;
  double value = 0;
  std::string unit;     // "s", "B", "c" or nothing
  std::string warning;  // a range as plugins write it: "5" above 5, "5:" below 5; or nothing
  std::string critical;
  std::string maximum = {};
};

struct CheckResult {
  CheckLevel level = CheckLevel::kOk;
  std::vector<CheckFinding> findings;  // the worst first
  std::string good;                    // what is said when nothing was found
  std::vector<PerformanceValue> performance;
};

// `report` is what the daemon answered (docs/json.md).
CheckResult check_report(std::string_view report, const CheckLimits& limits);
// Without a report: the daemon does not answer, or this command cannot do its work.
CheckResult check_failure(CheckLevel level, const Error& error);
// One line with the performance data, then one line for each finding.
std::string check_output(const CheckResult& result);

}  // namespace pgwalship
