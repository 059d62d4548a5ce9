// Who a set-up command works as. What the daemon uses must belong to the daemon's user, so root
// becomes that user before it looks at or makes anything.
#pragma once

#include "base/result.h"
#include "cmd/config.h"

#include <optional>
#include <string>

namespace pgwalship {

struct ActingUser {
  std::string name;
  std::string home;
};

// The user of this process, as the user database has it.
Result<ActingUser> current_acting_user();

// Called by root, the process becomes the owner of the archive directory for good (where that is
// root, the owner of [postgres] data-directory); when there is no such directory, [ssh] user.
// Called by anybody else it changes nothing. kInvalid when root cannot tell who the daemon is.
Result<ActingUser> become_daemon_user(const Config& config);

// The same for the owner of a directory; root_again() takes it back.
Result<ActingUser> become_owner_of(const std::string& directory);
void root_again();

}  // namespace pgwalship
