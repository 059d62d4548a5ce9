// docs/pgwalship.conf.example: every key is in it, and what it says is true.
#include "cmd/config.h"
#include "cmd/ini.h"

#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>
#include <string>

namespace pgwalship {
namespace {

std::string example() {
  std::ifstream file(PGWALSHIP_DOCS "/pgwalship.conf.example");
  std::ostringstream text;
  text << file.rdbuf();
  EXPECT_FALSE(text.str().empty());
  return text.str();
}

// Keys are commented out as "#key = value", words as "# words".
std::string uncommented(const std::string& text) {
  std::istringstream lines(text);
  std::string all;
  for (std::string line; std::getline(lines, line);) {
    const bool is_key = line.size() > 1 && line[0] == '#' && line[1] != ' ';
    all += (is_key ? line.substr(1) : line) + "\n";
  }
  return all;
}

TEST(ConfigExample, HasEveryKey) {
  std::set<std::string> shown;
  for (const IniEntry& entry : parse_ini(uncommented(example())).entries) {
    shown.insert("[" + entry.section + "] " + entry.key);
  }
  const auto keys = config_keys();
  EXPECT_EQ(shown, std::set<std::string>(keys.begin(), keys.end()));
}

TEST(ConfigExample, IsAllCommentsAndHeadings) {
  EXPECT_TRUE(parse_ini(example()).entries.empty());
}

TEST(ConfigExample, ShowsTheDefaultsWhenUncommented) {
  const auto parsed = parse_config(uncommented(example()), "pgwalship.conf.example");
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  const Config& config = parsed.value();
  EXPECT_EQ(config.nodes.size(), 3U);
  EXPECT_EQ(config.quorum.text(), "ANY 1 (*)");

  const Config defaults;
  EXPECT_EQ(config.cluster.name, defaults.cluster.name);
  EXPECT_EQ(config.cluster.push_timeout, defaults.cluster.push_timeout);
  EXPECT_EQ(config.cluster.on_quorum_loss, defaults.cluster.on_quorum_loss);
  EXPECT_EQ(config.archive.compression_level, defaults.archive.compression_level);
  EXPECT_EQ(config.archive.minimum_free_bytes, defaults.archive.minimum_free_bytes);
  EXPECT_EQ(config.ssh.ciphers, defaults.ssh.ciphers);
  EXPECT_EQ(config.ssh.connect_timeout, defaults.ssh.connect_timeout);
  EXPECT_EQ(config.ssh.keepalive, defaults.ssh.keepalive);
  EXPECT_EQ(config.ssh.sessions, defaults.ssh.sessions);
  EXPECT_EQ(config.restore.fetch_timeout, defaults.restore.fetch_timeout);
  EXPECT_EQ(config.restore.prefetch, defaults.restore.prefetch);
  EXPECT_EQ(config.postgres.look_ahead, defaults.postgres.look_ahead);
  EXPECT_EQ(config.archive.compression_threads, defaults.archive.compression_threads);
  EXPECT_EQ(config.archive.scrub, defaults.archive.scrub);
  EXPECT_EQ(config.postgres.pg_wal_warning, defaults.postgres.pg_wal_warning);
  EXPECT_EQ(config.postgres.pg_wal_critical, defaults.postgres.pg_wal_critical);
  EXPECT_EQ(config.retention.interval, defaults.retention.interval);
  EXPECT_EQ(config.daemon.socket, defaults.daemon.socket);
  EXPECT_EQ(config.daemon.log_level, defaults.daemon.log_level);
  EXPECT_EQ(config.daemon.log_target, LogTarget::kStderr) << "without systemd";
}

}  // namespace
}  // namespace pgwalship
