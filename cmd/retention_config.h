// The rules of [retention], from the configuration.
#pragma once

#include "archiver/retention.h"
#include "cmd/config.h"

namespace pgwalship {

inline RetentionRules retention_rules(const Config& config) {
  RetentionRules rules;
  if (config.retention.backups) {
    rules.backups = static_cast<std::uint32_t>(*config.retention.backups);
  }
  rules.days = config.retention.days;
  rules.size_bytes = config.retention.size_bytes;
  return rules;
}

}  // namespace pgwalship
