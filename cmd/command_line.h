// What every verb shares of its command line: `pgwalship [--config FILE] VERB [arguments]`.
// The only place that knows Boost.Program_options.
#pragma once

#include "base/result.h"

#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pgwalship {

struct CommandLine {
  enum class Wanted { kVerb, kHelp, kVersion };

  Wanted wanted = Wanted::kVerb;
  std::string config_path;  // empty: not given
  std::string verb;
  std::vector<std::string> arguments;
};

// kInvalid when an option before the verb is unknown, or there is no verb.
Result<CommandLine> parse_command_line(const std::vector<std::string>& words);

// What follows one verb. All positionals are required.
struct VerbSyntax {
  std::vector<std::string> positionals = {};
  std::vector<std::string> values = {};           // options with a value, required: "from"
  std::vector<std::string> optional_values = {};  // the same, not required
  std::vector<std::string> flags = {};
};
struct Arguments {
  std::map<std::string, std::string, std::less<>> values;  // of positionals and options
  std::set<std::string, std::less<>> flags;
};
Result<Arguments> parse_arguments(const VerbSyntax& syntax, const std::vector<std::string>& words);

// The word that the user may have meant, or nothing that comes near: "".
std::string_view nearest_word(std::string_view given, std::span<const std::string_view> known);

}  // namespace pgwalship
