#include "cmd/command_line.h"

#include <boost/program_options.hpp>

#include <algorithm>
#include <numeric>

namespace pgwalship {
namespace {

namespace po = boost::program_options;

constexpr std::size_t kFarthestTypo = 2;
// Where words go that no verb asked for. With a blank, so that nobody means it as an option.
constexpr const char* kSurplus = "surplus words";

// Long options are not abbreviated: a later version's new option must not change what a command
// that is written into postgresql.conf means.
constexpr int kStyle = po::command_line_style::unix_style & ~po::command_line_style::allow_guessing;

Error usage_error(const std::string& message) {
  return Error{Errc::kInvalid, message, "--help after the verb shows what it takes"};
}

// How many of the words stand before the verb.
std::size_t words_before_verb(const std::vector<std::string>& words) {
  std::size_t count = 0;
  while (count < words.size() && words[count].starts_with("-")) {
    count += words[count] == "--config" || words[count] == "-c" ? 2 : 1;
  }
  return std::min(count, words.size());
}

std::size_t edit_distance(std::string_view from, std::string_view to) {
  std::vector<std::size_t> row(to.size() + 1);
  std::iota(row.begin(), row.end(), 0U);
  for (std::size_t i = 0; i < from.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < to.size(); ++j) {
      const std::size_t replaced = diagonal + (from[i] == to[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

Result<CommandLine> parse_command_line(const std::vector<std::string>& words) {
  const auto verb = words.begin() + static_cast<std::ptrdiff_t>(words_before_verb(words));
  po::options_description options;
  options.add_options()("config,c", po::value<std::string>())("help,h", "")("version,V", "");
  po::variables_map given;
  try {
    po::store(po::command_line_parser(std::vector<std::string>(words.begin(), verb))
                  .options(options)
                  .style(kStyle)
                  .run(),
              given);
  } catch (const po::error& error) {
    return usage_error(error.what());
  }
  CommandLine line;
  if (given.contains("config")) {
    line.config_path = given["config"].as<std::string>();
    if (line.config_path.empty()) {
      return usage_error("--config needs the name of a file");
    }
  }
  if (given.contains("help") || given.contains("version")) {
    line.wanted =
        given.contains("help") ? CommandLine::Wanted::kHelp : CommandLine::Wanted::kVersion;
    return line;
  }
  if (verb == words.end()) {
    return usage_error("no verb is given");
  }
  line.verb = *verb;
  line.arguments.assign(verb + 1, words.end());
  return line;
}

Result<Arguments> parse_arguments(const VerbSyntax& syntax, const std::vector<std::string>& words) {
  po::options_description options;
  po::positional_options_description positions;
  for (const std::string& name : syntax.positionals) {
    options.add_options()(name.c_str(), po::value<std::string>());
    positions.add(name.c_str(), 1);
  }
  for (const auto* names : {&syntax.values, &syntax.optional_values}) {
    for (const std::string& name : *names) {
      options.add_options()(name.c_str(), po::value<std::string>());
    }
  }
  for (const std::string& name : syntax.flags) {
    options.add_options()(name.c_str(), "");
  }
  options.add_options()(kSurplus, po::value<std::vector<std::string>>());
  positions.add(kSurplus, -1);
  po::variables_map given;
  try {
    po::store(
        po::command_line_parser(words).options(options).positional(positions).style(kStyle).run(),
        given);
  } catch (const po::error& error) {
    const bool too_late = std::any_of(words.begin(), words.end(), [](const std::string& word) {
      return word == "-c" || word == "--config" || word.starts_with("--config=");
    });
    return too_late ? Error{Errc::kInvalid, "--config stands before the verb", ""}
                    : usage_error(error.what());
  }
  if (given.contains(kSurplus)) {
    return usage_error("'" + given[kSurplus].as<std::vector<std::string>>().front() +
                       "' is one argument too many");
  }
  Arguments arguments;
  for (const auto* names : {&syntax.positionals, &syntax.values}) {
    for (const std::string& name : *names) {
      if (!given.contains(name)) {
        return usage_error(names == &syntax.values ? "--" + name + " is missing"
                                                   : name + " is missing");
      }
      arguments.values[name] = given[name].as<std::string>();
    }
  }
  for (const std::string& name : syntax.optional_values) {
    if (given.contains(name)) {
      arguments.values[name] = given[name].as<std::string>();
    }
  }
  for (const std::string& name : syntax.flags) {
    if (given.contains(name)) {
      arguments.flags.insert(name);
    }
  }
  return arguments;
}

std::string_view nearest_word(std::string_view given, std::span<const std::string_view> known) {
  std::string_view nearest;
  std::size_t shortest = kFarthestTypo + 1;
  for (const std::string_view word : known) {
    const std::size_t distance = edit_distance(given, word);
    if (distance < shortest && distance < word.size()) {
      shortest = distance;
      nearest = word;
    }
  }
  return nearest;
}

}  // namespace pgwalship
