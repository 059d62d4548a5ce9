#include "cmd/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <map>

namespace pgwalship {
namespace {

using Json = nlohmann::json;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

// Values by the last label of each sample, "" without labels.
using Values = std::map<std::string, double>;

Values values(const Json& report, std::string_view name) {
  Values values;
  for (const Metric& metric : metrics_of(report.dump())) {
    for (const Metric::Sample& sample : metric.samples) {
      if (metric.name == name) {
        values[sample.labels.empty() ? "" : sample.labels.back().second] = sample.value;
      }
    }
  }
  return values;
}

Values only(double value) {
  return {{"", value}};
}

TEST(Metrics, TheRoleIsOneOfFourAndNoneWhenItIsNotKnown) {
  Json report{{"postgresql", {{"role", "standby"}}}};
  EXPECT_THAT(values(report, "pgwalship_postgresql_role"),
              ElementsAre(Pair("primary", 0), Pair("recovering", 0), Pair("standby", 1),
                          Pair("stopped", 0)));
  report["postgresql"]["role"] = "unknown";
  EXPECT_THAT(values(report, "pgwalship_postgresql_role"),
              ElementsAre(Pair("primary", 0), Pair("recovering", 0), Pair("standby", 0),
                          Pair("stopped", 0)));
  EXPECT_THAT(values(Json::object(), "pgwalship_postgresql_role"), IsEmpty());
}

TEST(Metrics, H40WhatAStoppedServerNeverArchivedIsSaidOfAStoppedOneOnly) {
  Json report{{"postgresql", {{"role", "stopped"}, {"ready", 9}, {"unarchived", 2}}}};
  EXPECT_EQ(values(report, "pgwalship_unrescued_files"), only(2));
  report["postgresql"] = {{"role", "primary"}, {"ready", 9}};
  EXPECT_THAT(values(report, "pgwalship_unrescued_files"), IsEmpty());
}

TEST(Metrics, WhetherAServerIsForeignIsKnownWhileItAnswers) {
  Json report{{"postgresql", {{"reachable", true}, {"error", ""}}}};
  EXPECT_EQ(values(report, "pgwalship_postgresql_foreign"), only(0));
  report["postgresql"]["error"] = "its system identifier 1 is not the archive's, 2";
  EXPECT_EQ(values(report, "pgwalship_postgresql_foreign"), only(1));
  report["postgresql"] = {{"reachable", false}, {"error", "connection refused"}};
  EXPECT_THAT(values(report, "pgwalship_postgresql_foreign"), IsEmpty());
}

TEST(Metrics, TheLastArchivedIsATimeWhileTheServerAnswers) {
  const std::string name = "pgwalship_postgresql_last_archived_timestamp_seconds";
  Json report{{"time", 1000}, {"postgresql", {{"reachable", true}}}};
  EXPECT_THAT(values(report, name), IsEmpty()) << "nothing was archived yet";
  report["postgresql"]["last_archived_age_seconds"] = 60;
  EXPECT_EQ(values(report, name), only(940));
  report["postgresql"]["reachable"] = false;
  EXPECT_THAT(values(report, name), IsEmpty());
}

TEST(Metrics, FetchingFailsOnlyWhileFilesAreMissing) {
  Json report{{"archive", {{"missing", 3}, {"fetch_error", ""}}}};
  EXPECT_EQ(values(report, "pgwalship_archive_fetch_failing"), only(0));
  report["archive"]["fetch_error"] = "no space";
  EXPECT_EQ(values(report, "pgwalship_archive_fetch_failing"), only(1));
  report["archive"]["missing"] = 0;
  EXPECT_EQ(values(report, "pgwalship_archive_fetch_failing"), only(0));
}

TEST(Metrics, AnArchiveThatIsStillReadIsNotUnreadable) {
  Json report{{"archive", {{"error", "the archive is still being read"}, {"reading", true}}}};
  EXPECT_EQ(values(report, "pgwalship_archive_reading"), only(1));
  EXPECT_EQ(values(report, "pgwalship_archive_readable"), only(1));
  report["archive"] = {{"error", "no such directory"}, {"reading", false}};
  EXPECT_EQ(values(report, "pgwalship_archive_reading"), only(0));
  EXPECT_EQ(values(report, "pgwalship_archive_readable"), only(0));
}

TEST(Metrics, QuarantineIsCountedWithAndWithoutWhatWasDecided) {
  const Json report{{"archive", {{"quarantined", {"a", "b"}}, {"quarantine_files", 101}}}};
  EXPECT_EQ(values(report, "pgwalship_archive_quarantined_files"), only(2));
  EXPECT_EQ(values(report, "pgwalship_archive_quarantine_files"), only(101));
}

TEST(Metrics, NamesThatAreNoFilesAreCounted) {
  Json report{{"archive", {{"obstacles", Json::array()}}}};
  EXPECT_EQ(values(report, "pgwalship_archive_obstacles"), only(0));
  report["archive"]["obstacles"] = {"a.gz", "b.gz"};
  EXPECT_EQ(values(report, "pgwalship_archive_obstacles"), only(2));
}

TEST(Metrics, WhetherAServerRunsElsewhereIsKnownWithConninfo) {
  Json report{{"postgresql", {{"role", "primary"}}}};
  EXPECT_THAT(values(report, "pgwalship_postgresql_elsewhere"), IsEmpty());
  report["postgresql"]["elsewhere"] = false;
  EXPECT_EQ(values(report, "pgwalship_postgresql_elsewhere"), only(0));
  report["postgresql"]["elsewhere"] = true;
  EXPECT_EQ(values(report, "pgwalship_postgresql_elsewhere"), only(1));
}

TEST(Metrics, ContradictionsAreThoseOfAllTimelines) {
  Json report{{"timelines", {{"troubles", Json::array()}}}};
  EXPECT_EQ(values(report, "pgwalship_timeline_contradictions"), only(0));
  report["timelines"]["troubles"] = {{{"contradictions", 1}}, {{"contradictions", 2}}};
  EXPECT_EQ(values(report, "pgwalship_timeline_contradictions"), only(3));
}

TEST(Metrics, NothingAskedIsZeroWithLookAheadAndNotKnownWithoutIt) {
  Json report{{"look_ahead", {{"ahead", 2}}}};
  EXPECT_EQ(values(report, "pgwalship_look_ahead_unasked_seconds"), only(0));
  report["look_ahead"]["unasked_seconds"] = 130;
  EXPECT_EQ(values(report, "pgwalship_look_ahead_unasked_seconds"), only(130));
  report["look_ahead"] = nullptr;
  EXPECT_THAT(values(report, "pgwalship_look_ahead_unasked_seconds"), IsEmpty());
}

TEST(Metrics, BackFillFailsWhileItHasAnError) {
  Json report{{"back_fill", {{"last_error", ""}}}};
  EXPECT_EQ(values(report, "pgwalship_back_fill_failing"), only(0));
  report["back_fill"]["last_error"] = "pg_wal cannot be read";
  EXPECT_EQ(values(report, "pgwalship_back_fill_failing"), only(1));
  report["back_fill"] = nullptr;
  EXPECT_THAT(values(report, "pgwalship_back_fill_failing"), IsEmpty());
}

TEST(Metrics, EachPeersClockHasItsError) {
  const Json report{{"peers",
                     {{{"node", "b"}, {"clock_offset_seconds", 3}},
                      {{"node", "c"}, {"clock_offset_error_seconds", 0.5}}}}};
  EXPECT_THAT(values(report, "pgwalship_peer_clock_offset_seconds"), ElementsAre(Pair("b", 3)));
  EXPECT_THAT(values(report, "pgwalship_peer_clock_offset_error_seconds"),
              ElementsAre(Pair("c", 0.5)));
}

}  // namespace
}  // namespace pgwalship
