// Other processes, as /proc shows them.
#pragma once

#include <string>

namespace pgwalship {

// Whether a process of that id runs and works in that directory, or may: what another user's does
// is not shown. A zombie does not run.
bool runs_in(int pid, const std::string& directory);

}  // namespace pgwalship
