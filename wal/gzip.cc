#include "wal/gzip.h"

#include "wal/gzip_choice.h"
#include "wal/gzip_engine.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace pgwalship {
namespace {

// RFC 1952, section 2.3.
constexpr std::uint8_t kMagic1 = 0x1F;
constexpr std::uint8_t kMagic2 = 0x8B;
constexpr std::uint8_t kMethodDeflate = 8;
constexpr std::uint8_t kSystemUnix = 3;
constexpr std::uint8_t kFlagHeaderCrc = 0x02;
constexpr std::uint8_t kFlagExtra = 0x04;
constexpr std::uint8_t kFlagName = 0x08;
constexpr std::uint8_t kFlagComment = 0x10;
constexpr std::uint8_t kFlagsReserved = 0xE0;

constexpr std::uint8_t kFactsVersion = 1;
constexpr std::size_t kOriginBytesMax = 255;
constexpr std::size_t kTrailerBytes = 8;
constexpr std::size_t kOutputBytes = std::size_t{128} << 10;

Error corrupt(std::string_view reason) {
  return Error{Errc::kCorrupt, "not a valid gzip file: " + std::string(reason), ""};
}

struct HeaderScan {
  enum class State { kWhole, kShort, kBad } state = State::kShort;
  std::string_view reason;  // of kBad
  GzipHeader header;
};

HeaderScan bad_header(std::string_view reason) {
  return {HeaderScan::State::kBad, reason, {}};
}

std::optional<FileFacts> scan_facts(ByteView data) {
  ByteReader reader(data);
  if (reader.u8() < kFactsVersion) {
    return std::nullopt;
  }
  FileFacts facts;
  const ByteView hash = reader.raw(facts.sha256.bytes.size());
  facts.raw_bytes = reader.u64();
  facts.system_id = reader.u64();
  facts.timeline = reader.u32();
  facts.lsn = reader.u64();
  facts.segment_bytes = reader.u32();
  facts.origin = reader.text();
  if (!reader.ok() || facts.origin.size() > kOriginBytesMax) {
    return std::nullopt;
  }
  std::copy(hash.begin(), hash.end(), facts.sha256.bytes.begin());
  return facts;
}

enum class Facts { kAbsent, kPresent, kBad };

// Other programs' subfields, and a field that is no list of subfields, are nobody's business.
Facts scan_extra(ByteView extra, GzipHeader& header) {
  ByteReader reader(extra);
  while (reader.remaining() > 0) {
    const std::uint8_t id1 = reader.u8();
    const std::uint8_t id2 = reader.u8();
    const ByteView data = reader.raw(reader.u16());
    if (!reader.ok()) {
      return Facts::kAbsent;
    }
    if (id1 == 'W' && id2 == 'S') {
      header.facts = scan_facts(data);
      return header.facts ? Facts::kPresent : Facts::kBad;
    }
  }
  return Facts::kAbsent;
}

std::string scan_zero_terminated(ByteReader& reader) {
  std::string text;
  for (char c = static_cast<char>(reader.u8()); c != '\0'; c = static_cast<char>(reader.u8())) {
    text += c;
  }
  return text;
}

HeaderScan scan_header(ByteView start) {
  HeaderScan scan;
  ByteReader reader(start);
  const std::uint8_t magic1 = reader.u8();
  if (reader.ok() && magic1 != kMagic1) {
    return bad_header("no gzip magic number");
  }
  const std::uint8_t magic2 = reader.u8();
  if (reader.ok() && magic2 != kMagic2) {
    return bad_header("no gzip magic number");
  }
  const std::uint8_t method = reader.u8();
  if (reader.ok() && method != kMethodDeflate) {
    return bad_header("unknown compression method");
  }
  const std::uint8_t flags = reader.u8();
  if (reader.ok() && (flags & kFlagsReserved) != 0) {
    return bad_header("reserved flags are set");
  }
  reader.raw(6);  // time of modification, extra flags, operating system
  if ((flags & kFlagExtra) != 0) {
    const ByteView extra = reader.raw(reader.u16());
    if (reader.ok() && scan_extra(extra, scan.header) == Facts::kBad) {
      return bad_header("damaged description of the content");
    }
  }
  if ((flags & kFlagName) != 0) {
    scan.header.file_name = scan_zero_terminated(reader);
  }
  if ((flags & kFlagComment) != 0) {
    scan_zero_terminated(reader);
  }
  const std::size_t covered_bytes = start.size() - reader.remaining();
  if ((flags & kFlagHeaderCrc) != 0) {
    const std::uint16_t crc = reader.u16();
    if (reader.ok() && crc != (crc32(0, start.first(covered_bytes)) & 0xFFFF)) {
      return bad_header("wrong header checksum");
    }
  }
  if (reader.ok()) {
    scan.state = HeaderScan::State::kWhole;
    scan.header.header_bytes = start.size() - reader.remaining();
  }
  return scan;
}

}  // namespace

Result<GzipHeader> parse_gzip_header(ByteView start) {
  HeaderScan scan = scan_header(start);
  switch (scan.state) {
    case HeaderScan::State::kWhole:
      return std::move(scan.header);
    case HeaderScan::State::kShort:
      return corrupt("the header is cut short");
    case HeaderScan::State::kBad:
      break;
  }
  return corrupt(scan.reason);
}

Bytes make_gzip_header(const FileFacts& facts, const std::string& file_name) {
  ByteWriter data;
  data.u8(kFactsVersion);
  data.raw(facts.sha256.bytes);
  data.u64(facts.raw_bytes);
  data.u64(facts.system_id);
  data.u32(facts.timeline);
  data.u64(facts.lsn);
  data.u32(facts.segment_bytes);
  data.text(std::string_view(facts.origin).substr(0, kOriginBytesMax));

  ByteWriter header;
  header.u8(kMagic1);
  header.u8(kMagic2);
  header.u8(kMethodDeflate);
  header.u8(kFlagExtra | kFlagName);
  header.u32(0);  // no time: equal content and level give equal files
  header.u8(0);
  header.u8(kSystemUnix);
  header.u16(static_cast<std::uint16_t>(4 + data.size()));
  header.u8('W');
  header.u8('S');
  header.u16(static_cast<std::uint16_t>(data.size()));
  header.raw(data.view());
  header.raw(as_bytes(file_name));
  header.u8(0);
  return header.take();
}

struct GzipWriter::State {
  std::unique_ptr<DeflateEngine> engine;
  Bytes header;  // until it went out
  std::uint32_t crc32 = 0;
  std::uint64_t raw_bytes = 0;

  void put_header(Bytes& out) {
    out.insert(out.end(), header.begin(), header.end());
    header.clear();
  }
};

// Our levels are the engines' own numbers: igzip 1 to 3, zlib 4 to 9, and all of them where there
// is no ISA-L; other numbers are taken as the nearest. On 16 MiB of pgbench's WAL igzip 1 took 18
// ms and zlib 1 took 280 ms for 3 % more bytes; level 6 saves 9 % of the bytes of level 1 and takes
// 30 times as long.
GzipWriter::GzipWriter(const FileFacts& facts, const std::string& file_name, int level)
    : GzipWriter(level) {
  state_->header = make_gzip_header(facts, file_name);
}

GzipWriter::GzipWriter(int level) : state_(std::make_unique<State>()) {
  const int known = std::clamp(level, 1, 9);
  const Isal* fast = known <= 3 ? isal() : nullptr;
  state_->engine = fast != nullptr ? make_isal_deflate(*fast, known) : make_zlib_deflate(known);
}

GzipWriter::~GzipWriter() = default;

void GzipWriter::write(ByteView raw, Bytes& out) {
  state_->put_header(out);
  state_->crc32 = crc32(state_->crc32, raw);
  state_->raw_bytes += raw.size();
  state_->engine->write(raw, out);
}

void GzipWriter::finish(Bytes& out) {
  state_->put_header(out);
  state_->engine->finish(out);
  ByteWriter trailer;
  trailer.u32(state_->crc32);
  trailer.u32(static_cast<std::uint32_t>(state_->raw_bytes));
  out.insert(out.end(), trailer.view().begin(), trailer.view().end());
}

std::uint32_t GzipWriter::raw_crc32() const {
  return state_->crc32;
}

struct GzipReader::State {
  enum class Phase {
    kHeader,   // collecting a member's header
    kBody,     // inside the DEFLATE stream
    kTrailer,  // collecting the checksum and the length
    kBetween,  // a member has ended: another, padding or the end of the file may come
    kPadding,  // zeros up to the end of the file
  };

  std::uint64_t raw_bytes_max = 0;
  Phase phase = Phase::kHeader;
  Bytes start;  // of a header or a trailer
  std::unique_ptr<InflateEngine> engine;
  std::uint64_t raw_bytes = 0;         // of all members
  std::uint32_t member_crc32 = 0;      // of the raw bytes
  std::uint32_t member_raw_bytes = 0;  // modulo 2^32, as the trailer has it
  std::optional<Error> failure;        // sticky
  std::array<std::byte, kOutputBytes> output;

  // Each takes bytes from the front of `in`.
  Result<void> take(ByteView& in, Bytes& out);
  Result<void> take_header(ByteView& in);
  Result<void> take_body(ByteView& in, Bytes& out);
  Result<void> take_trailer(ByteView& in);
  Result<void> take_between(const ByteView& in);
  Result<void> take_padding(ByteView& in);
};

Result<void> GzipReader::State::take(ByteView& in, Bytes& out) {
  switch (phase) {
    case Phase::kHeader:
      return take_header(in);
    case Phase::kBody:
      return take_body(in, out);
    case Phase::kTrailer:
      return take_trailer(in);
    case Phase::kBetween:
      return take_between(in);
    case Phase::kPadding:
      return take_padding(in);
  }
  return {};
}

Result<void> GzipReader::State::take_header(ByteView& in) {
  const std::size_t before = start.size();
  const std::size_t taken = std::min(in.size(), kGzipHeaderBytesMax - before);
  start.insert(start.end(), in.begin(), in.begin() + static_cast<std::ptrdiff_t>(taken));
  const HeaderScan scan = scan_header(start);
  if (scan.state == HeaderScan::State::kBad) {
    return corrupt(scan.reason);
  }
  if (scan.state == HeaderScan::State::kShort) {
    if (start.size() == kGzipHeaderBytesMax) {
      return corrupt("the header is longer than any that is written here");
    }
    in = in.subspan(taken);
    return {};
  }
  in = in.subspan(scan.header.header_bytes - before);
  start.clear();
  engine->reset();
  member_crc32 = 0;
  member_raw_bytes = 0;
  phase = Phase::kBody;
  return {};
}

// One step of the engine fills `output` at most once; `out` grows as fast as the input unpacks,
// which is 1032:1 at worst, and never beyond raw_bytes_max.
Result<void> GzipReader::State::take_body(ByteView& in, Bytes& out) {
  while (true) {
    const InflateEngine::Step step = engine->step(in, output);
    in = in.subspan(step.consumed);
    if (step.state == InflateEngine::State::kBad) {
      return corrupt("damaged compressed data");
    }
    if (step.produced > raw_bytes_max - raw_bytes) {
      return corrupt("it unpacks to more than " + std::to_string(raw_bytes_max) + " bytes");
    }
    const ByteView raw(output.data(), step.produced);
    raw_bytes += raw.size();
    member_raw_bytes += static_cast<std::uint32_t>(raw.size());
    member_crc32 = crc32(member_crc32, raw);
    out.insert(out.end(), raw.begin(), raw.end());
    if (step.state == InflateEngine::State::kFinished) {
      start = engine->unused();
      phase = Phase::kTrailer;
      return take_trailer(in);  // even when `in` is empty: the engine may hold all of it
    }
    if (step.produced < output.size()) {
      return in.empty() ? Result<void>() : corrupt("damaged compressed data");
    }
  }
}

Result<void> GzipReader::State::take_trailer(ByteView& in) {
  const std::size_t taken = std::min(in.size(), kTrailerBytes - start.size());
  start.insert(start.end(), in.begin(), in.begin() + static_cast<std::ptrdiff_t>(taken));
  in = in.subspan(taken);
  if (start.size() < kTrailerBytes) {
    return {};
  }
  ByteReader reader(start);
  if (reader.u32() != member_crc32) {
    return corrupt("wrong checksum of the content");
  }
  if (reader.u32() != member_raw_bytes) {
    return corrupt("wrong length of the content");
  }
  start.clear();
  phase = Phase::kBetween;
  return {};
}

Result<void> GzipReader::State::take_between(const ByteView& in) {
  if (in.front() == std::byte{kMagic1}) {
    phase = Phase::kHeader;
  } else if (in.front() == std::byte{0}) {
    phase = Phase::kPadding;
  } else {
    return corrupt("something follows the compressed data");
  }
  return {};
}

Result<void> GzipReader::State::take_padding(ByteView& in) {
  if (std::any_of(in.begin(), in.end(), [](std::byte byte) { return byte != std::byte{0}; })) {
    return corrupt("something follows the compressed data");
  }
  in = {};
  return {};
}

GzipReader::Engine best_gzip_engine() {
  return isal() != nullptr ? GzipReader::Engine::kFastest : GzipReader::Engine::kPortable;
}

GzipReader::GzipReader(std::uint64_t raw_bytes_max, Engine engine)
    : state_(std::make_unique<State>()) {
  const Isal* fast = engine == Engine::kFastest ? isal() : nullptr;
  state_->engine = fast != nullptr ? make_isal_inflate(*fast) : make_zlib_inflate();
  state_->raw_bytes_max = raw_bytes_max;
}

GzipReader::~GzipReader() = default;

Result<void> GzipReader::write(ByteView compressed, Bytes& out) {
  State& state = *state_;
  while (!state.failure && !compressed.empty()) {
    if (const Result<void> taken = state.take(compressed, out); !taken.ok()) {
      state.failure = taken.error();
    }
  }
  return state.failure ? Result<void>(*state.failure) : Result<void>();
}

Result<void> GzipReader::finish() {
  if (state_->failure) {
    return *state_->failure;
  }
  if (state_->phase != State::Phase::kBetween && state_->phase != State::Phase::kPadding) {
    return corrupt("it ends early");
  }
  return {};
}

}  // namespace pgwalship
