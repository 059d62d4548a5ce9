// Times and sizes as postgresql.conf writes them: a whole number and a unit, blanks between them
// allowed. Zero needs no unit.
#pragma once

#include "base/result.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace pgwalship {

// ms, s, min, h, d. kInvalid with a hint that lists them.
Result<std::chrono::milliseconds> parse_duration(std::string_view text);
// B, kB, MB, GB, TB: powers of 1024. kInvalid with a hint that lists them.
Result<std::uint64_t> parse_size(std::string_view text);

// In the largest unit that divides it: "15s", "1500ms", "64MB".
std::string duration_text(std::chrono::milliseconds duration);
std::string size_text(std::uint64_t bytes);

}  // namespace pgwalship
