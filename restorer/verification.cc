#include "restorer/verification.h"

#include "wal/segment_header.h"
#include "wal/timeline_history.h"

#include <algorithm>
#include <cstdio>
#include <optional>

namespace pgwalship {
namespace {

// initdb's default.
constexpr std::uint32_t kUsualSegmentBytes = std::uint32_t{16} << 20;
// Of one gap so many are asked for: 64 GiB of WAL. Above that an archive is better copied.
constexpr std::size_t kWantedMax = 4096;

Problem problem_of(const WalName& name, const Error& error) {
  Problem problem{Problem::Kind::kUnreadable, name.text(), error.message, error.hint, {}};
  if (error.code == Errc::kCorrupt) {
    problem.kind = Problem::Kind::kCorrupt;
    problem.wanted = {name};
    problem.hint = "verify --repair replaces it from a peer that has a good copy";
  } else if (error.code == Errc::kNotFound) {
    problem.kind = Problem::Kind::kAbsent;
    problem.what = "it is not in the archive";
    problem.wanted = {name};
    problem.hint = "verify --repair asks the peers for it";
  }
  return problem;
}

std::optional<Problem> misfit(const WalName& name, ByteView start, const FileFacts& facts) {
  if (!name.is_wal()) {
    return std::nullopt;
  }
  const Result<SegmentHeader> header = parse_segment_header(start);
  const Result<void> fits = header.ok() ? check_segment(name, header.value(), facts.raw_bytes)
                                        : Result<void>(header.error());
  if (fits.ok()) {
    return std::nullopt;
  }
  return Problem{Problem::Kind::kMisfit,
                 name.text(),
                 "its content is not what its name says: " + fits.error().message,
                 "look at it with pg_waldump, and move it away by hand",
                 {}};
}

std::string history_name(std::uint32_t timeline) {
  char text[17];
  std::snprintf(text, sizeof text, "%08X.history", timeline);
  return text;
}

}  // namespace

std::string_view to_word(Problem::Kind kind) {
  switch (kind) {
    case Problem::Kind::kCorrupt:
      return "corrupt";
    case Problem::Kind::kUnreadable:
      return "unreadable";
    case Problem::Kind::kMisfit:
      return "misfit";
    case Problem::Kind::kForeign:
      return "foreign";
    case Problem::Kind::kAbsent:
      return "absent";
    case Problem::Kind::kGap:
      return "gap";
    case Problem::Kind::kHistory:
      return "history";
  }
  return "?";
}

CheckedFile check_file(const ArchiveStore& store, const WalName& name, std::uint64_t system_id) {
  CheckedFile checked{name, 0, 0, {}, {}, 0};
  if (const auto opened = store.open(name); opened.ok()) {
    checked.file_bytes = opened.value().file_bytes;
  }
  Bytes start;
  const bool is_history = name.kind() == WalKind::kHistory;
  const Result<FileFacts> facts = store.read_raw(name, [&](ByteView raw) {
    const std::size_t missing = std::min(kLongPageHeaderBytes - start.size(), raw.size());
    start.insert(start.end(), raw.begin(), raw.begin() + static_cast<std::ptrdiff_t>(missing));
    if (is_history && checked.history.size() <= kTimelineHistoryBytesMax) {
      checked.history += as_text(raw);
    }
    return Result<void>();
  });
  if (!facts.ok()) {
    checked.problems.push_back(problem_of(name, facts.error()));
    return checked;
  }
  if (auto problem = misfit(name, start, facts.value())) {
    checked.problems.push_back(std::move(*problem));
    return checked;
  }
  checked.segment_bytes = facts.value().segment_bytes;
  checked.system_id = facts.value().system_id;
  if (const std::uint64_t id = facts.value().system_id;
      id != 0 && system_id != 0 && id != system_id) {
    checked.problems.push_back(Problem{Problem::Kind::kForeign,
                                       name.text(),
                                       "it is of the cluster with system identifier " +
                                           std::to_string(id) + ", the archive of " +
                                           std::to_string(system_id),
                                       "another cluster wrote here: move it away by hand",
                                       {}});
  }
  return checked;
}

void Verification::add(const CheckedFile& file) {
  if (file.name.kind() == WalKind::kSegment) {
    segments_[file.name.timeline()].push_back(file.name);
    segment_bytes_ = file.segment_bytes != 0 ? file.segment_bytes : segment_bytes_;
  } else if (file.name.kind() == WalKind::kHistory && file.problems.empty()) {
    histories_[file.name.timeline()] = file.history;
  }
}

std::vector<Problem> Verification::problems() const {
  std::vector<Problem> problems;
  for (const auto& [timeline, segments] : segments_) {
    find_gaps(segments, problems);
  }
  std::set<std::uint32_t> timelines;
  for (const auto& [timeline, segments] : segments_) {
    timelines.insert(timeline);
  }
  for (const auto& [timeline, history] : histories_) {
    timelines.insert(timeline);
  }
  for (const std::uint32_t timeline : timelines) {
    check_history(timeline, problems);
  }
  return problems;
}

void Verification::find_gaps(const std::vector<WalName>& segments,
                             std::vector<Problem>& problems) const {
  const std::uint32_t bytes = segment_bytes_ != 0 ? segment_bytes_ : kUsualSegmentBytes;
  std::vector<WalName> sorted = segments;
  std::sort(sorted.begin(), sorted.end());
  for (std::size_t i = 1; i < sorted.size(); ++i) {
    const std::uint64_t from = sorted[i - 1].start_lsn(bytes) + bytes;
    const std::uint64_t to = sorted[i].start_lsn(bytes);
    if (from >= to) {
      continue;
    }
    const std::uint64_t count = (to - from) / bytes;
    const std::uint32_t timeline = sorted[i].timeline();
    Problem problem{
        Problem::Kind::kGap, WalName::segment_at(timeline, from, bytes).text(), "", "", {}};
    problem.what = count == 1
                       ? "is missing between others"
                       : "to " + WalName::segment_at(timeline, to - bytes, bytes).text() + ": " +
                             std::to_string(count) + " segments are missing between others";
    problem.hint = "no recovery gets past it; verify --repair asks the peers for them";
    for (std::uint64_t lsn = from; lsn < to && problem.wanted.size() < kWantedMax; lsn += bytes) {
      problem.wanted.push_back(WalName::segment_at(timeline, lsn, bytes));
    }
    problems.push_back(std::move(problem));
  }
}

void Verification::check_history(std::uint32_t timeline, std::vector<Problem>& problems) const {
  if (timeline <= 1) {
    return;
  }
  const std::string name = history_name(timeline);
  const auto add = [&](std::string what, std::string hint, std::vector<WalName> wanted) {
    problems.push_back(Problem{Problem::Kind::kHistory, name, std::move(what), std::move(hint),
                               std::move(wanted)});
  };
  const auto found = histories_.find(timeline);
  if (found == histories_.end()) {
    add("is missing, though segments of that timeline are here",
        "without it no recovery finds the timeline; verify --repair asks the peers for it",
        {WalName::parse(name).value()});
    return;
  }
  const Result<TimelineHistory> history = parse_timeline_history(timeline, found->second);
  if (!history.ok()) {
    add(history.error().message, "compare it with the other nodes' and with pg_wal", {});
    return;
  }
  const std::vector<TimelineFork>& forks = history.value().forks;
  const std::uint32_t parent = history.value().origin().parent;
  const auto parents = histories_.find(parent);
  if (parents == histories_.end()) {
    return;
  }
  const Result<TimelineHistory> earlier = parse_timeline_history(parent, parents->second);
  if (earlier.ok() && !std::equal(forks.begin(), forks.end() - 1, earlier.value().forks.begin(),
                                  earlier.value().forks.end())) {
    add("contradicts " + history_name(parent) + " about where it comes from: " +
            history_text(history.value()) + ", but " + history_text(earlier.value()),
        "one of the two timelines is a false branch", {});
  }
}

}  // namespace pgwalship
