#include "cmd/reload.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pgwalship {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const std::string kText = R"(
[cluster]
name = main
node = pgdb1 address=10.0.0.1
node = pgdb2 address=10.0.0.2
node-name = pgdb1
quorum = ANY 1 (*)
[archive]
directory = /archive
[ssh]
user = postgres
identity = /key
known-hosts = /hosts
[daemon]
log-level = info
)";

Config config(const std::string& from = "", const std::string& to = "") {
  std::string text = kText;
  if (!from.empty()) {
    text.replace(text.find(from), from.size(), to);
  }
  auto parsed = parse_config(text, "test.conf");
  EXPECT_TRUE(parsed.ok()) << parsed.error().text();
  return parsed.value();
}

TEST(Reload, NothingHasChanged) {
  const ReloadPlan plan = compare_configs(config(), config());
  EXPECT_THAT(plan.taken, IsEmpty());
  EXPECT_THAT(plan.waiting, IsEmpty());
  EXPECT_EQ(text_of(plan), "reload: nothing has changed");
}

TEST(Reload, TakesOverWhatItCanAndNamesTheRest) {
  const Config fresh = config("[daemon]\nlog-level = info",
                              "[daemon]\nlog-level = debug\nsocket = /s\n[retention]\ndays = 3");
  const ReloadPlan plan = compare_configs(config(), fresh);
  EXPECT_THAT(plan.taken, ElementsAre("[retention] days", "[daemon] log-level"));
  EXPECT_THAT(plan.waiting, ElementsAre("[daemon] socket"));
  EXPECT_EQ(text_of(plan),
            "reload: taken over: [retention] days, [daemon] log-level; needs a restart: [daemon] "
            "socket");
  const Config merged = merge_configs(config(), fresh);
  EXPECT_EQ(merged.daemon.log_level, LogLevel::kDebug);
  EXPECT_EQ(merged.retention.days, std::chrono::hours(72));
  EXPECT_EQ(merged.daemon.socket, config().daemon.socket);
}

TEST(Reload, WhatWaitsForARestartIsSaidEachTime) {
  const Config fresh = config("quorum = ANY 1 (*)", "quorum = NONE");
  const Config merged = merge_configs(config(), fresh);
  EXPECT_EQ(merged.quorum.text(), "ANY 1 (*)");
  EXPECT_THAT(compare_configs(merged, fresh).waiting, ElementsAre("[cluster] quorum"));
}

TEST(Reload, TakesOverTheAddressesOfTheSameNodes) {
  const Config fresh = config("address=10.0.0.2", "address=10.9.9.9 port=2222");
  EXPECT_THAT(compare_configs(config(), fresh).taken, ElementsAre("the address of pgdb2"));
  const Config merged = merge_configs(config(), fresh);
  EXPECT_EQ(merged.nodes.at(1).address, "10.9.9.9");
  EXPECT_EQ(merged.nodes.at(1).port, 2222);
  EXPECT_THAT(compare_configs(merged, fresh).taken, IsEmpty());
}

TEST(Reload, H43OtherNodesNeedARestart) {
  for (const auto& [from, to] :
       {std::pair{"node = pgdb2 address=10.0.0.2", "node = pgdb2\nnode = pgdb3"},
        std::pair{"node = pgdb2 address=10.0.0.2", "node = pgdb3 address=10.0.0.2"},
        std::pair{"node = pgdb2 address=10.0.0.2", "node = pgdb2 address=10.0.0.2 site=b"}}) {
    const Config fresh = config(from, to);
    EXPECT_THAT(compare_configs(config(), fresh).waiting, ElementsAre("[cluster] node")) << to;
    EXPECT_EQ(merge_configs(config(), fresh).nodes.size(), 2U) << to;
    EXPECT_EQ(merge_configs(config(), fresh).nodes.at(1).name, "pgdb2") << to;
  }
}

// A merge that forgets a key would say that it was taken over, and say it once.
TEST(Reload, EachReloadedKeyReachesTheMergedConfiguration) {
  const Config fresh = config(
      "[daemon]\nlog-level = info",
      "[daemon]\nlog-level = error\n[retention]\nbackups = 2\ndays = 3\nsize = 1GB\ninterval = "
      "2h\n[postgres]\npg-wal-warning = 3h\npg-wal-critical = 1h");
  const Config merged = merge_configs(config(), fresh);
  EXPECT_EQ(merged.retention.backups, 2);
  EXPECT_EQ(merged.retention.size_bytes, 1ULL << 30);
  EXPECT_EQ(merged.retention.interval, std::chrono::hours(2));
  EXPECT_EQ(merged.postgres.pg_wal_warning, std::chrono::hours(3));
  EXPECT_EQ(merged.postgres.pg_wal_critical, std::chrono::hours(1));
  const Config others = merge_configs(
      config(), config("user = postgres", "user = other\nkeepalive = 1s\nconnect-timeout = 9s"));
  EXPECT_EQ(others.ssh.user, "other");
  EXPECT_EQ(others.ssh.keepalive, std::chrono::seconds(1));
  EXPECT_EQ(others.ssh.connect_timeout, std::chrono::seconds(9));
}

TEST(Reload, EveryKeyThatIsNamedExists) {
  int reloaded = 0;
  for (const std::string& key : config_keys()) {
    reloaded += when_taken_over(key) == TakenOver::kByReload ? 1 : 0;
  }
  EXPECT_EQ(reloaded, 15) << "cmd/reload.cc names a key that is none";
}

}  // namespace
}  // namespace pgwalship
