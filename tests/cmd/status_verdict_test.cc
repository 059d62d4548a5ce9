#include "cmd/status_verdict.h"

#include <gtest/gtest.h>

namespace pgwalship {
namespace {

std::string verdict(const char* json) {
  return verdict_text(ReportJson::parse(json), Colours::kOff);
}

TEST(StatusVerdict, SaysFromHowManyNodesARecoveryWouldWork) {
  EXPECT_EQ(verdict(R"json({"node": "pgdb1", "quorum": {"expression": "ANY 1 (*)", "held": true},
                 "peers": [{"node": "pgdb2", "state": "current", "counts": true},
                           {"node": "pgdb3", "state": "pulling", "counts": true}]})json"),
            "OK: recoverable to what is archived on 3 of 3 nodes, quorum ANY 1 (*) is held\n");
}

TEST(StatusVerdict, NamesTheNodesThatLackSomething) {
  EXPECT_EQ(verdict(R"json({"node": "pgdb1", "quorum": {"expression": "ANY 1 (*)", "held": true},
                 "peers": [{"node": "pgdb2", "state": "down", "since_seconds": 12, "backlog": 1},
                           {"node": "pgdb3", "state": "catching_up", "counts": true,
                            "backlog": 40, "since_seconds": 3}]})json"),
            "OK: recoverable to what is archived on 1 of 3 nodes (pgdb2: down for 12 s, lacks 1 "
            "file; pgdb3: "
            "catching up, lacks 40 files), quorum ANY 1 (*) is held\n");
}

// What no node has is not on those either that hold the same as this one.
TEST(StatusVerdict, H8GapsHereAreGapsOnEveryNodeThatHoldsTheSame) {
  const std::string text = verdict(R"json({"node": "a",
                 "quorum": {"expression": "NONE", "held": true}, "archive": {"complete": true},
                 "timelines": {"troubles": [{"timeline": 1, "needed_segments": 1}]},
                 "peers": [{"node": "b", "state": "current", "counts": true},
                           {"node": "c", "state": "pulling", "counts": true}]})json");
  EXPECT_NE(text.find("recoverable to what is archived on 1 of 3 nodes (a: gaps; b: gaps)"),
            text.npos)
      << text;
}

std::string verdict_of_primary(const std::string& figures) {
  return verdict((R"json({"quorum": {"expression": "NONE", "held": true},
      "archive": {"last_segment": "000000010000000000000007"},
      "postgresql": {"role": "primary")json" +
                  figures + "}}")
                     .c_str());
}
const std::string kUpToSeven =
    "OK: recoverable up to 000000010000000000000007 on 1 of 1 node, quorum NONE is held\n";

TEST(StatusVerdict, SaysWhatOfThePrimarysWalIsNotArchived) {
  EXPECT_EQ(verdict_of_primary(R"json(, "lsn": "0/8500000", "age_seconds": 1,
                                      "unarchived_bytes": 5242880, "alone_bytes": 5242880)json"),
            kUpToSeven + "not archived yet: 5 MB, on the primary alone\n");
  EXPECT_EQ(verdict_of_primary(R"json(, "lsn": "0/8500000", "age_seconds": 9,
                                      "unarchived_bytes": 5242880, "alone_bytes": 0)json"),
            kUpToSeven +
                "not archived yet: 5 MB, on the primary and a standby that streams, as of 9 s "
                "ago\n");
  EXPECT_EQ(verdict_of_primary(R"json(, "lsn": "0/8500000", "unarchived_bytes": 5242880)json"),
            kUpToSeven +
                "not archived yet: 5 MB, on the primary; the role of [postgres] conninfo may "
                "not see what its standbys have\n");
}

TEST(StatusVerdict, CallsNoStoppedServerThePrimary) {
  const auto stopped = [](const std::string& alone) {
    return verdict((R"json({"quorum": {"expression": "NONE", "held": true},
        "archive": {"last_segment": "000000010000000000000007"},
        "postgresql": {"role": "stopped", "lsn": "0/8500000", "unarchived_bytes": 5242880,
                       "alone_bytes": )json" +
                    alone + "}}")
                       .c_str());
  };
  EXPECT_EQ(stopped("5242880"),
            kUpToSeven + "not archived yet: 5 MB, on this stopped server alone\n");
  EXPECT_EQ(stopped("0"), kUpToSeven +
                              "not archived yet: 5 MB, on this stopped server and a standby that "
                              "streamed\n");
}

TEST(StatusVerdict, SaysNothingOfWhatIsArchivedToTheLastByte) {
  EXPECT_EQ(verdict_of_primary(R"json(, "lsn": "0/8000000", "unarchived_bytes": 0,
                                      "alone_bytes": 0)json"),
            kUpToSeven);
}

TEST(StatusVerdict, SaysThatWithoutConninfoWhatThePrimaryWritesIsNotKnown) {
  EXPECT_EQ(verdict_of_primary(""),
            kUpToSeven +
                "not archived yet: what the primary is writing; [postgres] conninfo "
                "lets status say how much that is\n");
}

TEST(StatusVerdict, PutsTheWorstFirstAndSaysWhatToDo) {
  EXPECT_EQ(
      verdict(R"json({"node": "pgdb1", "quorum": {"expression": "NONE", "held": true},
                 "archive": {"complete": true, "missing": 2, "fetch_error": "no space"},
                 "conflicts": [{"name": "B", "where": "pgdb3", "text": "hashes differ"}]})json"),
      "NOT SAFE: 1 conflict, the first: B at pgdb3: hashes differ\n"
      "HINT: `pgwalship conflicts show B` on that node says what to do\n"
      "  - 2 files are missing here and cannot be fetched: no space\n"
      "    HINT: the peers have them, and the archive here cannot take them in: free space, or "
      "mend its disk\n"
      "quorum NONE is held, recoverable to what is archived on 0 of 1 node (pgdb1: 2 files "
      "missing)\n");
}

// A peer's restart is no alarm yet, but nothing is acknowledged meanwhile.
TEST(StatusVerdict, AnArchiveThatCannotBeReadIsNotCalledIncomplete) {
  const std::string text = verdict(R"json({"node": "a", "quorum": {"held": true},
    "archive": {"error": "open directory '/a': Permission denied", "complete": false}})json");
  EXPECT_NE(text.find("on 0 of 1 node (a: its archive cannot be read)"), std::string::npos) << text;
  EXPECT_EQ(text.find("never complete"), std::string::npos) << text;
}

TEST(StatusVerdict, IsNotSafeFromTheFirstMomentWithoutAQuorum) {
  EXPECT_EQ(verdict(R"json({"quorum": {"expression": "ANY 1 (*)", "held": false,
                                       "since_seconds": 1, "why": "pgdb2 is down"}})json"),
            "NOT SAFE: quorum ANY 1 (*) not held for 1 s: pgdb2 is down\n"
            "HINT: start the peers that are down, or mend what is said of them; without a quorum "
            "pg_wal fills\n"
            "recoverable to what is archived on 1 of 1 node\n");
}

TEST(StatusVerdict, H40WarnsBeforeADeadServersWalIsDestroyed) {
  EXPECT_EQ(verdict(R"json({"quorum": {"expression": "NONE", "held": true},
                            "postgresql": {"role": "stopped", "unarchived": 3,
                                           "data_directory": "/pg"}})json"),
            "ATTENTION: PostgreSQL is stopped, and its pg_wal holds 3 files that were never "
            "archived\n"
            "HINT: run `pgwalship rescue /pg` before pg_rewind, pg_basebackup or removing "
            "PGSQL.lock\n"
            "quorum NONE is held, recoverable to what is archived on 1 of 1 node\n");
}

}  // namespace
}  // namespace pgwalship
