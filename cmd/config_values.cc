#include "cmd/config_values.h"

#include "cmd/config_keys.h"
#include "cmd/units.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace pgwalship {
namespace {

std::string level_text(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kError:
      return "error";
  }
  return "?";
}

// Empty: as the daemon finds when it starts.
std::string target_text(const std::optional<LogTarget>& target) {
  if (!target) {
    return "";
  }
  switch (*target) {
    case LogTarget::kJournal:
      return "journal";
    case LogTarget::kSyslog:
      return "syslog";
    case LogTarget::kStderr:
      return "stderr";
  }
  return "?";
}

std::string switch_text(bool on) {
  return on ? "on" : "off";
}

std::string days_text(std::chrono::milliseconds time) {
  return std::to_string(time / std::chrono::hours(24));
}

std::string number_text(const std::optional<int>& number) {
  return number ? std::to_string(*number) : "";
}

struct Reader {
  std::string_view section;
  std::string_view key;
  std::string (*read)(const Config& config);
};

// Keys whose value is a plain text stand last; a test compares this with the table of keys.
const std::array kReaders = std::to_array<Reader>({
    {"cluster", "name", [](const Config& c) { return c.cluster.name; }},
    {"cluster", "node-name", [](const Config& c) { return c.node_name; }},
    {"cluster", "quorum", [](const Config& c) { return c.quorum.text(); }},
    {"cluster", "push-timeout",
     [](const Config& c) { return duration_text(c.cluster.push_timeout); }},
    {"cluster", "on-quorum-loss",
     [](const Config& c) {
       return std::string(c.cluster.on_quorum_loss == OnQuorumLoss::kLocal ? "local" : "wait");
     }},
    {"archive", "directory", [](const Config& c) { return c.archive.directory; }},
    {"archive", "compression-level",
     [](const Config& c) { return std::to_string(c.archive.compression_level); }},
    {"archive", "compression-threads",
     [](const Config& c) { return std::to_string(c.archive.compression_threads); }},
    {"archive", "minimum-free",
     [](const Config& c) { return size_text(c.archive.minimum_free_bytes); }},
    {"archive", "scrub",
     [](const Config& c) {
       return c.archive.scrub.count() == 0 ? std::string("off") : duration_text(c.archive.scrub);
     }},
    {"postgres", "data-directory", [](const Config& c) { return c.postgres.data_directory; }},
    {"postgres", "conninfo", [](const Config& c) { return c.postgres.conninfo; }},
    {"postgres", "pg-wal-minimum-free",
     [](const Config& c) { return size_text(c.postgres.pg_wal_minimum_free_bytes); }},
    {"postgres", "pg-wal-warning",
     [](const Config& c) { return duration_text(c.postgres.pg_wal_warning); }},
    {"postgres", "pg-wal-critical",
     [](const Config& c) { return duration_text(c.postgres.pg_wal_critical); }},
    {"postgres", "acknowledge-from-pg-wal",
     [](const Config& c) { return switch_text(c.postgres.acknowledge_from_pg_wal); }},
    {"postgres", "look-ahead",
     [](const Config& c) {
       return c.postgres.data_directory.empty() ? "" : std::to_string(c.postgres.look_ahead);
     }},
    {"ssh", "user", [](const Config& c) { return c.ssh.user; }},
    {"ssh", "identity", [](const Config& c) { return c.ssh.identity; }},
    {"ssh", "known-hosts", [](const Config& c) { return c.ssh.known_hosts; }},
    {"ssh", "ciphers", [](const Config& c) { return c.ssh.ciphers; }},
    {"ssh", "connect-timeout",
     [](const Config& c) { return duration_text(c.ssh.connect_timeout); }},
    {"ssh", "keepalive", [](const Config& c) { return duration_text(c.ssh.keepalive); }},
    {"ssh", "sessions", [](const Config& c) { return std::to_string(c.ssh.sessions); }},
    {"restore", "fetch-timeout",
     [](const Config& c) { return duration_text(c.restore.fetch_timeout); }},
    {"restore", "prefetch", [](const Config& c) { return std::to_string(c.restore.prefetch); }},
    {"retention", "backups", [](const Config& c) { return number_text(c.retention.backups); }},
    {"retention", "days",
     [](const Config& c) { return c.retention.days ? days_text(*c.retention.days) : ""; }},
    {"retention", "size",
     [](const Config&
            c) { return c.retention.size_bytes ? size_text(*c.retention.size_bytes) : ""; }},
    {"retention", "interval", [](const Config& c) { return duration_text(c.retention.interval); }},
    {"daemon", "socket", [](const Config& c) { return c.daemon.socket; }},
    {"daemon", "log-level", [](const Config& c) { return level_text(c.daemon.log_level); }},
    {"daemon", "log-target", [](const Config& c) { return target_text(c.daemon.log_target); }},
    {"daemon", "metrics-listen", [](const Config& c) { return c.daemon.metrics_listen; }},
});

std::string node_text(const Node& node) {
  std::string text = node.name;
  if (!node.site.empty()) {
    text += " site=" + node.site;
  }
  return text + " address=" + node.address + " port=" + std::to_string(node.port);
}

std::string source_of(const Config& config, const std::string& section, const std::string& key) {
  if (const auto line = config.lines.find("[" + section + "] " + key); line != config.lines.end()) {
    return config.path + ":" + std::to_string(line->second);
  }
  if (key == "node-name") {
    return "host name";
  }
  if (section == "ssh" && key == "user") {
    return "current user";
  }
  return "default";
}

ConfigValue value_of(const Config& config, const ConfigKey& key) {
  ConfigValue value{std::string(key.section), std::string(key.name), "", ""};
  value.source = source_of(config, value.section, value.key);
  const auto* reader = std::find_if(kReaders.begin(), kReaders.end(), [&](const Reader& each) {
    return each.section == key.section && each.key == key.name;
  });
  if (reader != kReaders.end()) {
    value.value = reader->read(config);
  }
  return value;
}

}  // namespace

std::vector<ConfigValue> config_values(const Config& config) {
  std::vector<ConfigValue> values;
  for (const ConfigKey& key : all_config_keys()) {
    if (key.times != ConfigKey::Times::kRepeated) {
      values.push_back(value_of(config, key));
      continue;
    }
    for (const Node& node : config.nodes.nodes) {
      values.push_back({std::string(key.section), std::string(key.name), node_text(node),
                        source_of(config, std::string(key.section), std::string(key.name))});
    }
  }
  return values;
}

Result<std::vector<ConfigValue>> find_config_values(const Config& config, std::string_view key) {
  std::string wanted(key);
  if (wanted.starts_with('[')) {
    wanted.erase(0, 1);
    if (const std::size_t end = wanted.find("] "); end != std::string::npos) {
      wanted.replace(end, 2, ".");
    }
  }
  const std::size_t dot = wanted.find('.');
  const std::string section = wanted.substr(0, dot);
  const std::string name = dot == std::string::npos ? "" : wanted.substr(dot + 1);
  if (find_config_key(section, name) == nullptr) {
    const Error reason = name.empty() || !is_config_section(section) ? unknown_section(section)
                                                                     : unknown_key(section, name);
    return Error{Errc::kInvalid, "'" + std::string(key) + "' is no key",
                 name.empty() ? "write SECTION.KEY, such as archive.directory" : reason.hint};
  }
  std::vector<ConfigValue> found;
  for (ConfigValue& value : config_values(config)) {
    if (value.section == section && value.key == name) {
      found.push_back(std::move(value));
    }
  }
  return found;
}

std::string config_text(const Config& config) {
  constexpr std::size_t kSourceColumn = 56;
  std::string text;
  std::string section;
  for (const ConfigValue& value : config_values(config)) {
    if (value.section != section) {
      section = value.section;
      text += (text.empty() ? "[" : "\n[") + section + "]\n";
    }
    std::string line =
        value.value.empty() ? "# " + value.key + " is not set" : value.key + " = " + value.value;
    if (!value.value.empty()) {
      line.resize(std::max(line.size() + 2, kSourceColumn), ' ');
      line += "# " + value.source;
    }
    text += line + "\n";
  }
  return text;
}

std::string config_json(const Config& config) {
  nlohmann::ordered_json keys = nlohmann::ordered_json::array();
  for (const ConfigValue& value : config_values(config)) {
    keys.push_back({{"section", value.section},
                    {"key", value.key},
                    {"value", value.value},
                    {"source", value.source}});
  }
  const nlohmann::ordered_json json{
      {"schema", 1}, {"file", config.path}, {"node", config.node_name}, {"keys", keys}};
  constexpr int kIndent = 2;
  return json.dump(kIndent, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace pgwalship
