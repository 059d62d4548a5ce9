// Positions in the WAL as people and PostgreSQL's text files write them; lsn_text() in
// wal/segment_name.h is the way back.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace pgwalship {

// "A/FF000028": two hexadecimal numbers of 1 to 8 digits, and nothing else.
std::optional<std::uint64_t> parse_lsn(std::string_view text);

// A timeline's number: decimal, 1 to 4294967295, without sign or blanks.
std::optional<std::uint32_t> parse_timeline(std::string_view text);

// At most `characters_max` characters of one line for logs and terminals: what is neither visible
// ASCII nor a blank becomes '?'; what is cut off ends in "...".
std::string one_line(std::string_view text, std::size_t characters_max);

}  // namespace pgwalship
