#include "cmd/units.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <span>

namespace pgwalship {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

// Ascending.
constexpr std::array<Unit, 5> kTimeUnits = {
    {{"ms", 1}, {"s", 1000}, {"min", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}}};
constexpr std::array<Unit, 5> kSizeUnits = {
    {{"B", 1}, {"kB", 1ULL << 10}, {"MB", 1ULL << 20}, {"GB", 1ULL << 30}, {"TB", 1ULL << 40}}};

std::string unit_hint(std::span<const Unit> units) {
  std::string names;
  for (const Unit& unit : units) {
    names += (names.empty() ? "" : ", ") + std::string(unit.name);
  }
  return "a whole number and one of the units " + names;
}

Result<std::uint64_t> parse_amount(std::string_view text, std::span<const Unit> units) {
  std::uint64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [stop, code] = std::from_chars(text.data(), end, number);
  const Error not_understood{Errc::kInvalid, "'" + std::string(text) + "' is not understood",
                             unit_hint(units)};
  if (code != std::errc()) {
    return not_understood;
  }
  std::string_view name(stop, static_cast<std::size_t>(end - stop));
  name.remove_prefix(std::min(name.find_first_not_of(" \t"), name.size()));
  if (name.empty() && number == 0) {
    return number;
  }
  for (const Unit& unit : units) {
    if (unit.name == name) {
      // Signed, so that it fits std::chrono too.
      constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
      if (number > kMax / unit.factor) {
        return Error{Errc::kInvalid, "'" + std::string(text) + "' is too large", ""};
      }
      return number * unit.factor;
    }
  }
  return not_understood;
}

std::string amount_text(std::uint64_t amount, std::span<const Unit> units) {
  const Unit* best = &units.front();
  for (const Unit& unit : units) {
    if (amount != 0 && amount % unit.factor == 0) {
      best = &unit;
    }
  }
  return std::to_string(amount / best->factor) + std::string(best->name);
}

}  // namespace

Result<std::chrono::milliseconds> parse_duration(std::string_view text) {
  TRY_ASSIGN(const std::uint64_t amount, parse_amount(text, kTimeUnits));
  return std::chrono::milliseconds(static_cast<std::int64_t>(amount));
}

Result<std::uint64_t> parse_size(std::string_view text) {
  return parse_amount(text, kSizeUnits);
}

std::string duration_text(std::chrono::milliseconds duration) {
  CHECK(duration.count() >= 0);
  return amount_text(static_cast<std::uint64_t>(duration.count()), kTimeUnits);
}

std::string size_text(std::uint64_t bytes) {
  return amount_text(bytes, kSizeUnits);
}

}  // namespace pgwalship
