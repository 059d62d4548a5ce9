#include "cmd/config_problems.h"

#include <algorithm>

namespace pgwalship {
namespace {

// What is longer was never meant as such a value, and would fill a log.
constexpr std::size_t kShownMax = 400;
constexpr std::size_t kShownStart = 250;
constexpr std::size_t kShownEnd = 120;

bool is_continuation(char c) {
  return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U;
}

// The bytes of the UTF-8 character that begins there; 0 when none does.
std::size_t character_at(std::string_view text, std::size_t at) {
  const auto first = static_cast<unsigned char>(text[at]);
  const std::size_t size = first < 0x80                    ? 1
                           : first >= 0xC2 && first < 0xE0 ? 2
                           : first >= 0xE0 && first < 0xF0 ? 3
                           : first >= 0xF0 && first < 0xF5 ? 4
                                                           : 0;
  if (size == 0 || size > text.size() - at) {
    return 0;
  }
  const std::string_view rest = text.substr(at + 1, size - 1);
  return std::all_of(rest.begin(), rest.end(), is_continuation) ? size : 0;
}

// Fit for a terminal and a log: no control characters, UTF-8, not too long. A value that somebody
// wrote may be anything.
std::string shown(std::string_view text) {
  if (text.size() > kShownMax) {
    return shown(text.substr(0, kShownStart)) + "... (" +
           std::to_string(text.size() - kShownStart - kShownEnd) + " bytes) ..." +
           shown(text.substr(text.size() - kShownEnd));
  }
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const auto byte = static_cast<unsigned char>(text[at]);
    const std::size_t size = byte < 0x20 || byte == 0x7F ? 0 : character_at(text, at);
    if (size > 0) {
      out += text.substr(at, size);
      at += size;
    } else {
      out += {'\\', 'x', kDigits[byte >> 4U], kDigits[byte & 0xFU]};
      ++at;
    }
  }
  return out;
}

}  // namespace

void ConfigProblems::add(int line, std::string_view where, const Error& error) {
  std::string text = path_ + ":" + std::to_string(line) + ": ";
  if (!where.empty()) {
    text += shown(where) + ": ";
  }
  text += shown(error.message);
  if (!error.hint.empty()) {
    text += " (HINT: " + shown(error.hint) + ")";
  }
  problems_.push_back({line, std::move(text)});
}

Result<void> ConfigProblems::result() const {
  if (problems_.empty()) {
    return {};
  }
  std::vector<Problem> sorted = problems_;
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const Problem& a, const Problem& b) { return a.line < b.line; });
  std::string message;
  for (const Problem& problem : sorted) {
    message += (message.empty() ? "" : "\n") + problem.text;
  }
  return Error{Errc::kInvalid, message, ""};
}

}  // namespace pgwalship
