// One or more well-formed messages of each kind, for tests that hold for all of them.
#pragma once

#include "transport/messages.h"

#include <vector>

namespace pgwalship {

inline WalName wal_name(std::string_view text) {
  return WalName::parse(text).value();
}

inline FileFacts sample_facts() {
  FileFacts facts;
  for (std::size_t i = 0; i < facts.sha256.bytes.size(); ++i) {
    facts.sha256.bytes[i] = static_cast<std::byte>(i + 1);
  }
  facts.raw_bytes = 16 << 20;
  facts.system_id = 7123456789012345678;
  facts.timeline = 3;
  facts.lsn = 0xA'01000000;
  facts.segment_bytes = 16 << 20;
  facts.origin = "pgdb1.example.com";
  return facts;
}

inline Hello sample_hello() {
  Hello hello;
  hello.capabilities = 0x8000000000000001;
  hello.role = Role::kDaemon;
  hello.software = "pgwalship 0.1.0";
  hello.cluster = "main";
  hello.node = "pgdb1.example.com";
  hello.system_id = 7123456789012345678;
  hello.config_digest = 0x1122334455667788;
  hello.reconciled = true;
  hello.compression_level = 1;
  hello.floor = 0xA'00000001;
  return hello;
}

inline FileStat sample_stamp() {
  FileStat stamp;
  stamp.size = 16 << 20;
  stamp.inode = 12345678901;
  stamp.device = 64768;
  stamp.modified = WallTime(std::chrono::nanoseconds(1'800'000'000'123'456'789));
  stamp.changed = WallTime(std::chrono::nanoseconds(1'800'000'000'123'456'790));
  return stamp;
}

inline std::vector<Message> sample_messages() {
  const WalName segment = wal_name("000000030000000A00000001");
  const WalName history = wal_name("00000003.history");
  const Error error{Errc::kInvalid, "no such thing", "look elsewhere"};
  return {
      sample_hello(),
      Failure{error},
      Put{1, segment, 5'000'000, sample_facts()},
      Put{2, wal_name("000000030000000A00000001.partial"), 0, {}},
      Data{1, Bytes(3, std::byte{0x5A})},
      PutEnd{1, 0xDEADBEEF},
      Done{1, PutOutcome::kStored, {}, {}},
      Done{2, PutOutcome::kIdentical, {}, "acknowledged with the local copy alone"},
      Done{2, PutOutcome::kSameRecords, {}, {}},
      Done{3, PutOutcome::kStored, Error{Errc::kNotFound, "first of the codes", ""}, {}},
      Done{4, PutOutcome::kStored, error, {}},
      Stat{5, segment, Look::kContent},
      StatResult{5, Presence::kPresent, true, 5'000'000, sample_facts(), 0xA'00000001},
      StatResult{6, Presence::kCorrupt, false, 0, {}},
      StatResult{6, Presence::kExpired, true, 0, {}},
      StatResult{6, Presence::kVanished, true, 0, {}},
      Get{7, wal_name("000000030000000A00000001.00000028.backup")},
      Get{8, segment, Urgency::kAhead},
      GetBegin{7, 5'000'000, sample_facts()},
      GetEnd{7, 1},
      Probe{9, Bytes(4, std::byte{0x5A})},
      ProbeAnswer{9, Bytes(4, std::byte{0x5A})},
      Reconciled{9, 0xA'00000001, 0x5A5A},
      Ping{10},
      Pong{0xFFFFFFFFFFFFFFFF},
      Fetch{11, history, 3000},
      FetchResult{11, FetchVerdict::kCorrupt, "only corrupt copies", "verify --repair"},
      FetchResult{11, FetchVerdict::kNoRoom, "the disk is full", ""},
      StatusQuery{12, StatusFormat::kMetrics},
      StatusReport{12, true, Bytes(2, std::byte{'{'})},
      StatusReport{12, false, {}},
      CompareRanges{13,
                    {7,
                     {{{ArchivePlace{}, ArchivePlace::of(segment)}, {5, 6, 7}},
                      {{ArchivePlace::of(segment), kPlacesEnd}, {}}}}},
      CompareResult{13,
                    true,
                    0xA'00000001,
                    0x5A5A,
                    {7,
                     {SameRange{}, SplitRange{{ArchivePlace::of(segment)}, {{1, 2, 3}, {4, 5, 6}}},
                      ListedRange{{{ArchivePlace::of(history), {}}}}, ListedRange{}}}},
      Offer{13, segment, sample_facts()},
      OfferDeclined{13},
      Restored{segment, 16 << 20},
      ExpireQuery{13, ExpireMode::kRemove, 0xA'00000001},
      ExpireReport{13, ExpireOutcome::kRunning, true, "10 of 100 files"},
      ExpireReport{13, ExpireOutcome::kHeld, false, ""},
      Claim{14, segment, sample_stamp()},
      ClaimDeclined{14},
      MachineQuery{14},
      MachineFacts{14, 1'700'000'000'000'000, 5'000'000, 64 << 20},
      ReconcileQuery{15, "pgdb2.example.com"},
      ReconcileReport{
          15,
          true,
          {{"pgdb2.example.com", ReconcileReport::State::kEqual, 1, 2, 3, 4, 5, ""},
           {"pgdb3.example.com", ReconcileReport::State::kUnreachable, 0, 0, 0, 7, 0, "no route"}}},
      ProbeQuery{15, 15'000},
      ProbeReport{15,
                  true,
                  20'000,
                  {{"pgdb1.example.com", ProbeReport::State::kDurable, 9'000, ""},
                   {"pgdb2.example.com", ProbeReport::State::kFailed, 20'000, "no answer"}}},
  };
}

}  // namespace pgwalship
