#include "cmd/timeline_report.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <sstream>

namespace pgwalship {
namespace {

constexpr std::uint32_t kBytes = 16U << 20;

WalName parsed(std::string_view text) {
  return WalName::parse(text).value();
}

TimelineReport report_of(ArchiveSurvey survey, std::vector<QuarantinedFile> quarantine = {}) {
  TimelineGraph graph = survey.graph();
  ArchiveCoverage coverage = cover_archive(graph, survey.partials, survey.backups);
  return TimelineReport{.node = "pgdb1",
                        .directory = "/archive",
                        .files = 9,
                        .survey = std::move(survey),
                        .graph = std::move(graph),
                        .coverage = std::move(coverage),
                        .obstacles = {},
                        .quarantine = std::move(quarantine)};
}

BackupFile backup() {
  BackupLabel label;
  label.start_timeline = label.stop_timeline = 1;
  label.start_lsn = 0x2000028;
  label.stop_lsn = 0x2000100;
  label.start_time = "2026-11-25 08:32:30 UTC";
  label.label = "nightly <1>";
  return {parsed("000000010000000000000002.00000028.backup"), label};
}

// A failover in segment 5, a recovery test from it, the old primary that went on, and a hole.
TimelineReport troubled() {
  ArchiveSurvey survey;
  survey.segment_bytes = kBytes;
  survey.histories = {{2, "1\t0/5000060\tno recovery target specified\n"},
                      {3, "1\t0/5000060\tno recovery target specified\n2\t0/7000000\ta <test>\n"},
                      {4, "1\t0/5000060\tno recovery target specified\n2\t0/9000100\tswitch\n"}};
  survey.runs = {{1, 1, 6}, {2, 5, 7}, {3, 7, 7}, {4, 9, 10}};
  survey.partials = {parsed("000000010000000000000005.partial")};
  survey.backups = {backup()};
  return report_of(std::move(survey),
                   {{"00000004.history.conflict-0a1b2c3d4e5f.gz", 4, "1 until 0/5000060"}});
}

TimelineReport healthy() {
  ArchiveSurvey survey;
  survey.segment_bytes = kBytes;
  survey.runs = {{1, 1, 4}};
  survey.backups = {backup()};
  return report_of(std::move(survey));
}

TEST(TimelineReport, DrawsATree) {
  EXPECT_EQ(timeline_text(troubled(), Drawing::kAscii),
            "NOT WHOLE: 1 gap (1 missing segment), 1 contradiction, 1 refused history\n"
            "pgdb1, archive /archive: 9 files on 4 timelines, segments of 16 MiB\n"
            "\n"
            "Timelines\n"
            "  * 1\n"
            "  |   000000010000000000000001 to 000000010000000000000006  6 segments\n"
            "  |   000000010000000000000005.partial\n"
            "  | ! beyond the fork: 000000010000000000000006: timeline 2 left timeline 1 at\n"
            "  |   0/5000060, before this was written\n"
            "  |\n"
            "  * 2  left timeline 1 at 0/5000060: no recovery target specified\n"
            "  |   000000020000000000000005 to 000000020000000000000007  3 segments\n"
            "  | ! gap: 000000020000000000000008  1 missing\n"
            "  |\n"
            "  |-* 3  left timeline 2 at 0/7000000: a <test>\n"
            "  |     000000030000000000000007  1 segment\n"
            "  |\n"
            "  * 4  left timeline 2 at 0/9000100: switch  (newest)\n"
            "      000000040000000000000009 to 00000004000000000000000A  2 segments\n"
            "    ! conflict: another timeline 4 was refused; it came from 1 until 0/5000060\n"
            "\n"
            "Base backups\n"
            "  nightly <1>, 2026-11-25 08:32:30 UTC, timeline 1, 0/2000028 to 0/2000100\n"
            "    recoverable to 0/7000000 on timeline 1\n"
            "    recoverable to 0/8000000 on timeline 3\n"
            "  ! recoverable to 0/8000000 on timeline 4, then 1 segment missing, still on\n"
            "    timeline 2\n"
            "\n"
            "In quarantine\n"
            "  00000004.history.conflict-0a1b2c3d4e5f.gz\n");
}

TEST(TimelineReport, ATimelineWithALongReasonHasOneMarkAlone) {
  ArchiveSurvey survey;
  survey.segment_bytes = kBytes;
  survey.histories = {{2, "1\t0/5000060\tno recovery target specified\n"},
                      {3,
                       "1\t0/5000060\tno recovery target specified\n"
                       "2\t0/7000000\tbefore 2026-12-01 15:43:45.595687+00\n"}};
  survey.runs = {{1, 1, 5}, {2, 5, 7}, {3, 7, 8}};
  const std::string text = timeline_text(report_of(std::move(survey)), Drawing::kAscii);
  EXPECT_NE(text.find("  * 3  left timeline 2 at 0/7000000: before 2026-12-01 15:43:45.595687+00\n"
                      "    (newest)\n"
                      "      000000030000000000000007 to 000000030000000000000008  2 segments\n"),
            std::string::npos)
      << text;
}

TEST(TimelineReport, SaysThatAllIsWell) {
  const TimelineReport report = healthy();
  EXPECT_TRUE(report.whole());
  EXPECT_EQ(timeline_text(report, Drawing::kUnicode),
            "WHOLE: no gaps, no contradictions\n"
            "pgdb1, archive /archive: 9 files on 1 timeline, segments of 16 MiB\n"
            "\n"
            "Timelines\n"
            "  ● 1  (newest)\n"
            "      000000010000000000000001 to 000000010000000000000004  4 segments\n"
            "\n"
            "Base backups\n"
            "  nightly <1>, 2026-11-25 08:32:30 UTC, timeline 1, 0/2000028 to 0/2000100\n"
            "    recoverable to 0/5000000 on timeline 1\n");
}

TEST(TimelineReport, AnEmptyArchiveIsWholeAndSaidToBeEmpty) {
  const TimelineReport report = report_of({});
  EXPECT_TRUE(report.whole());
  EXPECT_EQ(timeline_text(report, Drawing::kAscii).substr(0, 29), "EMPTY: there is no WAL here\np");
  EXPECT_NE(timeline_svg(report).find("</svg>"), std::string::npos);
}

TEST(TimelineReport, WarnsWhereLatestWouldLeadAstray) {
  ArchiveSurvey survey;
  survey.segment_bytes = kBytes;
  survey.histories = {{2, "1\t0/1000060\tx\n"}};
  survey.runs = {{1, 1, 4}, {2, 1, 1}};
  survey.backups = {backup()};
  const std::string text = timeline_text(report_of(std::move(survey)), Drawing::kAscii);
  EXPECT_NE(text.find("  ! recovery_target_timeline = 'latest' asks for timeline 2"),
            std::string::npos)
      << text;
}

TEST(TimelineReport, StaysWithinEightyColumns) {
  std::istringstream text(timeline_text(troubled(), Drawing::kAscii));
  for (std::string line; std::getline(text, line);) {
    EXPECT_LE(line.size(), 80U) << line;
  }
}

TEST(TimelineReport, ALongChainOfFailoversDoesNotWanderToTheRight) {
  ArchiveSurvey survey;
  survey.segment_bytes = kBytes;
  std::string history;
  for (std::uint32_t timeline = 2; timeline <= 100; ++timeline) {
    history += std::to_string(timeline - 1) + "\t" + lsn_text(segment_lsn(timeline, kBytes)) + "\n";
    survey.histories.push_back({timeline, history});
    survey.runs.push_back({timeline - 1, timeline - 1, timeline - 1});
  }
  const auto order = drawing_order(survey.graph());
  ASSERT_EQ(order.size(), 100U);
  for (std::size_t i = 0; i < order.size(); ++i) {
    EXPECT_EQ(order[i].timeline, i + 1);
    EXPECT_EQ(order[i].depth, 0U);
  }
}

TEST(TimelineReport, JsonHasTheSame) {
  const auto json = nlohmann::json::parse(timeline_json(troubled()));
  EXPECT_EQ(json["version"], 1);
  EXPECT_EQ(json["whole"], false);
  EXPECT_EQ(json["newest_timeline"], 4);
  ASSERT_EQ(json["timelines"].size(), 4U);
  EXPECT_EQ(json["timelines"][0]["origin"], "first");
  EXPECT_EQ(json["timelines"][0]["children"], std::vector<int>{2});
  EXPECT_EQ(json["timelines"][1]["parent"], 1);
  EXPECT_EQ(json["timelines"][1]["fork_lsn"], "0/5000060");
  EXPECT_EQ(json["timelines"][1]["gaps"][0]["first"], "000000020000000000000008");
  EXPECT_EQ(json["timelines"][1]["gaps"][0]["branch"], "needed");
  EXPECT_EQ(json["contradictions"][0]["kind"], "beyond_fork");
  EXPECT_EQ(json["backups"][0]["state"], "recoverable");
  EXPECT_EQ(json["backups"][0]["spans"][2]["to_lsn"], "0/8000000");
  EXPECT_EQ(json["backups"][0]["spans"][2]["gap"]["segments"], 1);
  EXPECT_EQ(json["quarantine"][0]["history"], "1 until 0/5000060");
}

TEST(TimelineReport, ThePictureEscapesWhatItQuotes) {
  const std::string svg = timeline_svg(troubled());
  EXPECT_EQ(svg.find("<1>"), std::string::npos);
  EXPECT_EQ(svg.find("<test>"), std::string::npos);
  EXPECT_NE(svg.find("nightly &lt;1&gt;"), std::string::npos);
}

}  // namespace
}  // namespace pgwalship
