#include "transport/messages.h"

#include "transport/compare_codec.h"
#include "transport/message_fields.h"
#include "transport/report_codec.h"

#include <algorithm>
#include <array>
#include <string>
#include <type_traits>
#include <utility>

namespace pgwalship {
namespace {

constexpr std::uint8_t kOptionalTypeBit = 0x80;
constexpr std::uint8_t kFailedOutcome = 128;
constexpr auto kLastErrc = Errc::kInvalid;

// The variant lists the messages in the order of docs/protocol.md; these are their numbers there.
constexpr std::size_t kTypeCount = std::variant_size_v<Message>;
constexpr std::array<std::uint8_t, kTypeCount> kTypes = {
    1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18,
    19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35};

void write(ByteWriter& out, const FileFacts& facts) {
  out.raw(facts.sha256.bytes);
  out.u64(facts.raw_bytes);
  out.u64(facts.system_id);
  out.u32(facts.timeline);
  out.u64(facts.lsn);
  out.u32(facts.segment_bytes);
  out.text(facts.origin);
}

void write(ByteWriter& out, const Hello& message) {
  out.u32(kProtocolMagic);
  out.u16(message.version);
  out.u16(message.version_min);
  out.u64(message.capabilities);
  out.u8(number_of(message.role));
  out.text(message.software);
  out.text(message.cluster);
  out.text(message.node);
  out.u64(message.system_id);
  out.u64(message.config_digest);
  out.u8(message.reconciled ? 1 : 0);
  out.u8(message.compression_level);
  out.u64(message.floor);
}

void write(ByteWriter& out, const Failure& message) {
  out.u8(number_of(message.error.code));
  out.text(message.error.message);
  out.text(message.error.hint);
}

void write(ByteWriter& out, const Put& message) {
  out.u64(message.id);
  out.text(message.name.text());
  out.u64(message.file_bytes);
  write(out, message.facts);
}

template <typename T>
concept IdAndBytes =
    std::is_same_v<T, Data> || std::is_same_v<T, Probe> || std::is_same_v<T, ProbeAnswer>;

void write(ByteWriter& out, const IdAndBytes auto& message) {
  CHECK(!message.bytes.empty() && message.bytes.size() <= kDataBytesMax);
  out.u64(message.id);
  out.raw(message.bytes);
}

void write(ByteWriter& out, const PutEnd& message) {
  out.u64(message.id);
  out.u32(message.file_crc32);
}

void write(ByteWriter& out, const Done& message) {
  out.u64(message.id);
  if (message.error) {
    out.u8(static_cast<std::uint8_t>(kFailedOutcome + number_of(message.error->code)));
    out.text(message.error->message);
    out.text(message.error->hint);
  } else {
    out.u8(number_of(message.outcome));
    out.text(message.warning);
    out.text({});
  }
}

void write(ByteWriter& out, const Stat& message) {
  out.u64(message.id);
  out.text(message.name.text());
  out.u8(number_of(message.look));
}

void write(ByteWriter& out, const StatResult& message) {
  out.u64(message.id);
  out.u8(number_of(message.presence));
  out.u8(message.reconciled ? 1 : 0);
  out.u64(message.file_bytes);
  write(out, message.facts);
  out.u64(message.needs);
}

void write(ByteWriter& out, const Get& message) {
  out.u64(message.id);
  out.text(message.name.text());
  out.u8(number_of(message.urgency));
}

void write(ByteWriter& out, const GetBegin& message) {
  out.u64(message.id);
  out.u64(message.file_bytes);
  write(out, message.facts);
}

void write(ByteWriter& out, const GetEnd& message) {
  out.u64(message.id);
  out.u32(message.file_crc32);
}

void write(ByteWriter& out, const Reconciled& message) {
  out.u64(message.id);
  out.u64(message.from);
  out.u64(message.vanished_mark);
}

template <typename T>
concept IdAlone = std::is_same_v<T, OfferDeclined> || std::is_same_v<T, ClaimDeclined> ||
    std::is_same_v<T, MachineQuery>;

void write(ByteWriter& out, const IdAlone auto& message) {
  out.u64(message.id);
}

void write(ByteWriter& out, const StatusQuery& message) {
  out.u64(message.id);
  out.u8(number_of(message.format));
}

template <typename T>
concept NumberAlone = std::is_same_v<T, Ping> || std::is_same_v<T, Pong>;

void write(ByteWriter& out, const NumberAlone auto& message) {
  out.u64(message.number);
}

void write(ByteWriter& out, const Fetch& message) {
  out.u64(message.id);
  out.text(message.name.text());
  out.u32(message.wait_ms);
}

void write(ByteWriter& out, const FetchResult& message) {
  out.u64(message.id);
  out.u8(number_of(message.verdict));
  out.text(message.message);
  out.text(message.hint);
}

void write(ByteWriter& out, const StatusReport& message) {
  out.u64(message.id);
  out.u8(message.more ? 1 : 0);
  out.raw(message.json);
}

void write(ByteWriter& out, const CompareRanges& message) {
  out.u64(message.id);
  encode(message.query, out);
}

void write(ByteWriter& out, const CompareResult& message) {
  out.u64(message.id);
  out.u8(message.reconciled ? 1 : 0);
  out.u64(message.evidence_from);
  out.u64(message.vanished_mark);
  encode(message.answer, out);
}

void write(ByteWriter& out, const Offer& message) {
  out.u64(message.id);
  out.text(message.name.text());
  write(out, message.facts);
}

void write(ByteWriter& out, const Restored& message) {
  out.text(message.name.text());
  out.u32(message.segment_bytes);
}

void write(ByteWriter& out, const ExpireQuery& message) {
  out.u64(message.id);
  out.u8(number_of(message.mode));
  out.u64(message.needs);
}

void write(ByteWriter& out, const ExpireReport& message) {
  out.u64(message.id);
  out.u8(number_of(message.outcome));
  out.u8(message.progress ? 1 : 0);
  out.text(message.line);
}

void write(ByteWriter& out, const Claim& message) {
  out.u64(message.id);
  out.text(message.name.text());
  write_stamp(out, message.stamp);
}

template <typename T>
concept OfReports = requires(const T& message, ByteWriter& out) {
  write_fields(message, out);
};

void write(ByteWriter& out, const OfReports auto& message) {
  write_fields(message, out);
}

void write(ByteWriter& out, const MachineFacts& message) {
  out.u64(message.id);
  out.u64(message.clock_us);
  out.u64(message.free_bytes);
  out.u64(message.minimum_free_bytes);
}

using Decoded = std::optional<Message>;

// Those below are of more than a number, of id and bytes, or of reports.
template <typename T>
Decoded read(Fields& in) {
  if constexpr (IdAlone<T> || NumberAlone<T>) {
    return T{in.u64()};
  } else if constexpr (IdAndBytes<T>) {
    const std::uint64_t id = in.u64();
    in.require(in.remaining() > 0 && in.remaining() <= kDataBytesMax);
    return T{id, in.rest()};
  } else {
    static_assert(OfReports<T>);
    T message;
    read_fields(in, message);
    return message;
  }
}

template <>
Decoded read<Hello>(Fields& in) {
  in.require(in.u32() == kProtocolMagic);
  Hello message;
  message.version = in.u16();
  message.version_min = in.u16();
  message.capabilities = in.u64();
  message.role = in.one_of(Role::kClient, Role::kAnsweringDaemon);
  message.software = in.text();
  message.cluster = in.text();
  message.node = in.text();
  message.system_id = in.u64();
  message.config_digest = in.u64();
  message.reconciled = in.flag();
  message.compression_level = in.u8();
  message.floor = in.u64();
  if (in.ok()) {
    in.rest();  // fields of a later version
  }
  return message;
}

template <>
Decoded read<Failure>(Fields& in) {
  Failure message;
  message.error.code = in.one_of(Errc{}, kLastErrc);
  message.error.message = in.words();
  message.error.hint = in.words();
  return message;
}

template <>
Decoded read<Put>(Fields& in) {
  const std::uint64_t id = in.u64();
  std::optional<WalName> name = in.name();
  if (!name) {
    return std::nullopt;
  }
  const std::uint64_t file_bytes = in.u64();
  return Put{id, std::move(*name), file_bytes, in.facts()};
}

template <>
Decoded read<PutEnd>(Fields& in) {
  const std::uint64_t id = in.u64();
  return PutEnd{id, in.u32()};
}

template <>
Decoded read<Done>(Fields& in) {
  Done message;
  message.id = in.u64();
  const std::uint8_t outcome = in.u8();
  std::string text = in.words();
  std::string hint = in.words();
  if (outcome >= kFailedOutcome) {
    in.require(outcome - kFailedOutcome <= number_of(kLastErrc));
    message.error = Error{static_cast<Errc>(in.ok() ? outcome - kFailedOutcome : 0),
                          std::move(text), std::move(hint)};
  } else {
    in.require(outcome <= number_of(PutOutcome::kSameRecords) && hint.empty());
    message.outcome = static_cast<PutOutcome>(in.ok() ? outcome : 0);
    message.warning = std::move(text);
  }
  return message;
}

template <>
Decoded read<Stat>(Fields& in) {
  const std::uint64_t id = in.u64();
  std::optional<WalName> name = in.name();
  const Look look = in.one_of(Look::kHeader, Look::kContent);
  return name ? Decoded(Stat{id, std::move(*name), look}) : std::nullopt;
}

template <>
Decoded read<StatResult>(Fields& in) {
  StatResult message;
  message.id = in.u64();
  message.presence = in.one_of(Presence::kAbsent, Presence::kVanished);
  message.reconciled = in.flag();
  message.file_bytes = in.u64();
  message.facts = in.facts();
  message.needs = in.u64();
  return message;
}

template <>
Decoded read<Get>(Fields& in) {
  const std::uint64_t id = in.u64();
  std::optional<WalName> name = in.name();
  if (!name) {
    return std::nullopt;
  }
  return Get{id, std::move(*name), in.one_of(Urgency::kWanted, Urgency::kAhead)};
}

template <>
Decoded read<GetBegin>(Fields& in) {
  GetBegin message;
  message.id = in.u64();
  message.file_bytes = in.u64();
  message.facts = in.facts();
  return message;
}

template <>
Decoded read<GetEnd>(Fields& in) {
  const std::uint64_t id = in.u64();
  return GetEnd{id, in.u32()};
}

template <>
Decoded read<Reconciled>(Fields& in) {
  return Reconciled{in.u64(), in.u64(), in.u64()};
}

template <>
Decoded read<Fetch>(Fields& in) {
  const std::uint64_t id = in.u64();
  std::optional<WalName> name = in.name();
  return name ? Decoded(Fetch{id, std::move(*name), in.u32()}) : std::nullopt;
}

template <>
Decoded read<FetchResult>(Fields& in) {
  FetchResult message;
  message.id = in.u64();
  message.verdict = in.one_of(FetchVerdict::kFound, FetchVerdict::kNoRoom);
  message.message = in.words();
  message.hint = in.words();
  return message;
}

template <>
Decoded read<StatusQuery>(Fields& in) {
  const std::uint64_t id = in.u64();
  return StatusQuery{id, in.one_of(StatusFormat::kJson, StatusFormat::kMetrics)};
}

template <>
Decoded read<StatusReport>(Fields& in) {
  StatusReport message;
  message.id = in.u64();
  message.more = in.flag();
  message.json = in.rest();
  return message;
}

template <>
Decoded read<CompareRanges>(Fields& in) {
  const std::uint64_t id = in.u64();
  std::optional<CompareQuery> query = decode_compare_query(in.rest_view());
  return query ? Decoded(CompareRanges{id, std::move(*query)}) : std::nullopt;
}

template <>
Decoded read<CompareResult>(Fields& in) {
  const std::uint64_t id = in.u64();
  const bool reconciled = in.flag();
  const SegmentPosition evidence_from = in.u64();
  const std::uint64_t vanished = in.u64();
  std::optional<CompareAnswer> answer = decode_compare_answer(in.rest_view());
  return answer
             ? Decoded(CompareResult{id, reconciled, evidence_from, vanished, std::move(*answer)})
             : std::nullopt;
}

template <>
Decoded read<Offer>(Fields& in) {
  const std::uint64_t id = in.u64();
  std::optional<WalName> name = in.name();
  return name ? Decoded(Offer{id, std::move(*name), in.facts()}) : std::nullopt;
}

template <>
Decoded read<Restored>(Fields& in) {
  std::optional<WalName> name = in.name();
  return name ? Decoded(Restored{std::move(*name), in.u32()}) : std::nullopt;
}

template <>
Decoded read<ExpireQuery>(Fields& in) {
  const std::uint64_t id = in.u64();
  const ExpireMode mode = in.one_of(ExpireMode::kDryRun, ExpireMode::kRemove);
  return ExpireQuery{id, mode, in.u64()};
}

template <>
Decoded read<ExpireReport>(Fields& in) {
  ExpireReport message;
  message.id = in.u64();
  message.outcome = in.one_of(ExpireOutcome::kRunning, ExpireOutcome::kFailed);
  message.progress = in.flag();
  message.line = in.text();
  return message;
}

template <>
Decoded read<Claim>(Fields& in) {
  const std::uint64_t id = in.u64();
  std::optional<WalName> name = in.name();
  return name ? Decoded(Claim{id, std::move(*name), in.stamp()}) : std::nullopt;
}

template <>
Decoded read<MachineFacts>(Fields& in) {
  return MachineFacts{in.u64(), in.u64(), in.u64(), in.u64()};
}

using Reader = Decoded (*)(Fields&);

template <std::size_t... kIndexes>
constexpr std::array<Reader, kTypeCount> make_readers(std::index_sequence<kIndexes...>) {
  return {&read<std::variant_alternative_t<kIndexes, Message>>...};
}

constexpr std::array<Reader, kTypeCount> kReaders =
    make_readers(std::make_index_sequence<kTypeCount>());

Error protocol_error(std::uint8_t type, std::string_view reason) {
  return Error{
      Errc::kProtocol, "message type " + std::to_string(type) + ": " + std::string(reason), {}};
}

}  // namespace

void encode(const Message& message, Bytes& out) {
  ByteWriter payload;
  std::visit([&](const auto& alternative) { write(payload, alternative); }, message);
  append_frame(kTypes[message.index()], payload.view(), out);
}

Result<std::optional<Message>> decode(const Frame& frame) {
  const auto* const type = std::find(kTypes.begin(), kTypes.end(), frame.type);
  if (type == kTypes.end()) {
    if ((frame.type & kOptionalTypeBit) != 0) {
      return std::optional<Message>();
    }
    return protocol_error(frame.type, "unknown");
  }
  Fields in(frame.payload);
  Decoded message = kReaders[static_cast<std::size_t>(type - kTypes.begin())](in);
  if (!message || !in.ok()) {
    return protocol_error(frame.type, "it is cut short, or a field is out of range");
  }
  if (in.remaining() > 0) {
    return protocol_error(frame.type, std::to_string(in.remaining()) + " bytes too long");
  }
  return message;
}

}  // namespace pgwalship
