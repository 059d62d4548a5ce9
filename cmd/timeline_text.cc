#include "base/words.h"
#include "cmd/timeline_report.h"

#include <algorithm>
#include <utility>

namespace pgwalship {
namespace {

constexpr std::size_t kColumns = 80;
// Rows of one kind under one timeline; the rest is counted, and is in the JSON.
constexpr std::size_t kRowsMax = 24;
// Steps to the right; a branch of a branch of a branch is rare, and the names need the room.
constexpr std::size_t kDepthMax = 6;

struct Glyphs {
  const char* node;
  const char* trunk;
  const char* tee;
  const char* elbow;
};
constexpr Glyphs kUnicodeGlyphs{"● ", "│ ", "├─", "╰─"};
constexpr Glyphs kAsciiGlyphs{"* ", "| ", "|-", "`-"};

// Breaks at blanks; what has none stays whole.
std::vector<std::string> wrapped(const std::string& text, std::size_t width) {
  std::vector<std::string> lines;
  std::string line;
  std::size_t from = 0;
  while (from < text.size()) {
    const std::size_t end = std::min(text.find(' ', from), text.size());
    const std::string word = text.substr(from, end - from);
    if (!line.empty() && line.size() + 1 + word.size() > width) {
      lines.push_back(std::exchange(line, ""));
    }
    line += (line.empty() ? "" : " ") + word;
    from = end + 1;
  }
  lines.push_back(line);
  return lines;
}

std::string size_text(std::uint64_t bytes) {
  return bytes % (1U << 30) == 0 ? std::to_string(bytes >> 30) + " GiB"
                                 : std::to_string(bytes >> 20) + " MiB";
}

class Text {
 public:
  Text(const TimelineReport& report, Drawing drawing)
      : report_(report), glyphs_(drawing == Drawing::kUnicode ? kUnicodeGlyphs : kAsciiGlyphs) {}

  std::string render() {
    add_verdict();
    add_timelines();
    add_backups();
    add_list("Obstacles: names that are no files, and can be neither stored nor served",
             report_.obstacles);
    add_quarantine();
    return std::move(text_);
  }

 private:
  // `mark` stands in front of the first line, blanks of its width in front of the others.
  void add_row(const std::string& prefix, std::size_t prefix_columns, const std::string& mark,
               const std::string& words) {
    add_row(prefix, prefix, prefix_columns, mark, words);
  }

  void add_row(const std::string& first, const std::string& further, std::size_t prefix_columns,
               const std::string& mark, const std::string& words) {
    const std::size_t used = prefix_columns + mark.size();
    std::string row = first;
    std::string lead = mark;
    for (const std::string& line : wrapped(words, kColumns - std::min(used, kColumns / 2))) {
      row += lead;
      row += line;
      row.erase(row.find_last_not_of(' ') + 1);
      text_ += row + "\n";
      row = further;
      lead = std::string(mark.size(), ' ');
    }
  }

  void add_verdict() {
    std::vector<std::string> faults;
    const auto add = [&faults](std::uint64_t number, const std::string& noun,
                               const std::string& more) {
      if (number > 0) {
        faults.push_back(counted(number, noun) + more);
      }
    };
    add(report_.coverage.gaps.size(), "gap",
        " (" + counted(report_.missing_segments(), "missing segment") + ")");
    add(report_.graph.findings().size(), "contradiction", "");
    add(report_.broken_backups(), "base backup", " that cannot be recovered");
    add(static_cast<std::uint64_t>(
            std::count_if(report_.quarantine.begin(), report_.quarantine.end(),
                          [](const auto& file) { return !file.history.empty(); })),
        "refused history", "");
    add(report_.obstacles.size(), "obstacle", "");
    std::string line;
    for (const std::string& fault : faults) {
      line += (line.empty() ? "NOT WHOLE: " : ", ") + fault;
    }
    if (report_.graph.timelines().empty()) {
      line = "EMPTY: there is no WAL here";
    }
    add_row("", 0, "", line.empty() ? "WHOLE: no gaps, no contradictions" : line);
    add_row("", 0, "",
            (report_.node.empty() ? "" : report_.node + ", ") + "archive " + report_.directory +
                ": " + counted(report_.files, "file") + " on " +
                counted(report_.graph.timelines().size(), "timeline") + ", segments of " +
                size_text(report_.survey.segment_bytes));
  }

  // Timelines ------------------------------------------------------------------------------------

  void add_timelines() {
    if (report_.graph.timelines().empty()) {
      return;
    }
    text_ += "\nTimelines\n";
    for (const DrawnTimeline& drawn : drawing_order(report_.graph)) {
      add_timeline(drawn);
    }
  }

  std::string trunks(std::size_t depth) const {
    std::string prefix = "  ";
    for (std::size_t i = 0; i < depth; ++i) {
      prefix += glyphs_.trunk;
    }
    return prefix;
  }

  void add_timeline(const DrawnTimeline& drawn) {
    const Timeline& node = *report_.graph.find(drawn.timeline);
    const std::size_t depth = std::min(drawn.depth, kDepthMax);
    // The trunk itself is broken by nothing; a branch hangs from it.
    const std::string lead = depth == 0 ? "  " : trunks(depth - 1) + glyphs_.tee;
    std::string title = std::to_string(node.number);
    if (node.origin) {
      title += "  left timeline " + std::to_string(node.origin->parent) + " at " +
               lsn_text(node.origin->lsn) +
               (node.known == Timeline::Origin::kHearsay ? " (by a descendant's history)"
                : node.origin->reason.empty()            ? ""
                                                         : ": " + node.origin->reason);
    }
    title += node.number == report_.graph.newest() ? "  (newest)" : "";
    const std::string below = trunks(depth) + (drawn.trunk_goes_on ? glyphs_.trunk : "  ");
    add_row(lead + glyphs_.node, below, 2 + 2 * depth + 2, "", title);
    below_ = below;
    below_columns_ = 2 + 2 * depth + 2;
    add_segments(node);
    add_findings(node.number);
    text_ += drawn.trunk_goes_on || depth > 0 ? trimmed_row(below) : "";
  }

  static std::string trimmed_row(std::string row) {
    row.erase(row.find_last_not_of(' ') + 1);
    return row + "\n";
  }

  struct Row {
    std::uint64_t first;
    std::string mark;
    std::string words;
  };

  void add_segments(const Timeline& node) {
    const std::uint32_t bytes = report_.survey.segment_bytes;
    std::vector<Row> rows;
    for (const SegmentRun& run : node.runs) {
      rows.push_back(
          {run.first, "  ", run_text(run, bytes) + "  " + counted(run.count(), "segment")});
    }
    for (const ArchiveGap& gap : report_.coverage.gaps) {
      if (gap.run.timeline == node.number) {
        rows.push_back(
            {gap.run.first, "! ",
             "gap: " + run_text(gap.run, bytes) + "  " + std::to_string(gap.run.count()) +
                 " missing" +
                 (gap.branch == ArchiveGap::Branch::kAbandoned ? ", on an abandoned branch" : "")});
      }
    }
    for (const WalName& partial : report_.coverage.partials) {
      if (partial.timeline() == node.number) {
        rows.push_back({segment_number(partial, bytes), "  ", partial.text()});
      }
    }
    std::stable_sort(rows.begin(), rows.end(),
                     [](const Row& a, const Row& b) { return a.first < b.first; });
    if (rows.empty()) {
      rows.push_back({0, "  ", "no segments here"});
    }
    add_bounded(rows);
  }

  void add_findings(std::uint32_t timeline) {
    std::vector<Row> rows;
    for (const TimelineFinding& finding : report_.graph.findings()) {
      if (finding.timeline == timeline) {
        rows.push_back({0, "! ", finding_words(finding)});
      }
    }
    for (const QuarantinedFile& file : report_.quarantine) {
      if (file.timeline == timeline && !file.history.empty()) {
        rows.push_back({0, "! ",
                        "conflict: another timeline " + std::to_string(timeline) +
                            " was refused; it came from " + file.history});
      }
    }
    add_bounded(rows);
  }

  static std::string finding_words(const TimelineFinding& finding) {
    switch (finding.kind) {
      case TimelineFinding::Kind::kBeyondFork:
        return "beyond the fork: " + finding.text;
      case TimelineFinding::Kind::kBeforeFork:
        return "before the fork: " + finding.text;
      case TimelineFinding::Kind::kHistoryUnreadable:
      case TimelineFinding::Kind::kHistoryMissing:
      case TimelineFinding::Kind::kParentMissing:
      case TimelineFinding::Kind::kParentsDisagree:
        break;
    }
    return finding.text;
  }

  void add_bounded(const std::vector<Row>& rows) {
    for (std::size_t i = 0; i < std::min(rows.size(), kRowsMax); ++i) {
      add_row(below_, below_columns_, rows[i].mark, rows[i].words);
    }
    if (rows.size() > kRowsMax) {
      add_row(below_, below_columns_, "  ",
              "and " + std::to_string(rows.size() - kRowsMax) + " more: see --json");
    }
  }

  // Base backups ---------------------------------------------------------------------------------

  void add_backups() {
    if (report_.coverage.backups.empty()) {
      return;
    }
    text_ += "\nBase backups\n";
    for (const BackupCoverage& backup : report_.coverage.backups) {
      add_backup(backup);
    }
  }

  void add_backup(const BackupCoverage& backup) {
    below_ = "";
    below_columns_ = 0;
    if (!backup.backup.label) {
      add_row("", 0, "  ", backup.backup.name.text());
      add_row("", 0, "  ! ", "cannot be read: " + backup.backup.unreadable);
      return;
    }
    const BackupLabel& label = *backup.backup.label;
    add_row("", 0, "  ",
            (label.label.empty() ? "(no label)" : label.label) + ", " + label.start_time +
                ", timeline " + std::to_string(label.start_timeline) + ", " +
                lsn_text(label.start_lsn) + " to " + lsn_text(label.stop_lsn));
    for (const RecoverySpan& span : backup.spans) {
      add_row("", 0, span.gap ? "  ! " : "    ", span_words(span));
    }
    add_state(backup);
    if (backup.state == BackupCoverage::State::kRecoverable && !backup.latest_descends) {
      add_row("", 0, "  ! ",
              "recovery_target_timeline = 'latest' asks for timeline " +
                  std::to_string(backup.latest) +
                  ", which left before this backup ended, and PostgreSQL refuses to start: set "
                  "it to " +
                  std::to_string(backup.spans.back().timeline));
    }
  }

  std::string span_words(const RecoverySpan& span) const {
    std::string words =
        "recoverable to " + lsn_text(span.to) + " on timeline " + std::to_string(span.timeline);
    if (span.gap) {
      words += ", then " + counted(span.gap->count(), "segment") + " missing" +
               (span.reached == span.timeline
                    ? ""
                    : ", still on timeline " + std::to_string(span.gap->timeline));
    }
    if (span.only_partial) {
      words += "; the next segment is there as .partial";
    }
    return words;
  }

  void add_state(const BackupCoverage& backup) {
    std::string missing;
    for (const SegmentRun& run : backup.missing) {
      missing += (missing.empty() ? "" : ", ") + run_text(run, report_.survey.segment_bytes);
    }
    switch (backup.state) {
      case BackupCoverage::State::kExpired:
        add_row("", 0, "    ", "expired: the WAL that it needs has gone (" + missing + ")");
        return;
      case BackupCoverage::State::kBroken:
        add_row("", 0, "  ! ", "cannot be recovered: missing " + missing);
        return;
      case BackupCoverage::State::kRecoverable:
      case BackupCoverage::State::kUnreadable:
        return;
    }
  }

  void add_quarantine() {
    std::vector<std::string> files;
    for (const QuarantinedFile& file : report_.quarantine) {
      files.push_back(file.file);
    }
    add_list("In quarantine", files);
  }

  void add_list(const std::string& title, const std::vector<std::string>& files) {
    if (files.empty()) {
      return;
    }
    text_ += "\n" + title + "\n";
    std::vector<Row> rows;
    rows.reserve(files.size());
    for (const std::string& file : files) {
      rows.push_back({0, "  ", file});
    }
    below_ = "";
    below_columns_ = 0;
    add_bounded(rows);
  }

  const TimelineReport& report_;
  const Glyphs& glyphs_;
  std::string text_;
  std::string below_;  // in front of the rows under a timeline
  std::size_t below_columns_ = 0;
};

}  // namespace

std::string timeline_text(const TimelineReport& report, Drawing drawing) {
  return Text(report, drawing).render();
}

}  // namespace pgwalship
