#include "cmd/authorized_line.h"

#include <string_view>

namespace pgwalship {
namespace {

// sshd gives the command to the user's shell.
std::string shell_word(const std::string& text) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+:@%,=";
  if (text.find_first_not_of(kPlain) == std::string::npos) {
    return text;
  }
  std::string quoted = "'";
  for (const char c : text) {
    quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  }
  return quoted + "'";
}

// authorized_keys knows one escape inside of quotes: \".
std::string option_value(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    escaped += c == '"' ? std::string("\\\"") : std::string(1, c);
  }
  return "\"" + escaped + "\"";
}

}  // namespace

std::string authorized_line(const AuthorizedLine& line) {
  std::string command = shell_word(line.client);
  if (!line.config.empty()) {
    command += " --config " + shell_word(line.config);
  }
  command += " receive --from " + line.node;
  return "restrict,command=" + option_value(command) + " " + line.key_type + " " + line.key_base64 +
         " pgwalship@" + line.node;
}

}  // namespace pgwalship
