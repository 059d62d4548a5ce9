#include "wal/segment_name.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cinttypes>
#include <cstdio>
#include <optional>

namespace pgwalship {
namespace {

constexpr std::size_t kSegmentDigits = 24;
constexpr std::size_t kNameCharactersMax = 64;
constexpr std::string_view kPartialSuffix = ".partial";
constexpr std::string_view kBackupSuffix = ".backup";
constexpr std::string_view kHistorySuffix = ".history";

bool is_upper_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F'); });
}

// REQUIRES: eight characters that passed is_upper_hex.
std::uint32_t hex_value(std::string_view digits) {
  std::uint32_t value = 0;
  for (const char c : digits) {
    value = value << 4 | static_cast<std::uint32_t>(c <= '9' ? c - '0' : c - 'A' + 10);
  }
  return value;
}

std::string hex_text(std::uint32_t value) {
  char digits[9];
  std::snprintf(digits, sizeof digits, "%08X", value);
  return digits;
}

std::optional<WalKind> kind_of(std::string_view text) {
  if (text.size() == 8 + kHistorySuffix.size() && text.ends_with(kHistorySuffix)) {
    return is_upper_hex(text.substr(0, 8)) ? std::optional(WalKind::kHistory) : std::nullopt;
  }
  if (text.size() < kSegmentDigits || !is_upper_hex(text.substr(0, kSegmentDigits))) {
    return std::nullopt;
  }
  const std::string_view suffix = text.substr(kSegmentDigits);
  if (suffix.empty()) {
    return WalKind::kSegment;
  }
  if (suffix == kPartialSuffix) {
    return WalKind::kPartial;
  }
  if (suffix.size() == 1 + 8 + kBackupSuffix.size() && suffix.front() == '.' &&
      is_upper_hex(suffix.substr(1, 8)) && suffix.ends_with(kBackupSuffix)) {
    return WalKind::kBackup;
  }
  return std::nullopt;
}

// The text goes into PostgreSQL's log and onto terminals: nothing but visible ASCII, and not long.
std::string printable(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, kNameCharactersMax)) {
    out += c > ' ' && c <= '~' ? c : '?';
  }
  return text.size() > kNameCharactersMax ? out + "..." : out;
}

std::string reason_against(std::string_view text) {
  if (text.empty()) {
    return "it is empty";
  }
  if (text.size() > kNameCharactersMax) {
    return "it is longer than 64 characters";
  }
  if (text.find('/') != std::string_view::npos) {
    return "it holds a '/'";
  }
  if (text.ends_with(".gz")) {
    return "the archive adds '.gz' itself";
  }
  std::string raised(text);
  const std::size_t digits = std::min(text.find('.'), text.size());
  for (std::size_t i = 0; i < digits; ++i) {
    raised[i] = text[i] >= 'a' && text[i] <= 'f' ? static_cast<char>(text[i] - 'a' + 'A') : text[i];
  }
  if (kind_of(raised)) {
    return "it has lower-case hexadecimal digits";
  }
  if (is_upper_hex(raised)) {
    return "it has " + std::to_string(text.size()) + " hexadecimal digits, not 24";
  }
  return "it has none of the four forms";
}

}  // namespace

bool is_segment_size(std::uint64_t bytes) {
  return std::has_single_bit(bytes) && bytes >= kSegmentBytesMin && bytes <= kSegmentBytesMax;
}

Result<WalName> WalName::parse(std::string_view text) {
  const std::optional<WalKind> kind = kind_of(text);
  if (!kind) {
    return Error{
        Errc::kInvalid,
        "'" + printable(text) + "' is not a name that PostgreSQL archives: " + reason_against(text),
        "names are 24 upper-case hexadecimal digits, the same with '.partial' or "
        "'.XXXXXXXX.backup', or 8 digits with '.history'; PostgreSQL's commands pass %f as it is"};
  }
  WalName name;
  name.text_ = text;
  name.kind_ = *kind;
  name.timeline_ = hex_value(text.substr(0, 8));
  if (*kind != WalKind::kHistory) {
    name.log_ = hex_value(text.substr(8, 8));
    name.seg_ = hex_value(text.substr(16, 8));
  }
  return name;
}

WalName WalName::segment_at(std::uint32_t timeline, std::uint64_t lsn,
                            std::uint32_t segment_bytes) {
  CHECK(is_segment_size(segment_bytes));
  WalName name;
  name.timeline_ = timeline;
  name.log_ = static_cast<std::uint32_t>(lsn >> 32);
  name.seg_ = static_cast<std::uint32_t>(lsn & 0xFFFFFFFFU) / segment_bytes;
  name.text_ = hex_text(name.timeline_) + hex_text(name.log_) + hex_text(name.seg_);
  return name;
}

WalName WalName::history_of(std::uint32_t timeline) {
  WalName name;
  name.kind_ = WalKind::kHistory;
  name.timeline_ = timeline;
  name.text_ = hex_text(timeline) + std::string(kHistorySuffix);
  return name;
}

std::uint64_t WalName::start_lsn(std::uint32_t segment_bytes) const {
  CHECK(kind_ != WalKind::kHistory);
  return (std::uint64_t{log_} << 32) + std::uint64_t{seg_} * segment_bytes;
}

WalName WalName::next(std::uint32_t segment_bytes) const {
  CHECK(kind_ == WalKind::kSegment);
  return segment_at(timeline_, start_lsn(segment_bytes) + segment_bytes, segment_bytes);
}

std::strong_ordering operator<=>(const WalName& a, const WalName& b) {
  const bool a_history = a.kind_ == WalKind::kHistory;
  const bool b_history = b.kind_ == WalKind::kHistory;
  if (a_history != b_history) {
    return a_history ? std::strong_ordering::less : std::strong_ordering::greater;
  }
  if (const auto order = a.timeline_ <=> b.timeline_; order != 0) {
    return order;
  }
  if (const auto order = a.log_ <=> b.log_; order != 0) {
    return order;
  }
  if (const auto order = a.seg_ <=> b.seg_; order != 0) {
    return order;
  }
  return a.text_ <=> b.text_;
}

std::string position_text(SegmentPosition position) {
  std::array<char, 17> digits;
  std::snprintf(digits.data(), digits.size(), "%016" PRIX64, position);
  return digits.data();
}

std::string lsn_text(std::uint64_t lsn) {
  char text[18];
  std::snprintf(text, sizeof text, "%X/%X", static_cast<std::uint32_t>(lsn >> 32),
                static_cast<std::uint32_t>(lsn));
  return text;
}

}  // namespace pgwalship
