#include "cmd/config.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <set>
#include <string>
#include <vector>

namespace pgwalship {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kThreeNodes = R"([cluster]
name = main
node = pgdb1.example.com site=sitea address=10.0.0.1
node = pgdb2.example.com site=sitea address=10.0.0.2 port=2222
node = pgdb3.example.com site=siteb
node-name = pgdb2.example.com
[archive]
directory = /archive
[ssh]
user = postgres
identity = /etc/id
known-hosts = /etc/known_hosts
)";

std::string with(std::string_view more) {
  return std::string(kThreeNodes) + std::string(more);
}

std::string without(std::string_view line) {
  std::string text(kThreeNodes);
  const auto at = text.find(line);
  EXPECT_NE(at, std::string::npos) << line;
  return text.erase(at, text.find('\n', at) - at);  // the line stays, empty
}

LoadOptions on_host(const std::string& name, const std::string& full_name) {
  return {.lookups = Lookups::kAllowed,
          .host_name = [name] { return name; },
          .canonical_host_name = [full_name]() -> Result<std::string> {
            if (full_name.empty()) {
              return Error{Errc::kInvalid, "no name server answers", ""};
            }
            return full_name;
          }};
}

Config parsed(std::string_view text, const LoadOptions& options = on_host("elsewhere", "")) {
  auto config = parse_config(text, "f", options);
  EXPECT_TRUE(config.ok()) << config.error().message;
  return config.ok() ? std::move(config).value() : Config{};
}

std::string problems(std::string_view text,
                     const LoadOptions& options = on_host("elsewhere", "elsewhere.example.com")) {
  const auto config = parse_config(text, "f", options);
  if (config.ok()) {
    return "";
  }
  EXPECT_EQ(config.error().code, Errc::kInvalid);
  return config.error().message;
}

std::string problem_with_line(std::string_view section, std::string_view line) {
  return problems("[archive]\ndirectory = /archive\n[" + std::string(section) + "]\n" +
                  std::string(line) + "\n");
}

TEST(Config, ArchiveDirectoryAloneIsEnoughForOneNode) {
  const Config config = parsed("[archive]\ndirectory = /archive\n", on_host("box", ""));
  EXPECT_EQ(config.archive.directory, "/archive");
  EXPECT_EQ(config.nodes.size(), 0U);
  EXPECT_EQ(config.node_name, "box");
  EXPECT_TRUE(config.quorum.is_none());
  EXPECT_EQ(config.cluster.push_timeout, 15s);
  EXPECT_EQ(config.cluster.on_quorum_loss, OnQuorumLoss::kWait);
  EXPECT_EQ(config.archive.compression_level, 1);
  EXPECT_EQ(config.archive.minimum_free_bytes, 64U << 20);
  EXPECT_EQ(config.postgres.conninfo, "");
  EXPECT_EQ(config.restore.fetch_timeout, 60s);
  EXPECT_EQ(config.restore.prefetch, 8);
  EXPECT_EQ(config.postgres.look_ahead, 8);
  EXPECT_EQ(config.archive.compression_threads, 2);
  EXPECT_EQ(config.archive.scrub, std::chrono::hours(720));
  EXPECT_EQ(config.daemon.socket, "/run/pgwalship/pgwalship.sock");
}

TEST(Config, ReadsThreeNodes) {
  const Config config = parsed(kThreeNodes);
  ASSERT_EQ(config.nodes.size(), 3U);
  EXPECT_EQ(config.nodes.self, NodeId{1});
  EXPECT_EQ(config.node_name, "pgdb2.example.com");
  EXPECT_EQ(config.nodes.at(0).site, "sitea");
  EXPECT_EQ(config.nodes.at(0).address, "10.0.0.1");
  EXPECT_EQ(config.nodes.at(0).port, 22);
  EXPECT_EQ(config.nodes.at(1).port, 2222);
  EXPECT_EQ(config.nodes.at(2).address, "pgdb3.example.com");
  EXPECT_EQ(config.quorum.text(), "ANY 1 (*)");
  EXPECT_EQ(config.ssh.connect_timeout, 2s);
  EXPECT_EQ(config.ssh.keepalive, 3s);
  EXPECT_EQ(config.ssh.sessions, 1);
}

TEST(Config, ReadsEveryValue) {
  const Config config = parsed(with(R"(ciphers = aes256-ctr
connect-timeout = 500ms
keepalive = 1 s
sessions = 4
[archive]
compression-level = 9
minimum-free = 1GB
[cluster]
quorum = all(SITE:sitea)and any 1(*)
[cluster]
push-timeout = 1min
on-quorum-loss = local
[postgres]
data-directory = /pg/
conninfo = host=/tmp port=5433 # the second server
pg-wal-minimum-free = 2GB
[restore]
fetch-timeout = 0
[daemon]
socket = /tmp/s
log-level = debug
log-target = stderr
)"));
  EXPECT_EQ(config.ssh.ciphers, "aes256-ctr");
  EXPECT_EQ(config.ssh.connect_timeout, 500ms);
  EXPECT_EQ(config.ssh.keepalive, 1s);
  EXPECT_EQ(config.ssh.sessions, 4);
  EXPECT_EQ(config.archive.compression_level, 9);
  EXPECT_EQ(config.archive.minimum_free_bytes, 1U << 30);
  EXPECT_EQ(config.quorum.text(), "ALL (site:sitea) AND ANY 1 (*)");
  EXPECT_EQ(config.cluster.push_timeout, 60s);
  EXPECT_EQ(config.cluster.on_quorum_loss, OnQuorumLoss::kLocal);
  EXPECT_EQ(config.postgres.data_directory, "/pg");
  EXPECT_EQ(config.postgres.conninfo, "host=/tmp port=5433");
  EXPECT_EQ(config.postgres.pg_wal_minimum_free_bytes, 2ULL << 30);
  EXPECT_EQ(config.restore.fetch_timeout, 0s);
  EXPECT_EQ(config.daemon.socket, "/tmp/s");
  EXPECT_EQ(config.daemon.log_level, LogLevel::kDebug);
  EXPECT_EQ(config.daemon.log_target, LogTarget::kStderr);
}

TEST(Config, TellsEverythingThatIsWrongAtOnceWithFileLineAndKey) {
  EXPECT_EQ(problems(R"(stray = 1
[cluster]
nmae = main
node = pgdb1.example.com sight=a
node = pgdb2.example.com port=99999
quorum = ANY x (*)
push-timeout = 15
on-quorum-loss = perhaps
[archive]
directory = archive
compression-level = 10
minimum-free = 5%
minimum-free = 64MB
[postgres]
data-directory =
[shh]
user = postgres
[daemon]
socket = /run/s
log-level = loud
not a key
)"),
            R"(f:1: stray: stands before the first [section]
f:3: [cluster] nmae: unknown key (HINT: did you mean 'name'?)
f:4: [cluster] node: 'sight' is not known (HINT: after the name: site=, address=, port=)
f:5: [cluster] node: '99999' is not a number from 1 to 65535
f:6: [cluster] quorum: at character 5: a number expected, found 'x'
f:7: [cluster] push-timeout: '15' is not understood )"
            R"((HINT: a whole number and one of the units ms, s, min, h, d)
f:8: [cluster] on-quorum-loss: 'perhaps' is not known (HINT: one of wait, local)
f:10: [archive] directory: 'archive' is not an absolute path
f:11: [archive] compression-level: '10' is not a number from 1 to 9
f:12: [archive] minimum-free: '5%' is not understood )"
            R"((HINT: a whole number and one of the units B, kB, MB, GB, TB)
f:13: [archive] minimum-free: given twice, first in line 12
f:15: [postgres] data-directory: the value is missing
f:16: [shh]: unknown section (HINT: did you mean 'ssh'?)
f:20: [daemon] log-level: 'loud' is not known (HINT: one of debug, info, warning, error)
f:21: 'not a key' is not understood: write key = value)");
}

TEST(Config, SaysThatValuesStandWithoutQuotes) {
  EXPECT_EQ(parse_config("[archive]\ndirectory = '/a'\n", "f").error().message,
            "f:2: [archive] directory: ''/a'' is not an absolute path (HINT: values stand without "
            "quotes)");
}

TEST(Config, NamesWhatIsMissingAtTheLineOfItsSection) {
  EXPECT_EQ(problems(""), "f:1: [archive] directory: missing: where the segments go");
  EXPECT_EQ(problems("[daemon]\n[archive]\n[ssh]\n"),
            "f:2: [archive] directory: missing: where the segments go");
  EXPECT_EQ(problems(without("identity")),
            "f:9: [ssh] identity: missing: the private key for the other nodes");
  EXPECT_EQ(problems(without("known-hosts")),
            "f:9: [ssh] known-hosts: missing: the host keys of the other nodes");
  EXPECT_EQ(problems(without("name = main")),
            "f:1: [cluster] name: missing: the nodes of one cluster know each other by it");
}

TEST(Config, KnowsTheRulesOfRetention) {
  const auto parsed = parse_config(
      "[archive]\ndirectory = /a\n[retention]\nbackups = 2\ndays = 14\nsize = 1GB\n"
      "interval = 5min\n",
      "f");
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  const Config::Retention& retention = parsed.value().retention;
  EXPECT_EQ(retention.backups, 2);
  EXPECT_EQ(retention.days, std::chrono::hours(14 * 24));
  EXPECT_EQ(retention.size_bytes, 1ULL << 30U);
  EXPECT_EQ(retention.interval, std::chrono::minutes(5));
  const Config defaults;
  EXPECT_FALSE(defaults.retention.backups || defaults.retention.days ||
               defaults.retention.size_bytes);
}

TEST(Config, RefusesRulesThatWouldKeepNothing) {
  for (const char* line : {"backups = 0", "days = 0", "size = 0", "days = 14d"}) {
    EXPECT_NE(problem_with_line("retention", line), "") << line;
  }
}

TEST(Config, TheAlarmForPgWalComesAfterTheWarning) {
  EXPECT_EQ(problem_with_line("postgres", "pg-wal-critical = 2d"),
            "f:4: [postgres] pg-wal-critical: it is longer than pg-wal-warning (HINT: the alarm "
            "comes after the warning)");
}

TEST(Config, LookAheadNeedsToKnowWhereThereIsSomethingToSee) {
  const std::string found = problem_with_line("postgres", "look-ahead = 4");
  EXPECT_NE(found.find("[postgres] data-directory: missing: needed with look-ahead"),
            std::string::npos)
      << found;
}

TEST(Config, MetricsListenOnANumericAddressAndAPort) {
  for (const char* good : {"127.0.0.1:9187", "0.0.0.0:1", "[::1]:65535"}) {
    EXPECT_EQ(problem_with_line("daemon", "metrics-listen = " + std::string(good)), "");
  }
  for (const char* bad : {"9187", ":9187", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:65536",
                          "localhost:9187", "::1:9187", "[127.0.0.1]:80", "127.0.0.1:9187x"}) {
    const std::string found = problem_with_line("daemon", "metrics-listen = " + std::string(bad));
    EXPECT_NE(found.find("HINT: as in 127.0.0.1:9187"), std::string::npos) << bad << found;
  }
}

TEST(Config, SuggestsWhatWasMeant) {
  EXPECT_EQ(problem_with_line("restore", "fetch_timeout = 1s"),
            "f:4: [restore] fetch_timeout: unknown key (HINT: did you mean 'fetch-timeout'?)");
  EXPECT_EQ(problem_with_line("daemon", "identity = /k"),
            "f:4: [daemon] identity: unknown key (HINT: it belongs into [ssh])");
  EXPECT_EQ(problem_with_line("restore", "colour = red"),
            "f:4: [restore] colour: unknown key (HINT: one of fetch-timeout, prefetch)");
  EXPECT_EQ(problem_with_line("Daemon", "x = 1"),
            "f:3: [Daemon]: unknown section (HINT: did you mean 'daemon'?)");
}

TEST(Config, RefusesAVeryLongKeyAtOnce) {
  const std::string key(900'000, 'k');
  EXPECT_NE(problem_with_line("restore", key + " = 1").find("unknown key"), std::string::npos);
}

TEST(Config, ChecksSingleValues) {
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"cluster", "name = a b"},
      {"cluster", "push-timeout = 1ms"},
      {"cluster", "push-timeout = 1h"},
      {"cluster", "node = a/b"},
      {"cluster", "node = a site=Local"},
      {"cluster", "node = a site="},
      {"cluster", "node = a site=x site=y"},
      {"cluster", "node = a b"},
      {"cluster", "node = a port=0"},
      {"cluster", "node = a port=22x"},
      {"cluster", "node = a address=user@host"},
      {"cluster", "node = a address=-oProxyCommand"},
      {"archive", "compression-level = 0"},
      {"archive", "compression-level = fast"},
      {"archive", "minimum-free = 64"},
      {"ssh", "identity = ~/.ssh/id"},
      {"ssh", "keepalive = 4s"},
      {"ssh", "keepalive = 0"},
      {"ssh", "sessions = 0"},
      {"ssh", "sessions = 9"},
      {"ssh", "connect-timeout = 0"},
      {"ssh", "ciphers = aes256-ctr, aes128-ctr"},
      {"ssh", "ciphers = ,aes256-ctr"},
      {"restore", "fetch-timeout = 2h"},
      {"restore", "prefetch = 65"},
      {"postgres", "look-ahead = 17"},
      {"archive", "compression-threads = 0"},
      {"archive", "scrub = 10ms"},
      {"daemon", "socket = pgwalship.sock"},
      {"daemon", "socket = /" + std::string(107, 's')},
      {"daemon", "log-target = file"},
  };
  for (const auto& [section, line] : wrong) {
    const std::string key = line.substr(0, line.find(' '));
    const std::string start = "f:4: [" + section + "] " + key + ": ";
    const std::string found = problem_with_line(section, line);
    EXPECT_NE(("\n" + found).find("\n" + start), std::string::npos) << line << "\n" << found;
  }
  EXPECT_EQ(problem_with_line("daemon", "socket = /" + std::string(106, 's')), "");
}

TEST(Config, RefusesNodesThatCannotBeToldApart) {
  EXPECT_EQ(problems(with("[cluster]\nnode = pgdb1.example.com address=10.0.0.9\n")),
            "f:14: [cluster] node: 'pgdb1.example.com' is listed twice, first in line 3");
  EXPECT_EQ(problems(with("[cluster]\nnode = pgdb4 address=10.0.0.2 port=2222\n")),
            "f:14: [cluster] node: address 10.0.0.2 port 2222 is listed twice, first in line 4 "
            "(HINT: one archive under two names would count twice in a quorum)");
  EXPECT_EQ(problems(with("[cluster]\nnode = pgdb4 address=10.0.0.2\n")), "");
}

// Each node is a link with a thread of its own; and each problem costs a line of PostgreSQL's log.
TEST(Config, RefusesMoreNodesThanAClusterCanHave) {
  std::string lines = "[cluster]\n";
  for (int i = 0; i < 20'000; ++i) {
    lines += "node = n" + std::to_string(i) + " address=10.0.0.1\n";
  }
  EXPECT_EQ(problems(with(lines)),
            "f:75: [cluster] node: at most 64 nodes can be listed, these are 20003");
}

TEST(Config, SaysOfEachNodeOnceThatItIsListedTwice) {
  EXPECT_EQ(
      problems(with("[cluster]\nnode = pgdb4 address=10.0.0.4\nnode = pgdb5 address=10.0.0.4\n"
                    "node = pgdb6 address=10.0.0.4\n")),
      "f:15: [cluster] node: address 10.0.0.4 port 22 is listed twice, first in line 14 "
      "(HINT: one archive under two names would count twice in a quorum)\n"
      "f:16: [cluster] node: address 10.0.0.4 port 22 is listed twice, first in line 14 "
      "(HINT: one archive under two names would count twice in a quorum)");
}

TEST(Config, RefusesAQuorumThatCanNeverHold) {
  EXPECT_EQ(problems(with("[cluster]\nquorum = ANY 3 (*)\n")),
            "f:14: [cluster] quorum: ANY 3 (*) can never hold on node 'pgdb1.example.com': it "
            "names only 2 other nodes (HINT: a node never counts in its own list, and every node "
            "uses the same expression; where one is alone at its site, name the other site instead "
            "of site:local)");
  EXPECT_NE(problems(with("[cluster]\nquorum = ALL (site:local)\n")).find("'pgdb3.example.com'"),
            std::string::npos);
  EXPECT_EQ(problem_with_line("cluster", "quorum = ANY 1 (*)"),
            "f:4: [cluster] quorum: ANY 1 (*) can never hold: no node is listed (HINT: list the "
            "nodes, or write NONE)");
}

TEST(Config, OneListedNodeMustSayThatItWantsNoQuorum) {
  const std::string one =
      "[archive]\ndirectory = /a\n[cluster]\nname = main\nnode = a\nnode-name = a\n";
  EXPECT_EQ(problems(one).rfind("f:3: [cluster] quorum: ANY 1 (*) can never hold on node 'a'", 0),
            0U);
  EXPECT_TRUE(parsed(one + "quorum = NONE\n").quorum.is_none());
}

TEST(Config, DoesNotRepeatAProblemInWhatFollowsFromIt) {
  EXPECT_EQ(problems(with("[cluster]\nnode = a/b\nquorum = ANY 3 (*)\n")),
            "f:14: [cluster] node: 'a/b' is not a name (HINT: letters, digits, dot, hyphen and "
            "underscore, at most 253 of them)");
}

TEST(Config, OnQuorumLossLocalNeedsToKnowWhenPgWalIsShort) {
  EXPECT_EQ(problems(with("[cluster]\non-quorum-loss = local\n[postgres]\n")),
            "f:15: [postgres] data-directory: missing: needed with on-quorum-loss = local\n"
            "f:15: [postgres] pg-wal-minimum-free: missing: needed with on-quorum-loss = local");
  const std::string zero =
      "[cluster]\non-quorum-loss = local\n"
      "[postgres]\ndata-directory = /pg\npg-wal-minimum-free = 0\n";
  EXPECT_EQ(problems(with(zero)).rfind("f:17: [postgres] pg-wal-minimum-free: 0 would never", 0),
            0U);
}

TEST(Config, FindsItselfByTheHostNameWithoutDns) {
  const std::string text = without("node-name");
  EXPECT_EQ(parsed(text, on_host("pgdb3", "")).nodes.self, NodeId{2});
  EXPECT_EQ(parsed(text, on_host("pgdb3.example.com", "")).nodes.self, NodeId{2});
  EXPECT_EQ(parsed(text, on_host("pgdb3", "")).node_name, "pgdb3.example.com");
}

TEST(Config, FindsItselfByTheFullNameWhenTheHostNameIsNotEnough) {
  const std::string text = without("node-name") + "[cluster]\nnode = pgdb2.example.org\n";
  EXPECT_EQ(parsed(text, on_host("pgdb2", "pgdb2.example.org")).nodes.self, NodeId{3});
  EXPECT_EQ(parsed(text, on_host("box", "pgdb1.example.com")).nodes.self, NodeId{0});
}

TEST(Config, RefusesToRunOnAHostThatIsNoNode) {
  EXPECT_EQ(problems(without("node-name"), on_host("box", "box.example.com")),
            "f:1: [cluster] node-name: missing: this host is 'box.example.com', which is not one "
            "of the nodes (HINT: set it to one of the names in the node lines)");
  EXPECT_EQ(problems(without("node-name"), on_host("box", "")),
            "f:1: [cluster] node-name: missing: no name server answers (HINT: set it to one of "
            "the names in the node lines)");
  EXPECT_EQ(problems(without("node-name") + "[cluster]\nnode-name = pgdb9\n"),
            "f:14: [cluster] node-name: 'pgdb9' is not one of the nodes (HINT: add a node line)");
}

TEST(Config, AsksNobodyWhenLookupsAreNotAllowed) {
  LoadOptions options = on_host("box", "");
  options.lookups = Lookups::kNone;
  options.canonical_host_name = []() -> Result<std::string> {
    ADD_FAILURE() << "asked for the full host name";
    return std::string();
  };
  const Config config = parsed(without("node-name"), options);
  EXPECT_EQ(config.node_name, "box");
}

TEST(Config, UserIsTheCurrentOneByDefault) {
  EXPECT_FALSE(parsed(without("user = postgres")).ssh.user.empty());
}

TEST(Config, NamesAMissingFileAndHowToNameAnother) {
  const auto config = load_config("/nowhere/pgwalship.conf");
  ASSERT_FALSE(config.ok());
  EXPECT_EQ(config.error().code, Errc::kInvalid);
  EXPECT_NE(config.error().message.find("/nowhere/pgwalship.conf"), std::string::npos);
  for (const char* way : {"--config", "PGWALSHIP_CONFIG", "/etc/pgwalship/pgwalship.conf"}) {
    EXPECT_NE(config.error().hint.find(way), std::string::npos) << way;
  }
  EXPECT_FALSE(load_config("/").ok());
  EXPECT_FALSE(load_config("/dev/zero").ok());
}

TEST(Config, PathIsTheExplicitOneElseTheEnvironmentsElseTheDefault) {
  ::setenv("PGWALSHIP_CONFIG", "/from/environment", 1);
  EXPECT_EQ(find_config_path("/explicit"), "/explicit");
  EXPECT_EQ(find_config_path(""), "/from/environment");
  ::setenv("PGWALSHIP_CONFIG", "", 1);
  EXPECT_EQ(find_config_path(""), "/etc/pgwalship/pgwalship.conf");
  ::unsetenv("PGWALSHIP_CONFIG");
  EXPECT_EQ(find_config_path(""), "/etc/pgwalship/pgwalship.conf");
}

TEST(Config, AcknowledgingFromPgWalNeedsTheDataDirectory) {
  EXPECT_EQ(problems(with("[postgres]\nacknowledge-from-pg-wal = on\n")),
            "f:13: [postgres] data-directory: missing: needed with acknowledge-from-pg-wal = on");
  EXPECT_EQ(
      problems(with("[postgres]\nacknowledge-from-pg-wal = maybe\n")),
      "f:14: [postgres] acknowledge-from-pg-wal: 'maybe' is not known (HINT: one of on, off)");
}

TEST(ConfigDigest, H43DiffersWhenAMajorityCouldDiffer) {
  const std::string local =
      "[postgres]\ndata-directory = /pg\npg-wal-minimum-free = 1GB\n"
      "[cluster]\non-quorum-loss = local\n";
  std::string renamed(kThreeNodes);
  renamed.replace(renamed.find("name = main"), 11, "name = test");
  std::string moved(kThreeNodes);
  moved.replace(moved.find("siteb"), 5, "sitea");
  const std::set<std::uint64_t> digests = {
      config_digest(parsed(kThreeNodes)),
      config_digest(parsed(with("[cluster]\nquorum = ANY 2 (*)\n"))),
      config_digest(parsed(with("[cluster]\nquorum = NONE\n"))),
      config_digest(parsed(with("[cluster]\nnode = pgdb4.example.com\n"))),
      config_digest(parsed(without("node = pgdb3"))),
      config_digest(parsed(with(local))),
      config_digest(parsed(renamed)),
      config_digest(parsed(moved))};
  EXPECT_EQ(digests.size(), 8U);
}

TEST(ConfigDigest, H43IsTheSameOnEveryNodeOfOneCluster) {
  std::string other_order(kThreeNodes);
  const std::string line = "node = pgdb3.example.com site=siteb\n";
  other_order.erase(other_order.find(line), line.size());
  other_order.insert(other_order.find("node = pgdb1"), line);
  const std::uint64_t digest = config_digest(parsed(kThreeNodes));
  EXPECT_EQ(config_digest(parsed(other_order)), digest);
  EXPECT_EQ(config_digest(parsed(without("node-name"), on_host("pgdb1", ""))), digest);
  EXPECT_EQ(config_digest(parsed(with("[cluster]\nquorum = any 1(*)\n"))), digest);
  EXPECT_EQ(config_digest(parsed(with("[daemon]\nsocket = /other\n"))), digest);
}

// The value is compared between versions: it may not change with the compiler or the machine.
TEST(ConfigDigest, IsFnv1aOfTheNormalForm) {
  std::uint64_t expected = 14695981039346656037ULL;
  for (const char c : std::string("cluster main\n"
                                  "node pgdb1.example.com site=sitea\n"
                                  "node pgdb2.example.com site=sitea\n"
                                  "node pgdb3.example.com site=siteb\n"
                                  "quorum ANY 1 (*)\n"
                                  "on-quorum-loss wait\n")) {
    expected = (expected ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  }
  EXPECT_EQ(config_digest(parsed(kThreeNodes)), expected);
}

}  // namespace
}  // namespace pgwalship
