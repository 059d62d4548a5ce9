// What a daemon does with a configuration that was read again. Pure: it compares the two and says,
// key by key, what is taken over and what waits for a restart.
#pragma once

#include "cmd/config.h"

#include <string>
#include <string_view>
#include <vector>

namespace pgwalship {

enum class TakenOver {
  kByReload,  // by SIGHUP
  kAtOnce,    // by each command, link or fetch that begins: the daemon has nothing to do with it
  kAtRestart,
};
// `key` as config_keys() gives it. Of [cluster] node, address= and port= are taken over by a
// reload; everything else of it waits for a restart.
TakenOver when_taken_over(std::string_view key);

struct ReloadPlan {
  std::vector<std::string> taken;    // "[ssh] keepalive", "the address of pgdb2"
  std::vector<std::string> waiting;  // for a restart
};
ReloadPlan compare_configs(const Config& running, const Config& fresh);

// What the running daemon has afterwards: `fresh` as far as it is taken over, else `running`.
Config merge_configs(const Config& running, const Config& fresh);

// The plan in one line, for the log.
std::string text_of(const ReloadPlan& plan);

}  // namespace pgwalship
