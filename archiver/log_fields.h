// Names of fields that log lines carry into the journal, and the ids of messages that programs wait
// for (`journalctl MESSAGE_ID=...`, systemd.journal-fields(7)). docs/monitoring/README.md has them.
#pragma once

#include "archiver/shipper_events.h"
#include "base/log.h"

#include <string_view>

namespace pgwalship {

inline constexpr std::string_view kMessageIdField = "MESSAGE_ID";
inline constexpr std::string_view kPeerField = "PGWALSHIP_PEER";
inline constexpr std::string_view kSegmentField = "PGWALSHIP_SEGMENT";

// Random, once and for ever.
inline constexpr std::string_view kQuorumLostMessage = "8b1f4c0d2f5e4f0f8c0b6f5d9a7e3c01";
inline constexpr std::string_view kQuorumHeldMessage = "5d2a7e9b4c1f4d3e8a6b0c9f7e1d2b02";
inline constexpr std::string_view kPeerLostMessage = "c47e1a5f9b3d4e2c8f0a6d7b5c9e1f03";
inline constexpr std::string_view kPeerConnectedMessage = "e19c3b7d5f2a4c8e9d1b0f6a4e7c2d04";
inline constexpr std::string_view kConflictMessage = "a6d8f2c4e0b14f7a9c3e5d1b7f9a0e06";

constexpr LogLevel level_of(Gravity gravity) {
  switch (gravity) {
    case Gravity::kInfo:
      return LogLevel::kInfo;
    case Gravity::kWarning:
      return LogLevel::kWarning;
    case Gravity::kError:
      return LogLevel::kError;
  }
  return LogLevel::kError;
}

}  // namespace pgwalship
