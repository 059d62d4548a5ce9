// What the messages of all programs have in common.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace pgwalship {

// "1 segment", "12 segments".
inline std::string counted(std::uint64_t number, std::string_view noun) {
  return std::to_string(number) + " " + std::string(noun) + (number == 1 ? "" : "s");
}

}  // namespace pgwalship
