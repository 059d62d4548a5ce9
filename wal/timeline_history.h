// A timeline's history file: where it came from. Pure.
// Source: readTimeLineHistory in PostgreSQL src/backend/access/transam/timeline.c. One line an
// ancestor, the oldest first; '#' starts a comment, blank lines are skipped:
//     <ancestor's number> TAB <the LSN at which the next timeline left it> TAB <reason>
#pragma once

#include "base/result.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pgwalship {

// PostgreSQL adds about 60 bytes a promotion, 1 KiB with the longest reason: a thousand promotions.
inline constexpr std::size_t kTimelineHistoryBytesMax = std::size_t{1} << 20;

struct TimelineFork {
  std::uint32_t parent = 0;
  std::uint64_t lsn = 0;  // the first byte that is not the parent's any more
  std::string reason;     // one line of visible characters

  // The reason is words for people and says nothing about the WAL.
  friend bool operator==(const TimelineFork& a, const TimelineFork& b) {
    return a.parent == b.parent && a.lsn == b.lsn;
  }
};

struct TimelineHistory {
  std::uint32_t timeline = 0;
  std::vector<TimelineFork> forks;  // the oldest ancestor first; never empty

  const TimelineFork& origin() const { return forks.back(); }
};

// kCorrupt, with the line's number, unless each line is as above, the ancestors' numbers rise and
// stay below `timeline`, and the LSNs do not fall; also for a history without an ancestor, of
// timeline 1, and of more than kTimelineHistoryBytesMax. PostgreSQL reads what passes here, and is
// less strict.
Result<TimelineHistory> parse_timeline_history(std::uint32_t timeline, std::string_view text);

// "1 until 0/5000060, 2 until 0/7000000": for logs; the reasons are left out.
std::string history_text(const TimelineHistory& history);

}  // namespace pgwalship
