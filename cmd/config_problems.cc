#include "cmd/config_problems.h"

#include <algorithm>

namespace pgwalship {

void ConfigProblems::add(int line, std::string_view where, const Error& error) {
  std::string text = path_ + ":" + std::to_string(line) + ": ";
  if (!where.empty()) {
    text += std::string(where) + ": ";
  }
  text += error.message;
  if (!error.hint.empty()) {
    text += " (HINT: " + error.hint + ")";
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
