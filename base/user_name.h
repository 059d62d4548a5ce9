#pragma once

#include <optional>
#include <string>

namespace pgwalship {

// Of the effective user of this process, as the user database has it; nothing when it has none.
// Any thread. It may ask a directory service: for words to a person, and when a program starts.
std::optional<std::string> effective_user_name();

}  // namespace pgwalship
