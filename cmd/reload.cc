#include "cmd/reload.h"

#include <algorithm>
#include <array>
#include <span>

namespace pgwalship {

namespace {

constexpr std::string_view kNodeKey = "[cluster] node";

// A key that is in neither list waits for a restart.
constexpr std::array<std::string_view, 15> kReloaded = {"[cluster] push-timeout",
                                                        "[archive] scrub",
                                                        "[postgres] pg-wal-warning",
                                                        "[postgres] pg-wal-critical",
                                                        "[ssh] user",
                                                        "[ssh] identity",
                                                        "[ssh] known-hosts",
                                                        "[ssh] ciphers",
                                                        "[ssh] connect-timeout",
                                                        "[ssh] keepalive",
                                                        "[retention] backups",
                                                        "[retention] days",
                                                        "[retention] size",
                                                        "[retention] interval",
                                                        "[daemon] log-level"};
constexpr std::array<std::string_view, 1> kReadByEachCommand = {"[restore] fetch-timeout"};

bool lists(std::span<const std::string_view> keys, std::string_view key) {
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

std::string value_of(const Config& config, std::string_view key) {
  const auto found = config.values.find(key);
  return found == config.values.end() ? "" : found->second;
}

// Whatever must be equal for an address to mean the same node.
bool same_nodes(const NodeList& one, const NodeList& other) {
  return one.self == other.self &&
         std::equal(
             one.nodes.begin(), one.nodes.end(), other.nodes.begin(), other.nodes.end(),
             [](const Node& a, const Node& b) { return a.name == b.name && a.site == b.site; });
}

void compare_nodes(ReloadPlan& plan, const Config& running, const Config& fresh) {
  if (!same_nodes(running.nodes, fresh.nodes)) {
    plan.waiting.emplace_back(kNodeKey);
    return;
  }
  for (NodeId id = 0; id < fresh.nodes.size(); ++id) {
    const Node& before = running.nodes.at(id);
    const Node& after = fresh.nodes.at(id);
    if (before.address != after.address || before.port != after.port) {
      plan.taken.push_back("the address of " + after.name);
    }
  }
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) {
    text += (text.empty() ? "" : ", ") + word;
  }
  return text;
}

}  // namespace

TakenOver when_taken_over(std::string_view key) {
  return lists(kReloaded, key)            ? TakenOver::kByReload
         : lists(kReadByEachCommand, key) ? TakenOver::kAtOnce
                                          : TakenOver::kAtRestart;
}

ReloadPlan compare_configs(const Config& running, const Config& fresh) {
  ReloadPlan plan;
  for (const std::string& key : config_keys()) {
    if (key == kNodeKey) {
      compare_nodes(plan, running, fresh);
      continue;
    }
    if (value_of(running, key) == value_of(fresh, key)) {
      continue;
    }
    auto& list = when_taken_over(key) == TakenOver::kAtRestart ? plan.waiting : plan.taken;
    list.push_back(key);
  }
  return plan;
}

Config merge_configs(const Config& running, const Config& fresh) {
  Config merged = running;
  merged.cluster.push_timeout = fresh.cluster.push_timeout;
  merged.archive.scrub = fresh.archive.scrub;
  merged.postgres.pg_wal_warning = fresh.postgres.pg_wal_warning;
  merged.postgres.pg_wal_critical = fresh.postgres.pg_wal_critical;
  merged.ssh = fresh.ssh;
  merged.retention = fresh.retention;
  merged.daemon.log_level = fresh.daemon.log_level;
  if (same_nodes(running.nodes, fresh.nodes)) {
    merged.nodes = fresh.nodes;
    merged.values[std::string(kNodeKey)] = value_of(fresh, kNodeKey);
  }
  for (const std::string& key : config_keys()) {
    if (when_taken_over(key) != TakenOver::kAtRestart) {
      merged.values[key] = value_of(fresh, key);
    }
  }
  return merged;
}

std::string text_of(const ReloadPlan& plan) {
  if (plan.taken.empty() && plan.waiting.empty()) {
    return "reload: nothing has changed";
  }
  std::string text = "reload: ";
  if (!plan.taken.empty()) {
    text += "taken over: " + joined(plan.taken);
  }
  if (!plan.waiting.empty()) {
    text +=
        (plan.taken.empty() ? "needs a restart: " : "; needs a restart: ") + joined(plan.waiting);
  }
  return text;
}

}  // namespace pgwalship
