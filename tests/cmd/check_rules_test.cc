#include "cmd/check_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <regex>

namespace pgwalship {
namespace {

using Json = nlohmann::json;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class CheckRules : public testing::Test {
 protected:
  // A cluster that is well.
  Json report_ = Json::parse(R"json({
    "version": 1, "node": "pgdb1", "daemon": {"version": "0.1.0", "uptime_seconds": 7200},
    "quorum": {"expression": "ANY 1 (*)", "held": true, "since_seconds": 7000, "why": ""},
    "peers": [
      {"node": "pgdb2", "state": "current", "counts": true, "since_seconds": 7000, "backlog": 0,
       "lag_seconds": 0, "last_error": "", "configuration_differs": false},
      {"node": "pgdb3", "state": "current", "counts": true, "since_seconds": 7000, "backlog": 0,
       "lag_seconds": 0, "last_error": "", "configuration_differs": false}],
    "archive": {"files": 5, "complete": true, "free_bytes": 107374182400, "missing": 0,
      "minimum_free_bytes": 67108864, "fetch_error": "", "quarantined": [], "error": "",
      "reading": false},
    "timelines": {"troubles": [], "alarms": []},
    "push": {"failing": false, "acknowledged": 5, "failed": 0, "last_error": "",
      "last_name": "000000010000000000000005"},
    "conflicts": [],
    "postgresql": {"role": "primary", "ready": 0, "oldest_ready_age_seconds": 0,
      "pg_wal": {"state": "ok", "free_bytes": 107374182400, "wal_bytes": 83886080}},
    "retention": {"trouble": ""}, "back_fill": {"last_error": ""}})json");
  CheckLimits limits_;

  CheckResult result() const { return check_report(report_.dump(), limits_); }
  std::string output() const { return check_output(result()); }
  static void expect(const CheckResult& result, CheckLevel level, const std::string& words) {
    EXPECT_EQ(result.level, level) << check_output(result);
    EXPECT_THAT(check_output(result), HasSubstr(words));
  }
};

TEST_F(CheckRules, IsOneLineWhileAllIsWell) {
  EXPECT_EQ(output(),
            "PGWALSHIP OK - quorum ANY 1 (*) held, 2 of 2 peers current, 5 files archived, last "
            "000000010000000000000005 | 'quorum_held'=1;;1:;0;1 'pushes_failed'=0c;;;0 "
            "'pushes_acknowledged'=5c;;;0 'backlog'=0;16;64;0 'backlog_age'=0s;300;1800;0 "
            "'archive_free'=107374182400B;5368709120:;1073741824:;0 'archive_files'=5;;;0 "
            "'archive_missing'=0;;;0 'conflicts'=0;;0;0 'missing_segments'=0;;0;0 "
            "'pg_wal_free'=107374182400B;;;0 'pgdb2_lag'=0;;;0 'pgdb2_lag_time'=0s;300;86400;0 "
            "'pgdb3_lag'=0;;;0 'pgdb3_lag_time'=0s;300;86400;0\n");
}

TEST_F(CheckRules, KeepsToTheGrammarOfPluginsWhateverTheWords) {
  report_["push"]["failing"] = true;
  report_["push"]["last_error"] = "a|b\nc";
  report_["peers"][0]["node"] = "o'dd=name";
  const std::regex grammar(
      "^PGWALSHIP (OK|WARNING|CRITICAL|UNKNOWN) - [^|\n]*"
      "( \\|( '[^'=|]+'=[-0-9.]+(s|B|c)?(;[0-9.:]*){0,4})+)?\n([^|]*\n)?$");
  EXPECT_TRUE(std::regex_match(output(), grammar)) << output();
}

TEST_F(CheckRules, WhatIsLostGoesBeforeWhatMayBe) {
  report_["postgresql"]["pg_wal"] = {{"state", "critical"}, {"free_bytes", 1}};
  report_["timelines"]["troubles"] = nlohmann::json::array(
      {{{"timeline", 1}, {"missing_segments", 2}, {"needed_segments", 2}, {"first_gap", "X"}}});
  EXPECT_THAT(output(), testing::StartsWith("PGWALSHIP CRITICAL - 2 segments are missing"));
}

// It goes into mails and onto pagers.
TEST_F(CheckRules, TheFirstLineIsShortAndEachHintHasALine) {
  report_["push"]["failing"] = true;
  report_["push"]["last_error"] = std::string(400, 'x');
  const std::string text = output();
  EXPECT_LT(text.find(" | "), 200U);
  EXPECT_THAT(text, HasSubstr(std::string(400, 'x') +
                              "\n  HINT: PostgreSQL keeps the segment and tries again\n"));
}

TEST_F(CheckRules, ANameThatIsNoFileIsAWarning) {
  report_["archive"]["obstacles"] = {"000000010000000000000007.gz"};
  expect(result(), CheckLevel::kWarning, "1 name in the archive taken by what is no file");
}

TEST_F(CheckRules, NoQuorumIsAWarningAtOnceAndCriticalSoon) {
  report_["quorum"] = {
      {"expression", "ANY 1 (*)"}, {"held", false}, {"since_seconds", 5}, {"why", "pgdb2 is down"}};
  expect(result(), CheckLevel::kWarning, "quorum ANY 1 (*) not held for 5 s: pgdb2 is down");
  report_["quorum"]["since_seconds"] = 30;
  expect(result(), CheckLevel::kCritical, "not held for 30 s");
}

TEST_F(CheckRules, NoQuorumIsForgivenForAsLongAsTheLimitSays) {
  report_["quorum"] = {
      {"expression", "ANY 1 (*)"}, {"held", false}, {"since_seconds", 5}, {"why", ""}};
  limits_.quorum.warning = std::chrono::seconds(20);
  expect(result(), CheckLevel::kOk, "PGWALSHIP OK - quorum ANY 1 (*) not held for 5 s, ");
  report_["quorum"]["since_seconds"] = 20;
  expect(result(), CheckLevel::kWarning, "not held for 20 s");
}

TEST_F(CheckRules, ALostQuorumIsSaidOnce) {
  report_["quorum"] = {{"expression", "ANY 1 (*)"},
                       {"held", false},
                       {"since_seconds", 5},
                       {"why", "quorum ANY 1 (*) cannot be met: pgdb2 is down"}};
  expect(result(), CheckLevel::kWarning, "quorum ANY 1 (*) not held for 5 s: pgdb2 is down");
}

TEST_F(CheckRules, FailingPushesAreAWarningAtOnceAndCriticalLater) {
  report_["push"]["failing"] = true;
  report_["push"]["failing_seconds"] = 3;
  report_["push"]["last_error"] = "disk full";
  expect(result(), CheckLevel::kWarning, "pushes have failed for 3 s, the last: disk full");
  report_["push"]["failing_seconds"] = 1800;
  expect(result(), CheckLevel::kCritical, "30 min");
}

TEST_F(CheckRules, TheBacklogCountsByNumberAndByAge) {
  report_["postgresql"]["ready"] = 15;
  EXPECT_EQ(result().level, CheckLevel::kOk);
  report_["postgresql"]["ready"] = 16;
  expect(result(), CheckLevel::kWarning, "16 finished segments wait to be archived");
  report_["postgresql"]["ready"] = 1;
  report_["postgresql"]["oldest_ready_age_seconds"] = 1801;
  expect(result(), CheckLevel::kCritical, "1 finished segment waits to be archived");
}

TEST_F(CheckRules, TheServersOwnPositionTellsTheBacklogToo) {
  report_["postgresql"] = {{"role", "primary"},
                           {"reachable", true},
                           {"error", ""},
                           {"unarchived_segments", 70},
                           {"last_archived_age_seconds", 60}};
  expect(result(), CheckLevel::kCritical, "70 finished segments wait");
}

TEST_F(CheckRules, H40AStoppedServersUnshippedWalIsAWarningWithTheCommand) {
  report_["postgresql"] = {
      {"role", "stopped"}, {"ready", 99}, {"unarchived", 2}, {"data_directory", "/pgdata"}};
  expect(result(), CheckLevel::kWarning, "pgwalship rescue /pgdata");
}

TEST_F(CheckRules, FreeSpaceIsBadBelowItsLimits) {
  report_["archive"]["free_bytes"] = 4ULL << 30;
  expect(result(), CheckLevel::kWarning, "only 4GB free for the archive");
  report_["archive"]["free_bytes"] = (1ULL << 30) - 1;
  expect(result(), CheckLevel::kCritical, "only 1023MB free");
  report_["archive"]["free_bytes"] = 90ULL << 30;
  report_["archive"]["minimum_free_bytes"] = 100ULL << 30;
  EXPECT_EQ(result().level, CheckLevel::kCritical);
}

TEST_F(CheckRules, TheForecastOfPgWalIsTheDaemons) {
  report_["postgresql"]["pg_wal"] = {
      {"state", "critical"}, {"free_bytes", 1000}, {"full_in_seconds", 5400}};
  report_["postgresql"]["ready"] = 3;
  expect(result(), CheckLevel::kCritical, "pg_wal's file system is full in 90 min");
  EXPECT_THAT(result().findings.front().hint, HasSubstr("mend archiving"));
  report_["postgresql"]["ready"] = 0;
  EXPECT_THAT(result().findings.front().hint, HasSubstr("pg_replication_slots"))
      << "nothing waits: something else keeps it";
}

TEST_F(CheckRules, ConflictsAndMissingSegmentsAreCritical) {
  report_["conflicts"] = Json::parse(R"([{"name": "X", "where": "pgdb3", "text": "diverged"}])");
  expect(result(), CheckLevel::kCritical, "1 conflict, the first: X at pgdb3: diverged");
  report_["conflicts"] = Json::array();
  report_["timelines"]["troubles"] = Json::parse(
      R"([{"missing_segments": 2, "needed_segments": 0, "first_gap": "A", "contradictions": 0}])");
  expect(result(), CheckLevel::kWarning, "2 segments are missing in the archive, the first: A");
  report_["timelines"]["troubles"][0]["needed_segments"] = 1;
  EXPECT_EQ(result().level, CheckLevel::kCritical);
}

TEST_F(CheckRules, ASplitBrainIsCriticalOtherAlarmsAreNot) {
  report_["timelines"]["alarms"] =
      Json::parse(R"([{"kind": "beyond_fork", "text": "late", "hint": ""}])");
  expect(result(), CheckLevel::kWarning, "late");
  report_["timelines"]["alarms"][0]["kind"] = "split_brain";
  EXPECT_EQ(result().level, CheckLevel::kCritical);
}

TEST_F(CheckRules, APeerThatIsAwayMattersAfterAWhile) {
  report_["peers"][0]["state"] = "down";
  report_["peers"][0]["since_seconds"] = 200;
  report_["peers"][0]["last_error"] = "refused";
  EXPECT_EQ(result().level, CheckLevel::kOk);
  report_["peers"][0]["since_seconds"] = 400;
  expect(result(), CheckLevel::kWarning, "peer pgdb2 down for 6 min: refused");
  report_["peers"][0].erase("since_seconds");  // never seen since the daemon started
  expect(result(), CheckLevel::kWarning, "peer pgdb2 down for 2 h");
}

TEST_F(CheckRules, ACurrentPeerThatLagsIsBehind) {
  report_["peers"][1]["lag_seconds"] = 86400;
  expect(result(), CheckLevel::kCritical, "peer pgdb3 behind for 24 h");
}

TEST_F(CheckRules, APeerThatIsDownIsTestedAndOneThatIsBehindIsCaughtUp) {
  report_["peers"][0]["state"] = "down";
  report_["peers"][0]["since_seconds"] = 400;
  report_["peers"][1]["state"] = "behind";
  report_["peers"][1]["since_seconds"] = 400;
  expect(result(), CheckLevel::kWarning,
         "peer pgdb2 down for 6 min\n  HINT: `pgwalship config --check`");
  expect(result(), CheckLevel::kWarning,
         "peer pgdb3 behind for 6 min\n  HINT: `pgwalship reconcile pgdb3`");
}

TEST_F(CheckRules, WhatDoesNotCountYetNeedsAllNodes) {
  report_["archive"]["complete"] = false;
  expect(result(), CheckLevel::kWarning, "does not count yet\n  HINT: bring all nodes together");
  report_["archive"]["complete"] = true;
  report_["peers"][1]["counts"] = false;
  expect(result(), CheckLevel::kWarning,
         "peer pgdb3 does not count yet\n  HINT: bring all nodes together");
}

TEST_F(CheckRules, FilesThatCannotBeTakenInAreWantingRoom) {
  report_["archive"]["missing"] = 2;
  EXPECT_EQ(result().level, CheckLevel::kOk) << "they are on their way";
  report_["archive"]["fetch_error"] = "no space";
  expect(result(), CheckLevel::kWarning,
         "2 files are missing here and cannot be fetched: no space\n  HINT: ");
  EXPECT_THAT(output(), HasSubstr("free space"));
}

TEST_F(CheckRules, AnotherConfigurationIsAWarning) {
  report_["peers"][1]["configuration_differs"] = true;
  expect(result(), CheckLevel::kWarning, "peer pgdb3 has another configuration");
}

TEST_F(CheckRules, TheWorstComesFirst) {
  report_["archive"]["quarantined"] = {"x.gz"};
  report_["conflicts"] = Json::parse(R"([{"name": "X", "where": "pgdb3", "text": "diverged"}])");
  EXPECT_THAT(output(), StartsWith("PGWALSHIP CRITICAL - 1 conflict"));
  EXPECT_THAT(output(), HasSubstr("(and 1 more)"));
}

TEST_F(CheckRules, WhileTheArchiveIsStillBeingReadItIsNoAlarm) {
  report_["archive"]["error"] = "the archive is still being read";
  expect(result(), CheckLevel::kCritical, "still being read\n  HINT: is its file system mounted");
  report_["archive"]["reading"] = true;
  EXPECT_EQ(result().level, CheckLevel::kWarning);
}

TEST_F(CheckRules, OfAnArchiveThatCannotBeReadNothingElseIsSaid) {
  report_["archive"]["error"] = "open directory '/archive': Permission denied";
  report_["archive"]["complete"] = false;
  EXPECT_EQ(result().findings.size(), 1U) << "it may have been complete";
}

TEST_F(CheckRules, ARefusingServerIsAWarningUnlessItIsStopped) {
  report_["postgresql"]["reachable"] = false;
  report_["postgresql"]["error"] = "refused";
  expect(result(), CheckLevel::kWarning, "PostgreSQL cannot be asked: refused");
  report_["postgresql"]["role"] = "stopped";
  EXPECT_EQ(result().level, CheckLevel::kOk);
}

TEST_F(CheckRules, AServerThatRunsInAnotherDirectoryIsAWarning) {
  report_["postgresql"]["elsewhere"] = true;
  expect(result(), CheckLevel::kWarning, "no server runs in [postgres] data-directory");
}

TEST_F(CheckRules, H50FilesThatPostgreSQLDoesNotAskForAreAWarning) {
  report_["look_ahead"] = {{"ahead", 3}};
  EXPECT_EQ(result().level, CheckLevel::kOk);
  report_["look_ahead"]["unasked_seconds"] = 130;
  expect(result(), CheckLevel::kWarning, "PostgreSQL asks for nothing");
}

TEST_F(CheckRules, WhatIsNoReportIsUnknown) {
  for (const char* text : {"", "[]", "{}", "{\"quorum\": 1}", "nonsense"}) {
    EXPECT_EQ(check_report(text, limits_).level, CheckLevel::kUnknown) << text;
  }
}

TEST_F(CheckRules, FieldsOfAnotherTypeAreNothing) {
  for (const auto& [key, value] : report_.items()) {
    Json other = report_;
    if (key != "quorum") {
      other[key] = 5;
      EXPECT_NE(check_report(other.dump(), limits_).level, CheckLevel::kUnknown) << key;
    }
  }
}

TEST_F(CheckRules, AClockThatIsOffIsAWarningAndFarOffCritical) {
  report_["peers"][0]["clock_offset_seconds"] = 0.5;
  report_["peers"][0]["clock_offset_error_seconds"] = 0.001;
  expect(result(), CheckLevel::kOk, "'pgdb2_clock'=0.500s;2;60;0");
  report_["peers"][0]["clock_offset_seconds"] = -3;
  expect(result(), CheckLevel::kWarning, "the clock of pgdb2 is 3 s behind this node's");
  report_["peers"][0]["clock_offset_seconds"] = 100;
  expect(result(), CheckLevel::kCritical, "the clock of pgdb2 is 100 s ahead of this node's");
  report_["peers"][0]["clock_offset_seconds"] = 2.2;
  report_["peers"][0]["clock_offset_error_seconds"] = 0.5;
  expect(result(), CheckLevel::kOk, "pgdb2_clock");
}

TEST_F(CheckRules, AQuarantineThatGrowsIsAWarning) {
  report_["archive"]["quarantine_files"] = 100;
  EXPECT_EQ(result().level, CheckLevel::kOk);
  report_["archive"]["quarantine_files"] = 101;
  expect(result(), CheckLevel::kWarning, "quarantine holds 101 files");
}

}  // namespace
}  // namespace pgwalship
