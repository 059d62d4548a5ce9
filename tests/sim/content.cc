#include "tests/sim/content.h"

#include "base/random.h"
#include "tests/support/record_builder.h"
#include "tests/support/segment_builder.h"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <unordered_map>

namespace pgwalship::sim {

namespace {

constexpr std::uint32_t kSegmentBytes = kSegmentBytesMin;
constexpr std::uint64_t kFirstLsn = std::uint64_t{1} << 28;

bool is_segment(std::uint32_t number) {
  return number % 16 == 3 || (number >= kSegmentsFrom && number < kSegmentsTo);
}

SegmentSpec spec_of(std::uint32_t number, std::uint32_t variant) {
  SegmentSpec spec;
  spec.lsn = kFirstLsn + std::uint64_t{number} * kSegmentBytes;
  spec.seed = variant + 1;
  return spec;
}

Bytes raw_of(std::uint32_t number, std::uint32_t variant) {
  if (is_segment(number)) {
    // Almost empty, as after pg_switch_wal(): one page, then zeros.
    RecordBuilder records({.segment = spec_of(number, variant)});
    records.add(2000, variant + 1);
    records.add_switch();
    return records.build();
  }
  const std::size_t size = number % 9 == 4 ? 150 * 1024 : 64 + number % 100;
  Random random(std::uint64_t{number} * 1000 + variant);
  Bytes raw(size);
  for (std::byte& byte : raw) {
    byte = static_cast<std::byte>(random.next());
  }
  return raw;
}

}  // namespace

std::string node_name(std::size_t node) {
  return "pgdb" + std::to_string(node + 1);
}

WalName name_of_file(std::uint32_t number) {
  if (is_segment(number)) {
    return WalName::segment_at(1, kFirstLsn + std::uint64_t{number} * kSegmentBytes, kSegmentBytes);
  }
  if (number % 3 == 1) {
    const std::uint64_t lsn = kFirstLsn + std::uint64_t{number} * kSegmentBytes;
    const std::string segment = WalName::segment_at(1, lsn, kSegmentBytes).text();
    return WalName::parse(segment + ".00000028.backup").value();
  }
  static constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string text;
  for (int shift = 28; shift >= 0; shift -= 4) {
    text += kDigits[((number + 2) >> shift) & 15];
  }
  return WalName::parse(text + ".history").value();
}

ContentRef content_of(std::uint32_t number, std::uint32_t variant, std::uint32_t origin) {
  static std::map<std::tuple<std::uint32_t, std::uint32_t, std::uint32_t>, ContentRef> made;
  ContentRef& content = made[{number, variant, origin}];
  if (!content) {
    const WalName name = name_of_file(number);
    Bytes raw = raw_of(number, variant);
    Bytes file = build_archive_file(name, raw, node_name(origin));
    const FileFacts facts = facts_of(name, raw, node_name(origin));
    content = std::make_shared<Content>(Content{name, std::move(raw), std::move(file), facts});
  }
  return content;
}

std::optional<Sha256> verified_hash(const WalName& name, ByteView file) {
  static std::unordered_map<std::string, std::optional<Sha256>> known;
  const auto [entry, is_new] = known.try_emplace(name.text() + std::string(as_text(file)));
  if (!is_new) {
    return entry->second;
  }
  const auto header = parse_gzip_header(file.first(std::min(file.size(), kGzipHeaderBytesMax)));
  GzipReader reader(kSegmentBytes);
  Bytes raw;
  if (!header.ok() || header.value().file_name != name.text() || !reader.write(file, raw).ok() ||
      !reader.finish().ok()) {
    return std::nullopt;
  }
  const Sha256 hash = sha256(raw);
  if (header.value().facts &&
      (header.value().facts->sha256 != hash || header.value().facts->raw_bytes != raw.size())) {
    return std::nullopt;
  }
  entry->second = hash;
  return hash;
}

}  // namespace pgwalship::sim
