#include "cmd/check_limits.h"

#include "cmd/units.h"

#include <array>
#include <charconv>

namespace pgwalship {
namespace {

using Count = CheckLimits::Count;
using Time = CheckLimits::Time;

enum class Unit { kNumber, kBytes };
enum class Worse { kAbove, kBelow };

struct CountOption {
  std::string_view name;
  Count CheckLimits::*member;
  Unit unit;
  Worse worse;
  std::string_view what;
};
struct TimeOption {
  std::string_view name;
  Time CheckLimits::*member;
  std::string_view what;
};

constexpr std::array kCounts{CountOption{"backlog", &CheckLimits::backlog, Unit::kNumber,
                                         Worse::kAbove, "finished segments that are not archived"},
                             CountOption{"free", &CheckLimits::free, Unit::kBytes, Worse::kBelow,
                                         "free space for the archive"}};
constexpr std::array kTimes{
    TimeOption{"age", &CheckLimits::age, "the oldest of these waits, or pushes fail, so long"},
    TimeOption{"peer", &CheckLimits::peer, "a peer is away or behind for so long"},
    TimeOption{"quorum", &CheckLimits::quorum, "the quorum is not held for so long"},
    TimeOption{"clock", &CheckLimits::clock, "a peer's clock is off by so much"}};

Result<std::uint64_t> parse_count(std::string_view text, Unit unit) {
  if (unit == Unit::kBytes) {
    return parse_size(text);
  }
  std::uint64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [stop, code] = std::from_chars(text.data(), end, number);
  if (code != std::errc() || stop != end) {
    return Error{Errc::kInvalid, "'" + std::string(text) + "' is not a whole number", ""};
  }
  return number;
}

std::string count_text(std::uint64_t count, Unit unit) {
  return unit == Unit::kBytes ? size_text(count) : std::to_string(count);
}

Error wrong_order(std::string_view name) {
  return Error{Errc::kInvalid,
               "--warning-" + std::string(name) + " is worse than --critical-" + std::string(name),
               "a warning comes before"};
}

std::string help_line(std::string_view name, const std::string& warning,
                      const std::string& critical, std::string_view what) {
  std::string line = "  --warning-" + std::string(name) + ", --critical-" + std::string(name);
  line.resize(std::max<std::size_t>(line.size() + 1, 38), ' ');
  return line + std::string(what) + " (" + warning + ", " + critical + ")\n";
}

}  // namespace

std::vector<std::string> check_limit_options() {
  std::vector<std::string> names;
  const auto add = [&](std::string_view name) {
    names.push_back("warning-" + std::string(name));
    names.push_back("critical-" + std::string(name));
  };
  for (const CountOption& option : kCounts) {
    add(option.name);
  }
  for (const TimeOption& option : kTimes) {
    add(option.name);
  }
  return names;
}

std::string check_limits_help() {
  const CheckLimits limits;
  std::string text;
  for (const CountOption& option : kCounts) {
    const Count& count = limits.*option.member;
    text += help_line(option.name, count_text(count.warning, option.unit),
                      count_text(count.critical, option.unit), option.what);
  }
  for (const TimeOption& option : kTimes) {
    const Time& time = limits.*option.member;
    text += help_line(option.name, duration_text(time.warning), duration_text(time.critical),
                      option.what);
  }
  return text;
}

Result<CheckLimits> parse_check_limits(
    const std::map<std::string, std::string, std::less<>>& values) {
  CheckLimits limits;
  const auto given = [&](std::string_view prefix, std::string_view name) -> const std::string* {
    const auto found = values.find(std::string(prefix) + std::string(name));
    return found == values.end() ? nullptr : &found->second;
  };
  for (const CountOption& option : kCounts) {
    Count& count = limits.*option.member;
    for (auto [prefix, into] :
         {std::pair{"warning-", &count.warning}, std::pair{"critical-", &count.critical}}) {
      if (const std::string* text = given(prefix, option.name)) {
        const auto parsed = parse_count(*text, option.unit);
        if (!parsed.ok()) {
          return parsed.error().within("--" + std::string(prefix) + std::string(option.name));
        }
        *into = parsed.value();
      }
    }
    if (option.worse == Worse::kAbove ? count.warning > count.critical
                                      : count.warning < count.critical) {
      return wrong_order(option.name);
    }
  }
  for (const TimeOption& option : kTimes) {
    Time& time = limits.*option.member;
    for (auto [prefix, into] :
         {std::pair{"warning-", &time.warning}, std::pair{"critical-", &time.critical}}) {
      if (const std::string* text = given(prefix, option.name)) {
        const auto parsed = parse_duration(*text);
        if (!parsed.ok()) {
          return parsed.error().within("--" + std::string(prefix) + std::string(option.name));
        }
        *into = parsed.value();
      }
    }
    if (time.warning > time.critical) {
      return wrong_order(option.name);
    }
  }
  return limits;
}

}  // namespace pgwalship
