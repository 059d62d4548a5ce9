#include "cmd/pacemaker_keys.h"

#include "cmd/units.h"
#include "topology/node_list.h"

#include <algorithm>
#include <array>
#include <string>

namespace pgwalship {
namespace {

Error invalid(std::string_view value, const std::string& what, std::string hint) {
  return Error{Errc::kInvalid, "'" + std::string(value) + "' " + what, std::move(hint)};
}

Result<void> name(Config& /*config*/, std::string_view value) {
  if (!is_valid_name(value)) {
    return invalid(value, "is not a name", "letters, digits, dot, hyphen and underscore");
  }
  return {};
}

// ADDRESS/PREFIX
Result<void> address(Config& /*config*/, std::string_view value) {
  constexpr std::string_view kAllowed = "0123456789abcdefABCDEF.:";
  const auto slash = value.find('/');
  const std::string_view prefix = slash == std::string_view::npos ? "" : value.substr(slash + 1);
  if (slash == 0 || prefix.empty() || prefix.size() > 3 ||
      prefix.find_first_not_of("0123456789") != std::string_view::npos ||
      value.substr(0, slash).find_first_not_of(kAllowed) != std::string_view::npos) {
    return invalid(value, "is not an address with its prefix length", "such as 10.10.10.105/24");
  }
  return {};
}

Result<void> number(Config& /*config*/, std::string_view value) {
  if (value.size() > 9 || value.find_first_not_of("0123456789") != std::string_view::npos) {
    return invalid(value, "is not a number", "");
  }
  return {};
}

Result<void> path(Config& /*config*/, std::string_view value) {
  if (value.front() != '/') {
    return invalid(value, "is not an absolute path", "");
  }
  return {};
}

Result<void> duration(Config& /*config*/, std::string_view value) {
  TRY(parse_duration(value));
  return {};
}

Result<void> words(std::string_view value, std::ptrdiff_t at_least, const std::string& hint) {
  std::ptrdiff_t found = 0;
  bool blank = true;
  for (const char c : value) {
    const bool is_blank = c == ' ' || c == '\t';
    found += blank && !is_blank ? 1 : 0;
    blank = is_blank;
  }
  if (found < at_least) {
    return invalid(value, "is not understood", hint);
  }
  return {};
}

Result<void> ring(Config& /*config*/, std::string_view value) {
  return words(value, 2, "a node's name and its second address");
}

Result<void> client(Config& /*config*/, std::string_view value) {
  return words(value, 3, "database, user and network, such as app app 10.10.10.0/24");
}

Result<void> fence(Config& /*config*/, std::string_view value) {
  return words(value, 2, "a name, the agent, then nodes=, level= and the agent's parameters");
}

Result<void> text(Config& /*config*/, std::string_view /*value*/) {
  return {};
}

constexpr auto kRepeated = ConfigKey::Times::kRepeated;

constexpr auto kKeys = std::to_array<ConfigKey>({
    {"pacemaker", "site", name},
    {"pacemaker", "client-ip", address},
    {"pacemaker", "replication-ip", address},
    {"pacemaker", "interface", name},
    {"pacemaker", "second-ring", ring, kRepeated},
    {"pacemaker", "token", duration},
    {"pacemaker", "stickiness", number},
    {"pacemaker", "postgres-bin", path},
    {"pacemaker", "postgres-port", number},
    {"pacemaker", "postgres-tmp", path},
    {"pacemaker", "replication-user", name},
    {"pacemaker", "client", client, kRepeated},
    {"pacemaker", "fence", fence, kRepeated},
    {"pacemaker", "alert-recipient", text, kRepeated},
});

}  // namespace

std::span<const ConfigKey> pacemaker_keys() {
  return kKeys;
}

}  // namespace pgwalship
