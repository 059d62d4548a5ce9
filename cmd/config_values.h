// The effective configuration, key by key, in the words of the file: what was given, and what holds
// where nothing was given. Pure.
#pragma once

#include "cmd/config.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pgwalship {

struct ConfigValue {
  std::string section;
  std::string key;
  std::string value;   // empty: not set, and there is no default
  std::string source;  // "FILE:LINE", "default", "host name"
};

// Every key, in the order of cmd/config_keys.cc; each node has one.
std::vector<ConfigValue> config_values(const Config& config);

// "archive.directory" or "[archive] directory". kInvalid for what is no key.
Result<std::vector<ConfigValue>> find_config_values(const Config& config, std::string_view key);

// As a configuration file, with the sources as comments.
std::string config_text(const Config& config);
std::string config_json(const Config& config);

}  // namespace pgwalship
