#include "cmd/paths.h"

#include "base/fd.h"

#include <filesystem>

namespace pgwalship {

Result<std::string> working_directory() {
  std::error_code failure;
  const std::filesystem::path directory = std::filesystem::current_path(failure);
  if (failure) {
    return errno_error("find the working directory", failure.value());
  }
  return directory.string();
}

Result<std::string> absolute_path(const std::string& path) {
  if (path.empty()) {
    return Error{Errc::kInvalid, "the path is empty", ""};
  }
  if (path.front() == '/') {
    return path;
  }
  TRY_ASSIGN(const std::string directory, working_directory());
  return directory + "/" + path;
}

}  // namespace pgwalship
