// What `config` prints, and what `config --check` makes of what it sees.
#include "base/posix_file_system.h"
#include "cmd/config_values.h"
#include "cmd/machine_checks.h"
#include "cmd/peer_checks.h"
#include "cmd/postgres_checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace pgwalship {
namespace {

using State = CheckLine::State;
using testing::Contains;
using testing::Field;
using testing::HasSubstr;
using testing::Not;

Config config() {
  LoadOptions options;
  options.host_name = [] { return std::string("pgdb1"); };
  auto loaded = parse_config(
      "[cluster]\nname = main\nnode = pgdb1 site=a\nnode = pgdb2 port=2222\n[archive]\n"
      "directory = /archive\n[ssh]\nuser = postgres\nidentity = /k\nknown-hosts = /h\n",
      "/etc/x.conf", options);
  EXPECT_TRUE(loaded.ok()) << loaded.error().message;
  return loaded.value();
}

TEST(ConfigValues, HaveEveryKeyOnce) {
  std::set<std::string> keys;
  for (const ConfigValue& value : config_values(config())) {
    keys.insert("[" + value.section + "] " + value.key);
    const bool may_be_unset = value.section == "retention" || value.section == "postgres" ||
                              value.section == "pacemaker" || value.key == "log-target" ||
                              value.key == "metrics-listen";
    EXPECT_TRUE(may_be_unset || !value.value.empty()) << value.key;
  }
  const auto known = config_keys();
  EXPECT_EQ(keys, std::set<std::string>(known.begin(), known.end()));
}

TEST(ConfigValues, SayWhereTheyComeFrom) {
  const auto source = [](const std::string& key) {
    return find_config_values(config(), key).value().front().source;
  };
  EXPECT_EQ(source("archive.directory"), "/etc/x.conf:6");
  EXPECT_EQ(source("[daemon] socket"), "default");
  EXPECT_EQ(source("cluster.node-name"), "host name");
  EXPECT_EQ(find_config_values(config(), "cluster.node").value().at(1).value,
            "pgdb2 address=pgdb2 port=2222");
}

TEST(ConfigValues, RefuseWhatIsNoKey) {
  EXPECT_THAT(find_config_values(config(), "archive.dir").error().message, HasSubstr("no key"));
  EXPECT_THAT(find_config_values(config(), "directory").error().hint, HasSubstr("SECTION.KEY"));
}

TEST(ConfigValues, AreAConfigurationThatSaysTheSame) {
  LoadOptions options;
  const Config first = config();
  const auto again = parse_config(config_text(first), "again", options);
  ASSERT_TRUE(again.ok()) << again.error().message << config_text(first);
  EXPECT_EQ(config_digest(again.value()), config_digest(first));
}

CheckLine line(const std::vector<CheckLine>& lines, const std::string& what) {
  const auto found = std::find_if(lines.begin(), lines.end(),
                                  [&](const CheckLine& each) { return each.what == what; });
  EXPECT_NE(found, lines.end()) << what;
  return found == lines.end() ? CheckLine{} : *found;
}

PeerProbe good_probe() {
  PeerProbe probe;
  probe.reached = SshStep::kStarted;
  probe.hello = Hello{};
  probe.hello->software = "pgwalship " PGWALSHIP_VERSION;
  probe.hello->system_id = 7;
  probe.hello->config_digest = config_digest(config());
  probe.machine = MachineFacts{1, 0, 10U << 30U, 64U << 20U};
  probe.stores = true;
  return probe;
}

std::vector<CheckLine> check(const PeerProbe& probe) {
  return peer_checks(config(), config().nodes.at(1), probe, 7);
}

TEST(PeerChecks, AreAllOkForAGoodPeer) {
  for (const CheckLine& each : check(good_probe())) {
    EXPECT_EQ(each.state, State::kOk) << each.what << ": " << each.text;
    EXPECT_EQ(each.subject, "pgdb2");
  }
  EXPECT_EQ(check_status(check(good_probe())), 0);
}

TEST(PeerChecks, FailWhereItStoppedAndSkipTheRest) {
  PeerProbe probe;
  probe.reached = SshStep::kConnected;
  probe.error = Error{Errc::kInvalid, "not pinned", "pin it"};
  const auto lines = check(probe);
  EXPECT_EQ(line(lines, "connection").state, State::kOk);
  EXPECT_EQ(line(lines, "host key").state, State::kFailed);
  EXPECT_EQ(line(lines, "host key").hint, "pin it");
  EXPECT_EQ(line(lines, "login").state, State::kSkipped);
  EXPECT_EQ(line(lines, "receiver").state, State::kSkipped);
  EXPECT_EQ(check_status(lines), 1);
}

// A key that is missing here was put down to the peer's name.
TEST(PeerChecks, WhatIsWrongHereIsNoFaultOfThePeer) {
  PeerProbe probe;
  probe.error = Error{Errc::kNotFound, "no private key", "pgwalship keys create"};
  const auto lines = check(probe);
  EXPECT_EQ(lines.front().what, "keys here");
  EXPECT_EQ(lines.front().hint, "pgwalship keys create");
  EXPECT_EQ(line(lines, "name").state, State::kSkipped);
  probe.reached = SshStep::kPrepared;
  EXPECT_EQ(line(check(probe), "name").state, State::kFailed);
}

TEST(PeerChecks, FailForAKeyThatOpensAShell) {
  PeerProbe probe;
  probe.reached = SshStep::kStarted;
  probe.error = Error{Errc::kProtocol, "no receiver", ""};
  probe.runs_any_command = true;
  EXPECT_THAT(line(check(probe), "receiver").text, HasSubstr("opens a shell"));
}

TEST(PeerChecks, H43WarnOfAnotherConfigurationAndFailForAnotherSystem) {
  PeerProbe probe = good_probe();
  probe.hello->config_digest = 1;
  EXPECT_EQ(line(check(probe), "configuration").state, State::kWarning);
  EXPECT_EQ(check_status(check(probe)), 3);
  probe.hello->system_id = 8;
  EXPECT_EQ(line(check(probe), "system identifier").state, State::kFailed);
}

TEST(PeerChecks, TellOfClockAndSpace) {
  PeerProbe probe = good_probe();
  probe.clock_ahead = -std::chrono::seconds(90);
  probe.machine->free_bytes = 1;
  EXPECT_THAT(line(check(probe), "clock").text, HasSubstr("90.0 s behind"));
  EXPECT_EQ(line(check(probe), "clock").state, State::kWarning);
  EXPECT_EQ(line(check(probe), "free space").state, State::kFailed);
}

TEST(PeerChecks, FailForAnArchiveThatStoresNothing) {
  PeerProbe probe = good_probe();
  probe.stores = false;
  probe.error = Error{Errc::kIo, "write a probe: Read-only file system", "mount it"};
  EXPECT_EQ(line(check(probe), "archive").state, State::kFailed);
  EXPECT_EQ(line(check(probe), "archive").hint, "mount it");
  probe.error.reset();
  EXPECT_THAT(line(check(probe), "archive").text, HasSubstr("other bytes"));
  // Said by the line of the free space.
  probe.machine->free_bytes = 1;
  probe.error = Error{Errc::kNoSpace, "write a probe: no space", ""};
  EXPECT_EQ(line(check(probe), "free space").state, State::kFailed);
  EXPECT_THAT(check(probe), Not(Contains(Field(&CheckLine::what, "archive"))));
}

TEST(MachineChecks, TellWhereTheFastCompressionIsMissing) {
  PosixFileSystem files;
  const auto compression = [&](GzipReader::Engine gzip) {
    return line(machine_checks(config(), {}, files, gzip).lines, "compression");
  };
  EXPECT_EQ(compression(GzipReader::Engine::kFastest).state, State::kOk);
  EXPECT_EQ(compression(GzipReader::Engine::kPortable).state, State::kWarning);
  EXPECT_THAT(compression(GzipReader::Engine::kPortable).hint, HasSubstr("libisal2"));
}

PostgresFacts server() {
  PostgresFacts facts;
  facts.reachable = true;
  facts.server_version = 150'010;
  facts.system_id = 7;
  facts.segment_bytes = 16U << 20U;
  facts.archive_mode = "on";
  facts.archive_command = "pgwalship --config /etc/x.conf push %p %f";
  facts.restore_command = "pgwalship --config /etc/x.conf fetch %f %p";
  facts.wal_level = "replica";
  return facts;
}

TEST(PostgresChecks, AreAllOkForAServerThatArchivesHere) {
  const auto lines = postgres_checks(config(), server(), {7, 16U << 20U});
  EXPECT_EQ(check_status(lines), 0) << check_text(lines);
}

TEST(PostgresChecks, FindWhatIsSetWrongly) {
  PostgresFacts facts = server();
  facts.archive_command = "/usr/local/bin/archive.sh %p %f";
  facts.restore_command = "";
  facts.wal_level = "minimal";
  const auto lines = postgres_checks(config(), facts, {8, 1U << 20U});
  EXPECT_EQ(line(lines, "archive_command").state, State::kFailed);
  EXPECT_THAT(line(lines, "archive_command").hint,
              HasSubstr("'pgwalship --config /etc/x.conf push %p %f'"));
  EXPECT_EQ(line(lines, "restore_command").state, State::kWarning);
  EXPECT_EQ(line(lines, "wal_level").state, State::kFailed);
  EXPECT_EQ(line(lines, "system identifier").state, State::kFailed);
  EXPECT_EQ(line(lines, "wal_segment_size").state, State::kWarning);
}

TEST(PostgresChecks, FindAServerThatRunsInAnotherDirectory) {
  PostgresFacts facts = server();
  facts.elsewhere = true;
  EXPECT_EQ(line(postgres_checks(config(), facts, {}), "data directory").state, State::kFailed);
}

TEST(PostgresChecks, WarnOfAServerOnAnotherMachine) {
  PostgresFacts facts = server();
  facts.far_address = "10.10.10.102";
  const auto lines = postgres_checks(config(), facts, {7, 16U << 20U});
  EXPECT_EQ(line(lines, "where").state, State::kWarning);
  EXPECT_THAT(line(lines, "where").text, HasSubstr("10.10.10.102"));
}

TEST(PostgresChecks, SayThatTheServerIsAway) {
  PostgresFacts facts;
  facts.error = "no such socket";
  EXPECT_EQ(line(postgres_checks(config(), facts, {}), "connection").state, State::kFailed);
}

TEST(PostgresChecks, SayWhatToLookAtWhenItDoesNotAnswer) {
  const auto hint = [](const std::string& error) {
    PostgresFacts facts;
    facts.error = error;
    return line(postgres_checks(config(), facts, {}), "connection").hint;
  };
  EXPECT_THAT(hint("connection to server on socket \"/tmp/.s.PGSQL.5433\" failed: No such file or "
                   "directory"),
              HasSubstr("does PostgreSQL run"));
  EXPECT_THAT(hint("PostgreSQL does not answer"), HasSubstr("does PostgreSQL run"));
  EXPECT_THAT(hint("invalid connection option \"hots\""), HasSubstr("no connection string"));
  EXPECT_THAT(hint("FATAL: Peer authentication failed for user \"postgres\""),
              HasSubstr("may this user connect"));
}

TEST(CheckLines, AreOneLineEachWithTheHintBelow) {
  CheckLines lines("pgdb2");
  lines.ok("name", "10.0.0.2");
  lines.fail("login", "refused", "do this");
  EXPECT_EQ(check_text(lines.take()),
            "pgdb2\n"
            "  OK    name   10.0.0.2\n"
            "  FAIL  login  refused\n"
            "        HINT: do this\n"
            "\n1 OK, 0 to look at, 1 failed\n");
}

}  // namespace
}  // namespace pgwalship
