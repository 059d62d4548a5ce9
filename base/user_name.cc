#include "base/user_name.h"

#include <pwd.h>
#include <unistd.h>
#include <vector>

namespace pgwalship {

std::optional<std::string> effective_user_name() {
  constexpr std::size_t kEntryBytes = 16'384;
  std::vector<char> buffer(kEntryBytes);
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwuid_r(::geteuid(), &entry, buffer.data(), buffer.size(), &found) != 0 ||
      found == nullptr) {
    return std::nullopt;
  }
  return found->pw_name;
}

}  // namespace pgwalship
