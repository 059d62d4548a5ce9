// The text of a known_hosts file: which keys it pins for a host, and the same text with others.
// Lines that are not about that host stay as they are. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pgwalship {

struct PinnedKey {
  std::string type;
  std::string base64;

  friend bool operator==(const PinnedKey&, const PinnedKey&) = default;
};

// "host", or "[host]:port" unless that is 22.
std::string known_hosts_entry_name(const std::string& host, std::uint16_t port);

// Those that stand under exactly this name. Hashed names and patterns match nothing here.
std::vector<PinnedKey> pinned_keys(std::string_view text, std::string_view name);
std::string with_pinned_key(std::string_view text, std::string_view name, const PinnedKey& key);
// The name goes from every line that has it; a line that is left without a name goes as a whole.
// @revoked lines stay.
std::string without_pinned_keys(std::string_view text, std::string_view name);

}  // namespace pgwalship
