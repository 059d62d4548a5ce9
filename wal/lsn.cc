#include "wal/lsn.h"

#include <algorithm>
#include <charconv>

namespace pgwalship {
namespace {

// std::from_chars takes no sign for unsigned numbers, no blanks and no "0x".
template <typename Number>
std::optional<Number> whole_number(std::string_view text, int base) {
  Number value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, failure] = std::from_chars(text.data(), end, value, base);
  return failure == std::errc() && stop == end && !text.empty() ? std::optional(value)
                                                                : std::nullopt;
}

}  // namespace

std::optional<std::uint64_t> parse_lsn(std::string_view text) {
  constexpr std::size_t kDigitsMax = 8;
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos || slash > kDigitsMax ||
      text.size() - slash - 1 > kDigitsMax) {
    return std::nullopt;
  }
  const auto high = whole_number<std::uint32_t>(text.substr(0, slash), 16);
  const auto low = whole_number<std::uint32_t>(text.substr(slash + 1), 16);
  if (!high || !low) {
    return std::nullopt;
  }
  return std::uint64_t{*high} << 32 | *low;
}

std::optional<std::uint32_t> parse_timeline(std::string_view text) {
  const auto number = whole_number<std::uint32_t>(text, 10);
  return number == 0 ? std::nullopt : number;
}

std::string one_line(std::string_view text, std::size_t characters_max) {
  std::string line(text.substr(0, characters_max));
  std::replace_if(
      line.begin(), line.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  if (text.size() > characters_max) {
    line += "...";
  }
  return line;
}

}  // namespace pgwalship
