#include "cmd/status_view.h"

#include <gtest/gtest.h>

namespace pgwalship {
namespace {

std::string render(std::string_view json) {
  const auto text = render_status(json);
  EXPECT_TRUE(text.ok());
  return text.ok() ? text.value() : "";
}

std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

TEST(StatusView, ShowsTheWholeReport) {
  EXPECT_EQ(render(R"json({
    "version": 1, "node": "pgdb1", "cluster": "main", "role": "primary",
    "system_identifier": "7299870112345678901",
    "quorum": {"expression": "ANY 1 (*)", "held": false, "why": "pgdb2 is down"},
    "peers": [
      {"node": "pgdb2", "site": "east", "state": "down", "counts": false, "since_seconds": 7300,
       "last_error": "refused", "in_flight": 0, "backlog": 12, "round_trip_ms": null,
       "bytes_sent": 0, "files_sent": 0},
      {"node": "pgdb3", "site": "west", "state": "up", "counts": true, "since_seconds": 59,
       "last_error": "", "in_flight": 2, "backlog": 0, "round_trip_ms": 1.5,
       "bytes_sent": 1610612736, "files_sent": 300}],
    "archive": {"directory": "/archive", "files": 3, "free_bytes": 1048576,
      "ranges": [{"timeline": 1, "first": "A", "last": "B", "files": 2}],
      "last_segment": "B",
      "quarantined": ["x.gz"]},
    "push": {"last_name": "B", "last_age_seconds": 90, "last_error": "timed out",
      "last_error_age_seconds": 200000, "open": 1, "acknowledged": 5, "failed": 2},
    "conflicts": [{"name": "B", "where": "pgdb3", "text": "hashes differ"}],
    "postgresql": {"role": "primary", "ready": 4, "lsn": "0/7500000",
                   "age_seconds": 7, "unarchived_bytes": 5242880, "alone_bytes": 1048576}})json"),
            R"json(NOT SAFE: quorum ANY 1 (*) not held for 0 s: pgdb2 is down
HINT: start the peers that are down, or mend what is said of them; without a quorum pg_wal fills
  - only 1MB free for the archive
    HINT: free space there, or let old WAL go: [retention] in pgwalship.conf
  - 1 conflict, the first: B at pgdb3: hashes differ
    HINT: `pgwalship conflicts show B` on that node says what to do
  - 1 file in quarantine
    HINT: look at the disk's health; remove them by hand when the archive is good again
  - peer pgdb2 down for 2 h: refused
    HINT: `pgwalship config --check` says at which step it fails
recoverable up to B on 2 of 3 nodes (pgdb2: down for 2 h, lacks 12 files)
not archived yet: 5 MB, 1 MB of it on the primary alone, as of 7 s ago

pgdb1, cluster main, system identifier 7299870112345678901

PostgreSQL: primary, at 0/7500000, 4 segments wait in pg_wal; asked 7 s ago

Peers
  peer   site  state  since  counts  lacks     in flight  round trip  sent
  pgdb2  east  down   2 h    no      12 files                         0 files, 0 B
  pgdb3  west  up     59 s   yes     0         2          1.5 ms      300 files, 1.5 GB
  pgdb2: refused

Archive /archive: 3 files, 1 MB free
  timeline  first  last  files
  1         A      B     2
  in quarantine: x.gz

Push: 5 acknowledged, 2 failed, 1 open
  last: B, 90 s ago
  last error, 2 days ago: timed out

Conflicts (nothing was overwritten; both are kept)
  B at pgdb3: hashes differ
  What to do: `pgwalship conflicts show NAME` on the node that is named says it.
)json");
}

// Two reports tell how fast a peer catches up.
TEST(StatusView, SaysOnceWhyAPeerIsDown) {
  const std::string why = "log in as 'postgres' to 10.0.0.2:22: the key '/k' is refused";
  const std::string trouble = "pgdb2 is down for 15 s (" + why + "); pgdb3 is down for 13 s (no)";
  const std::string text = render(
      R"json({"node": "pgdb1", "quorum": {"expression": "ANY 1 (*)", "held": false,
        "since_seconds": 13, "why": "quorum ANY 1 (*) cannot be met: )json" +
      trouble + R"json("}, "peers": [
          {"node": "pgdb2", "state": "down", "last_error": ")json" +
      why + R"json(", "hint": "authorized_keys needs a line"},
          {"node": "pgdb3", "state": "down", "last_error": "no", "hint": ""}],
        "push": {"failing": true, "failing_seconds": 6, "last_error_age_seconds": 7,
                 "last_error": "A: stored here, but not on the quorum: )json" +
      trouble + R"json("}, "look_ahead": {
                 "last_error": "A: stored here, but not on the quorum: )json" +
      trouble + R"json("}})json");
  EXPECT_EQ(first_line(text),
            "NOT SAFE: quorum ANY 1 (*) not held for 13 s: pgdb2 is down for 15 s; "
            "pgdb3 is down for 13 s");
  EXPECT_NE(text.find("  pgdb2: " + why +
                      "\n    HINT: authorized_keys needs a line\n"
                      "  pgdb3: no\n"),
            std::string::npos)
      << text;
  EXPECT_EQ(text.find(why), text.rfind(why)) << text;
  EXPECT_EQ(text.find("stored here", text.find("Look-ahead")), std::string::npos) << text;
}

TEST(StatusView, ShowsRatesAndTimesToGoWithAnEarlierReport) {
  const EarlierReport earlier{R"json({"peers": [
      {"node": "pgdb2", "bytes_sent": 0, "files_sent": 100}]})json",
                              2};
  const auto text = render_status(R"json({"peers": [
      {"node": "pgdb2", "state": "catching_up", "counts": true, "backlog": 600, "in_flight": 4,
       "bytes_sent": 41943040, "files_sent": 120, "lag_seconds": 3700}]})json",
                                  Colours::kOff, earlier);
  ASSERT_TRUE(text.ok());
  EXPECT_NE(text.value().find(
                "  peer   state        counts  lacks      for     in flight  rate     to go  sent\n"
                "  pgdb2  catching_up  yes     600 files  61 min  4          20 MB/s  60 s   "
                "120 files, 40 MB\n"),
            std::string::npos)
      << text.value();
}

TEST(StatusView, ShowsHowManyOfAPeersSessionsAreUp) {
  const std::string text = render(R"json({"peers": [
      {"node": "pgdb2", "state": "current", "counts": true, "sessions": 4, "sessions_up": 3},
      {"node": "pgdb3", "state": "current", "counts": true, "sessions": 1,
       "sessions_up": 1}]})json");
  EXPECT_NE(text.find("  peer   state    counts  sessions  lacks\n"
                      "  pgdb2  current  yes     3 of 4    0\n"
                      "  pgdb3  current  yes               0\n"),
            std::string::npos)
      << text;
}

TEST(StatusView, AReportFromBeforeARestartGivesNoRate) {
  const EarlierReport earlier{R"json({"peers": [{"node": "pgdb2", "bytes_sent": 9000}]})json", 2};
  const auto text = render_status(
      R"json({"peers": [{"node": "pgdb2", "state": "current", "bytes_sent": 5}]})json",
      Colours::kOff, earlier);
  ASSERT_TRUE(text.ok());
  EXPECT_EQ(text.value().find("rate"), std::string::npos) << text.value();
}

TEST(StatusView, BearsWhatAnotherVersionSends) {
  for (const char* json :
       {"{}", R"json({"peers": 7, "archive": [], "push": "x", "quorum": null, "new": {}})json",
        R"json({"peers": [7, null, {"node": 5, "since_seconds": "x"}]})json",
        R"json({"archive": {"ranges": {}, "files": "many"}})json"}) {
    EXPECT_EQ(first_line(render(json)).substr(0, 9), "NOT SAFE:") << json;
  }
}

TEST(StatusView, RefusesWhatIsNoReport) {
  for (const char* json : {"", "7", "[]", "{\"node\": ", "not json"}) {
    const auto text = render_status(json);
    ASSERT_FALSE(text.ok()) << json;
    EXPECT_EQ(text.error().code, Errc::kProtocol);
  }
}

TEST(StatusView, H28ABadDiskDoesNotFillTheScreenWithItsFiles) {
  const std::string text = render(R"json({"archive": {"quarantined":
      ["1.gz", "2.gz", "3.gz", "4.gz", "5.gz", "6.gz", "7.gz"]}})json");
  EXPECT_NE(text.find("  in quarantine: 5.gz\n"
                      "  in quarantine: 2 more, in .pgwalship/quarantine\n"),
            std::string::npos)
      << text;
}

TEST(StatusView, H50SaysWhatIsSafeAheadOfThePush) {
  const std::string text = render(R"json({"look_ahead": {"waiting": 3, "in_flight": 2, "ahead": 5,
      "last_error": "", "unasked_seconds": 600}})json");
  EXPECT_NE(text.find("Look-ahead: 3 waiting, 2 on their way, 5 safe before"), std::string::npos)
      << text;
  EXPECT_NE(text.find("PostgreSQL has asked for nothing for 10 min"), std::string::npos) << text;
}

TEST(StatusView, H17SaysWhenPgWalFillsUp) {
  const std::string text = render(R"json({
    "quorum": {"expression": "NONE", "held": true, "why": ""},
    "postgresql": {"role": "primary", "pg_wal": {"state": "critical", "free_bytes": 1073741824,
                   "full_in_seconds": 5400}}})json");
  EXPECT_EQ(first_line(text), "NOT SAFE: pg_wal's file system is full in 90 min");
  EXPECT_NE(text.find("  pg_wal: critical: its file system is full in 90 min at the present rate, "
                      "1 GB free\n"),
            std::string::npos)
      << text;
}

TEST(StatusView, SaysHowLongTheOldestWaitsWhenOneDoes) {
  const auto waiting = [](const std::string& ready) {
    return render(R"json({"postgresql": {"role": "primary", "ready": )json" + ready +
                  R"json(, "oldest_ready_age_seconds": 0}})json");
  };
  EXPECT_NE(waiting("1").find("1 segment waits in pg_wal, the oldest for 0 s\n"),
            std::string::npos);
  EXPECT_NE(waiting("0").find("0 segments wait in pg_wal\n"), std::string::npos);
}

TEST(StatusView, SaysWhatHasExpiredAndWhatIsHeldBack) {
  const std::string text = render(R"json({
    "quorum": {"expression": "NONE", "held": true, "why": ""},
    "retention": {"configured": true, "floor": "000000000000000A", "floor_lsn": "0/A000000",
                  "removed": 9, "last_age_seconds": 300, "trouble": "pgdb2 is silent"}})json");
  EXPECT_NE(text.find("\nRetention: what is below 0/A000000 has expired, last run 5 min ago\n"
                      "  held back: pgdb2 is silent\n"),
            std::string::npos)
      << text;
}

}  // namespace
}  // namespace pgwalship
