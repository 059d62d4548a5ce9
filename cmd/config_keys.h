// What each key of the configuration file means: the table of keys, one setter each. Checks across
// keys are in config.cc.
#pragma once

#include "cmd/config.h"

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace pgwalship {

struct ConfigKey {
  enum class Times { kOnce, kRepeated };

  std::string_view section;
  std::string_view name;
  // kInvalid with what is wrong with the value.
  Result<void> (*set)(Config& config, std::string_view value);
  Times times = Times::kOnce;
};

std::span<const ConfigKey> all_config_keys();

bool is_config_section(std::string_view section);
const ConfigKey* find_config_key(std::string_view section, std::string_view name);

// Why a section or key is refused: of a later version, misspelt, in the wrong section.
Error unknown_section(std::string_view section);
Error unknown_key(std::string_view section, std::string_view name);

}  // namespace pgwalship
