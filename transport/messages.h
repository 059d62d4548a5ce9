// The messages of docs/protocol.md section 4, in its order. encode() and decode() are exact
// inverses; decode() is total and gives kProtocol for anything that is not a well-formed message
// (too short, too long, an enumerator out of range, a name that is no WalName).
#pragma once

#include "base/bytes.h"
#include "base/file_system.h"
#include "base/result.h"
#include "transport/frame.h"
#include "transport/report_messages.h"
#include "wal/archive_compare.h"
#include "wal/archive_store.h"
#include "wal/gzip.h"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace pgwalship {

inline constexpr std::uint32_t kProtocolMagic = 0x53574750;  // the bytes "PGWS"
inline constexpr std::uint16_t kProtocolVersion = 1;
inline constexpr std::uint16_t kProtocolVersionMin = 1;
// Bits of Hello::capabilities.
inline constexpr std::uint64_t kTakesOffers = 1;
inline constexpr std::size_t kOpenPutsMax = 64;
inline constexpr std::size_t kOpenGetsMax = 64;
inline constexpr std::size_t kOpenComparesMax = 4;
inline constexpr std::size_t kOpenReadsMax = 512;  // Stats with Look::kContent
// 1 GiB of raw content, and room for what gzip adds to content that does not shrink.
inline constexpr std::uint64_t kFileBytesMax = kSegmentBytesMax + kSegmentBytesMax / 64;

enum class Role : std::uint8_t { kClient = 1, kDaemon = 2, kReceiver = 3, kAnsweringDaemon = 4 };

struct Hello {
  std::uint16_t version = kProtocolVersion;
  std::uint16_t version_min = kProtocolVersionMin;
  std::uint64_t capabilities = 0;
  Role role = Role::kClient;
  std::string software;  // "pgwalship 0.1.0"
  std::string cluster;
  std::string node;
  std::uint64_t system_id = 0;
  std::uint64_t config_digest = 0;
  bool reconciled = false;
  std::uint8_t compression_level = 0;
  SegmentPosition floor = 0;
};
struct Failure {
  Error error;
};
struct Put {
  std::uint64_t id = 0;
  WalName name;
  std::uint64_t file_bytes = 0;
  FileFacts facts;
};
struct Data {
  std::uint64_t id = 0;
  Bytes bytes;
};
struct PutEnd {
  std::uint64_t id = 0;
  std::uint32_t file_crc32 = 0;
};
struct Done {
  std::uint64_t id = 0;
  PutOutcome outcome = PutOutcome::kStored;  // meaningful without an error
  std::optional<Error> error;
  std::string warning;  // of a success, for the operator; usually empty
};
// kContent: all of it is read, in the answerer's own time. What is worth knowing before the last
// other copy goes.
enum class Look : std::uint8_t { kHeader = 0, kContent = 1 };
struct Stat {
  std::uint64_t id = 0;
  WalName name;
  Look look = Look::kHeader;
};
enum class Presence : std::uint8_t {
  kAbsent = 0,
  kPresent = 1,
  kCorrupt = 2,
  kExpired = 3,   // absent, and may have expired
  kVanished = 4,  // absent, and may be what other hands have taken away
};
struct StatResult {
  std::uint64_t id = 0;
  Presence presence = Presence::kAbsent;
  bool reconciled = false;
  std::uint64_t file_bytes = 0;
  FileFacts facts;
  SegmentPosition needs = 0;  // of the answerer's server; 0: not known
};
// Who waits for a file: bytes that nobody waits for yet go out when there are no others.
enum class Urgency : std::uint8_t { kWanted = 0, kAhead = 1 };
struct Get {
  std::uint64_t id = 0;
  WalName name;
  Urgency urgency = Urgency::kWanted;
};
struct GetBegin {
  std::uint64_t id = 0;
  std::uint64_t file_bytes = 0;
  FileFacts facts;
};
struct GetEnd {
  std::uint64_t id = 0;
  std::uint32_t file_crc32 = 0;
};
struct Probe {
  std::uint64_t id = 0;
  Bytes bytes;
};
struct ProbeAnswer {
  std::uint64_t id = 0;
  Bytes bytes;  // as they were read back
};
struct Reconciled {
  std::uint64_t id = 0;
  SegmentPosition from = 0;
  std::uint64_t vanished_mark = 0;  // of CompareResult
};
struct Ping {
  std::uint64_t number = 0;
};
struct Pong {
  std::uint64_t number = 0;
};
struct Fetch {
  std::uint64_t id = 0;
  WalName name;
  std::uint32_t wait_ms = 0;
};
enum class FetchVerdict : std::uint8_t {
  kFound = 0,
  kAbsent = 1,
  kUnknown = 2,
  kCorrupt = 3,
  kNoRoom = 4,  // a peer has it, and the local archive cannot take it: ask with Get
};
struct FetchResult {
  std::uint64_t id = 0;
  FetchVerdict verdict = FetchVerdict::kUnknown;
  std::string message;
  std::string hint;
};
enum class StatusFormat : std::uint8_t { kJson = 0, kMetrics = 1 };
struct StatusQuery {
  std::uint64_t id = 0;
  StatusFormat format = StatusFormat::kJson;
};
struct StatusReport {
  std::uint64_t id = 0;
  bool more = false;
  Bytes json;
};
struct CompareRanges {
  std::uint64_t id = 0;
  CompareQuery query;
};
struct CompareResult {
  std::uint64_t id = 0;
  bool reconciled = false;
  SegmentPosition evidence_from = 0;  // below it the answerer's archive may have had what it lacks
  std::uint64_t vanished_mark = 0;    // of ArchiveStore::Vanished, before the archive was looked at
  CompareAnswer answer;
};
struct Offer {
  std::uint64_t id = 0;
  WalName name;
  FileFacts facts;
};
struct OfferDeclined {
  std::uint64_t id = 0;
};

// Nobody answers it.
struct Restored {
  WalName name;
  std::uint32_t segment_bytes = 0;
};

enum class ExpireMode : std::uint8_t { kDryRun = 0, kRemove = 1 };
struct ExpireQuery {
  std::uint64_t id = 0;
  ExpireMode mode = ExpireMode::kDryRun;
  SegmentPosition needs = 0;  // what the client says its server needs; 0: it says nothing
};
enum class ExpireOutcome : std::uint8_t { kRunning = 0, kDone = 1, kHeld = 2, kFailed = 3 };
struct ExpireReport {
  std::uint64_t id = 0;
  ExpireOutcome outcome = ExpireOutcome::kRunning;  // anything else: this is the last
  bool progress = false;                            // the next replaces it on a terminal
  std::string line;
};

// A file that a client is to push, by what stat(2) says of it.
struct Claim {
  std::uint64_t id = 0;
  WalName name;
  FileStat stamp;
};
struct ClaimDeclined {
  std::uint64_t id = 0;
};

struct MachineQuery {
  std::uint64_t id = 0;
};
struct MachineFacts {
  std::uint64_t id = 0;
  std::uint64_t clock_us = 0;  // since 1970
  std::uint64_t free_bytes = 0;
  std::uint64_t minimum_free_bytes = 0;
};

using Message =
    std::variant<Hello, Failure, Put, Data, PutEnd, Done, Stat, StatResult, Get, GetBegin, GetEnd,
                 Probe, ProbeAnswer, Reconciled, Ping, Pong, Fetch, FetchResult, StatusQuery,
                 StatusReport, CompareRanges, CompareResult, Offer, OfferDeclined, Restored,
                 ExpireQuery, ExpireReport, Claim, ClaimDeclined, MachineQuery, MachineFacts,
                 ReconcileQuery, ReconcileReport, ProbeQuery, ProbeReport>;

// Appends the message as one frame. REQUIRES: Data and Probes of 1 to kDataBytesMax bytes,
// StatusReport within kFramePayloadMax, CompareRanges and CompareResult within
// wal/archive_compare.h's limits.
void encode(const Message& message, Bytes& out);

// Nothing for an optional message of a later version (docs/protocol.md section 2).
Result<std::optional<Message>> decode(const Frame& frame);

// What the two Hellos must agree on (docs/protocol.md section 3; that the roles are the two ends of
// one conversation, too); the version of the session, or the Error to send as Failure.
Result<std::uint16_t> check_hello(const Hello& mine, const Hello& theirs);

}  // namespace pgwalship
