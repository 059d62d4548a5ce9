// PostgreSQL gives paths relative to its data directory; FileSystem takes absolute ones.
#pragma once

#include "base/result.h"

#include <string>

namespace pgwalship {

Result<std::string> working_directory();
// kInvalid for an empty path.
Result<std::string> absolute_path(const std::string& path);

}  // namespace pgwalship
