#include "wal/timeline_history.h"

#include "wal/lsn.h"
#include "wal/segment_name.h"

#include <algorithm>

namespace pgwalship {
namespace {

constexpr std::string_view kBlanks = " \t\r\v\f";
constexpr std::size_t kReasonCharactersMax = 200;
constexpr std::size_t kShownCharactersMax = 40;

// Takes the first word off, and the blanks on both sides of it.
std::string_view take_word(std::string_view& rest) {
  rest.remove_prefix(std::min(rest.find_first_not_of(kBlanks), rest.size()));
  const std::string_view word = rest.substr(0, rest.find_first_of(kBlanks));
  rest.remove_prefix(word.size());
  rest.remove_prefix(std::min(rest.find_first_not_of(kBlanks), rest.size()));
  return word;
}

std::string quoted(std::string_view text) {
  return "'" + one_line(text, kShownCharactersMax) + "'";
}

// What is wrong with the line comes back as text alone: the caller knows where it stands.
Result<TimelineFork> parse_fork(std::string_view line) {
  const std::string_view number = take_word(line);
  const std::string_view position = take_word(line);
  const auto parent = parse_timeline(number);
  if (!parent) {
    return Error{Errc::kCorrupt, quoted(number) + " is no timeline", ""};
  }
  const auto lsn = parse_lsn(position);
  if (!lsn) {
    return Error{Errc::kCorrupt, quoted(position) + " is no LSN", ""};
  }
  return TimelineFork{*parent, *lsn, one_line(line, kReasonCharactersMax)};
}

Result<void> check_order(const TimelineHistory& history, const TimelineFork& fork) {
  const std::string parent = std::to_string(fork.parent);
  if (fork.parent >= history.timeline) {
    return Error{Errc::kCorrupt,
                 "timeline " + parent + " cannot be an ancestor of timeline " +
                     std::to_string(history.timeline),
                 ""};
  }
  if (history.forks.empty()) {
    return {};
  }
  const TimelineFork& before = history.forks.back();
  if (fork.parent <= before.parent) {
    return Error{Errc::kCorrupt,
                 "timeline " + parent + " comes after timeline " + std::to_string(before.parent),
                 ""};
  }
  if (fork.lsn < before.lsn) {
    return Error{Errc::kCorrupt,
                 "its LSN " + lsn_text(fork.lsn) + " comes after " + lsn_text(before.lsn), ""};
  }
  return {};
}

}  // namespace

Result<TimelineHistory> parse_timeline_history(std::uint32_t timeline, std::string_view text) {
  const std::string what = "history of timeline " + std::to_string(timeline);
  if (timeline < 2) {
    return Error{Errc::kCorrupt, what + ": no timeline comes before 1", ""};
  }
  if (text.size() > kTimelineHistoryBytesMax) {
    return Error{Errc::kCorrupt, what + ": it has " + std::to_string(text.size()) + " bytes", ""};
  }
  TimelineHistory history;
  history.timeline = timeline;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    line = line.substr(0, line.find_last_not_of(kBlanks) + 1);
    line.remove_prefix(std::min(line.find_first_not_of(kBlanks), line.size()));
    if (line.empty() || line.front() == '#') {
      continue;
    }
    const std::string where = what + ", line " + std::to_string(number);
    Result<TimelineFork> fork = parse_fork(line);
    if (!fork.ok()) {
      return fork.error().within(where);
    }
    if (const Result<void> ordered = check_order(history, fork.value()); !ordered.ok()) {
      return ordered.error().within(where);
    }
    history.forks.push_back(std::move(fork).value());
  }
  if (history.forks.empty()) {
    return Error{Errc::kCorrupt, what + ": it names no ancestor", ""};
  }
  return history;
}

std::string history_text(const TimelineHistory& history) {
  std::string text;
  for (const TimelineFork& fork : history.forks) {
    text +=
        (text.empty() ? "" : ", ") + std::to_string(fork.parent) + " until " + lsn_text(fork.lsn);
  }
  return text;
}

}  // namespace pgwalship
