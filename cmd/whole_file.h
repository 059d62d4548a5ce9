// Small files that are written whole or not at all: keys, known hosts, a configuration. Durable on
// return. The directory must exist.
#pragma once

#include "base/file_system.h"
#include "base/result.h"

#include <string>
#include <string_view>

namespace pgwalship {

struct WholeFile {
  std::string path;
  std::string_view text;
  unsigned mode = 0600;
};

// kAlreadyExists when there is one, which stays as it is.
Result<void> write_new_file(FileSystem& file_system, const WholeFile& file);
// Takes the place of one that is there, in one step.
Result<void> replace_file(FileSystem& file_system, const WholeFile& file);
// kNotFound; kInvalid when it has more than a megabyte.
Result<std::string> read_whole_file(FileSystem& file_system, const std::string& path);

std::string directory_of(const std::string& path);

}  // namespace pgwalship
