// What two sides must agree on before they talk: docs/protocol.md section 3.
#include "transport/messages.h"

#include <algorithm>
#include <string>

namespace pgwalship {
namespace {

// Who may talk to whom, and as what.
bool roles_fit(Role one, Role other) {
  switch (one) {
    case Role::kClient:
      return other == Role::kAnsweringDaemon;
    case Role::kDaemon:
      return other == Role::kReceiver;
    case Role::kReceiver:
      return other == Role::kDaemon;
    case Role::kAnsweringDaemon:
      return other == Role::kClient;
  }
  return false;
}

std::string role_number(Role role) {
  return std::to_string(static_cast<int>(role));
}

// Either side may have to read it, and both logs get it: nobody is "here" in it.
std::string speaker(const Hello& hello) {
  return "'" + hello.node + "' (" + hello.software + ")";
}

std::string version_range(const Hello& hello) {
  return std::to_string(hello.version_min) + " to " + std::to_string(hello.version);
}

}  // namespace

Result<std::uint16_t> check_hello(const Hello& mine, const Hello& theirs) {
  const std::uint16_t version = std::min(mine.version, theirs.version);
  if (version < mine.version_min || version < theirs.version_min) {
    const Hello& older = mine.version < theirs.version ? mine : theirs;
    return Error{Errc::kInvalid,
                 "no common protocol version: " + speaker(mine) + " speaks " + version_range(mine) +
                     ", " + speaker(theirs) + " speaks " + version_range(theirs),
                 "upgrade pgwalship on '" + older.node +
                     "': only neighbouring versions understand "
                     "each other"};
  }
  if (!roles_fit(mine.role, theirs.role)) {
    return Error{Errc::kProtocol,
                 speaker(theirs) + " greeted in role " + role_number(theirs.role) +
                     ", which does not go with role " + role_number(mine.role) + " of " +
                     speaker(mine),
                 "check what is connected to what: [daemon] socket, and the forced command in "
                 "authorized_keys"};
  }
  if (mine.cluster != theirs.cluster) {
    return Error{Errc::kInvalid,
                 speaker(mine) + " is of cluster '" + mine.cluster + "', " + speaker(theirs) +
                     " of cluster '" + theirs.cluster + "'",
                 "[cluster] name must be the same on all nodes of a cluster, and no other "
                 "cluster's node may be in its list"};
  }
  if (mine.system_id != 0 && theirs.system_id != 0 && mine.system_id != theirs.system_id) {
    return Error{Errc::kInvalid,
                 "different database systems: " + speaker(mine) + " archives system identifier " +
                     std::to_string(mine.system_id) + ", " + speaker(theirs) + " " +
                     std::to_string(theirs.system_id),
                 "one of the archives is another cluster's, or is older than the last initdb: "
                 "give this cluster a directory of its own ([archive] directory)"};
  }
  return version;
}

}  // namespace pgwalship
