#include "wal/timeline_graph.h"

#include "tests/topology/tables.h"
#include "wal/archive_coverage.h"
#include "wal/lsn.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <sstream>

namespace pgwalship {
namespace {

constexpr std::uint32_t kBytes = 16U << 20;

std::uint64_t lsn(const std::string& text) {
  const auto value = parse_lsn(text);
  EXPECT_TRUE(value.has_value()) << text;
  return value.value_or(0);
}

std::string runs_text(const std::vector<SegmentRun>& runs) {
  std::string text;
  for (const SegmentRun& run : runs) {
    text +=
        (text.empty() ? "" : " ") + std::to_string(run.timeline) + ":" + std::to_string(run.first);
    if (run.last == TimelineGraph::kNoEnd) {
      text += "-";
    } else if (run.last != run.first) {
      text += "-" + std::to_string(run.last);
    }
  }
  return text;
}

// An archive made by the directives of testdata/timelines.txt.
class Archive {
 public:
  void apply(const TableLine& line) {
    if (line.directive == "archive") {
      *this = Archive();
    } else if (line.directive == "history") {
      add_history(line.left);
    } else if (line.directive == "have") {
      add_segments(line.left);
    } else if (line.directive == "backup") {
      add_backup(words(line.left));
    } else {
      ADD_FAILURE() << "line " << line.number << ": what is " << line.directive << "?";
    }
  }

  std::string ask(const std::vector<std::string>& question) const {
    const TimelineGraph graph(histories(), segment_runs(sorted(), kBytes), kBytes);
    const std::string& what = question.at(0);
    if (what == "origins") {
      return origins(graph);
    }
    if (what == "findings") {
      return findings(graph);
    }
    if (what == "line") {
      return runs_text(graph.line(number(question.at(1))));
    }
    if (what == "chain") {
      return runs_text(
          graph.chain(number(question.at(1)), lsn(question.at(2)), lsn(question.at(3))));
    }
    if (what == "latest") {
      return std::to_string(graph.latest_from(number(question.at(1))));
    }
    const ArchiveCoverage coverage = cover_archive(graph, partials(), backups_);
    return what == "gaps" ? gaps(coverage) : backups(coverage);
  }

 private:
  static std::uint32_t number(const std::string& text) {
    return static_cast<std::uint32_t>(std::stoul(text));
  }

  void add_history(const std::string& text) {
    const std::vector<std::string> all = words(text);
    std::string content;
    for (std::size_t i = 1; i < all.size(); ++i) {
      const std::size_t at = all[i].find('@');
      content += at == std::string::npos
                     ? all[i] + " "
                     : all[i].substr(0, at) + "\t" + all[i].substr(at + 1) + "\treason\n";
    }
    histories_[number(all.at(0))] = content;
  }

  void add_segments(const std::string& text) {
    const std::vector<std::string> all = words(text);
    const std::uint32_t timeline = number(all.at(0));
    for (std::size_t i = 1; i < all.size(); ++i) {
      const std::size_t dash = all[i].find('-');
      const std::uint64_t first = std::stoul(all[i]);
      const std::uint64_t last =
          dash == std::string::npos ? first : std::stoul(all[i].substr(dash + 1));
      const std::string suffix = all[i].ends_with(".partial") ? ".partial" : "";
      for (std::uint64_t n = first; n <= last; ++n) {
        names_.push_back(WalName::parse(segment_text(timeline, n, kBytes) + suffix).value());
      }
    }
  }

  void add_backup(const std::vector<std::string>& all) {
    BackupLabel label;
    label.start_timeline = label.stop_timeline = number(all.at(0));
    label.start_lsn = lsn(all.at(1));
    label.stop_lsn = lsn(all.at(2));
    const WalName segment = WalName::segment_at(label.start_timeline, label.start_lsn, kBytes);
    backups_.push_back({WalName::parse(segment.text() + ".00000028.backup").value(), label});
  }

  std::vector<HistoryFile> histories() const {
    std::vector<HistoryFile> files;
    for (const auto& [timeline, text] : histories_) {
      files.push_back({timeline, text});
    }
    return files;
  }

  std::vector<WalName> sorted() const {
    std::vector<WalName> names = names_;
    std::sort(names.begin(), names.end());
    return names;
  }

  std::vector<WalName> partials() const {
    std::vector<WalName> names = sorted();
    std::erase_if(names, [](const WalName& name) { return name.kind() != WalKind::kPartial; });
    return names;
  }

  static std::string origins(const TimelineGraph& graph) {
    std::string text;
    for (const auto& [timeline, node] : graph.timelines()) {
      if (node.origin) {
        text += (text.empty() ? "" : " ") + std::to_string(timeline) + "<" +
                std::to_string(node.origin->parent) + "@" + lsn_text(node.origin->lsn) +
                (node.known == Timeline::Origin::kHearsay ? "?" : "");
        const auto& siblings = graph.find(node.origin->parent)->children;
        EXPECT_TRUE(std::find(siblings.begin(), siblings.end(), timeline) != siblings.end());
      }
    }
    return text;
  }

  static std::string findings(const TimelineGraph& graph) {
    std::string text;
    for (const TimelineFinding& finding : graph.findings()) {
      text += (text.empty() ? "" : ", ") + std::string(to_word(finding.kind)) + " " +
              std::to_string(finding.timeline) + "/" + std::to_string(finding.other) +
              (finding.run ? " " + runs_text({*finding.run}) : "");
      EXPECT_NE(finding.text, "");
    }
    return text;
  }

  static std::string gaps(const ArchiveCoverage& coverage) {
    std::string text;
    for (const ArchiveGap& gap : coverage.gaps) {
      text += (text.empty() ? "" : " ") + runs_text({gap.run}) +
              (gap.branch == ArchiveGap::Branch::kAbandoned ? "!" : "");
    }
    return text;
  }

  static std::string backups(const ArchiveCoverage& coverage) {
    std::string text;
    for (const BackupCoverage& backup : coverage.backups) {
      text += (text.empty() ? "" : ", ") + std::string(to_word(backup.state));
      for (const RecoverySpan& span : backup.spans) {
        text += " " + std::to_string(span.timeline) + ">" + std::to_string(span.reached) + ".." +
                lsn_text(span.to) + (span.gap ? " (gap " + runs_text({*span.gap}) + ")" : "") +
                (span.only_partial ? " (partial)" : "");
      }
      text += (backup.missing.empty() ? "" : " ") + runs_text(backup.missing) + "; latest " +
              std::to_string(backup.latest) + (backup.latest_descends ? "" : "!");
    }
    return text;
  }

  std::map<std::uint32_t, std::string> histories_;
  std::vector<WalName> names_;
  std::vector<BackupFile> backups_;
};

TEST(TimelineGraph, H8H9H39SeesWhatTheTableSays) {
  Archive archive;
  for (const TableLine& line : read_table("timelines.txt")) {
    if (!line.directive.empty()) {
      archive.apply(line);
    } else {
      EXPECT_EQ(archive.ask(words(line.left)), line.right)
          << "timelines.txt:" << line.number << ": " << line.left;
    }
  }
}

TEST(TimelineGraph, SaysInWordsWhatContradicts) {
  const TimelineGraph graph({{2, "1\t0/5000060\tx\n"}, {3, "1\t0/6000060\tx\n2\t0/9000000\tx\n"}},
                            {{1, 1, 6}, {2, 5, 5}}, kBytes);
  ASSERT_EQ(graph.findings().size(), 2U);
  EXPECT_EQ(graph.findings()[0].text,
            "000000010000000000000006: timeline 2 left timeline 1 at 0/5000060, before this was "
            "written");
  EXPECT_EQ(graph.findings()[1].text,
            "histories contradict each other about how timeline 2 came about: 00000003.history "
            "says 1 until 0/6000060; 00000002.history says 1 until 0/5000060");
}

TEST(TimelineGraph, CountsSegmentsAcrossTheEndOfALog) {
  std::vector<WalName> names;
  for (const char* text : {"0000000100000000000000FE", "0000000100000000000000FF",
                           "000000010000000100000000", "000000010000000100000001.partial"}) {
    names.push_back(WalName::parse(text).value());
  }
  EXPECT_EQ(segment_runs(names, kBytes), (std::vector<SegmentRun>{{1, 254, 256}}));
  EXPECT_EQ(run_text({1, 254, 256}, kBytes),
            "0000000100000000000000FE to 000000010000000100000000");
  EXPECT_EQ(segment_number(names[2], 1U << 20), 4096U);
  EXPECT_EQ(segment_number(names[2], 1U << 30), 4U);
  EXPECT_EQ(segment_lsn(~std::uint64_t{0}, kBytes), ~std::uint64_t{0});
}

TEST(TimelineGraph, AnUnreadableFileIsAFinding) {
  const TimelineGraph graph({{2, "", "read: Input/output error"}}, {{2, 1, 1}}, kBytes);
  ASSERT_EQ(graph.findings().size(), 1U);
  EXPECT_EQ(graph.findings()[0].text, "history of timeline 2: read: Input/output error");
}

TEST(ArchiveCoverage, ABackupFileThatCannotBeReadIsSaidToBe) {
  const TimelineGraph graph({}, {}, kBytes);
  const WalName name = WalName::parse("000000010000000000000002.00000028.backup").value();
  const ArchiveCoverage coverage = cover_archive(graph, {}, {{name, std::nullopt, "damaged"}});
  EXPECT_EQ(coverage.backups.at(0).state, BackupCoverage::State::kUnreadable);
}

}  // namespace
}  // namespace pgwalship
