#include "cmd/check_lines.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

namespace pgwalship {
namespace {

using State = CheckLine::State;

constexpr int kGood = 0;
constexpr int kFailures = 1;
constexpr int kWarnings = 3;

std::string_view to_word(State state) {
  switch (state) {
    case State::kOk:
      return "OK";
    case State::kWarning:
      return "WARN";
    case State::kFailed:
      return "FAIL";
    case State::kSkipped:
      return "-";
  }
  return "?";
}

std::size_t count(const std::vector<CheckLine>& lines, State state) {
  return static_cast<std::size_t>(std::count_if(
      lines.begin(), lines.end(), [state](const CheckLine& line) { return line.state == state; }));
}

std::string padded(std::string text, std::size_t width) {
  text.resize(std::max(text.size(), width), ' ');
  return text;
}

}  // namespace

void CheckLines::add(State state, const std::string& what, std::string text, std::string hint) {
  lines_.push_back({subject_, what, state, std::move(text), std::move(hint)});
}
void CheckLines::ok(const std::string& what, std::string text) {
  add(State::kOk, what, std::move(text), "");
}
void CheckLines::warn(const std::string& what, std::string text, std::string hint) {
  add(State::kWarning, what, std::move(text), std::move(hint));
}
void CheckLines::fail(const std::string& what, std::string text, std::string hint) {
  add(State::kFailed, what, std::move(text), std::move(hint));
}
void CheckLines::fail(const std::string& what, const Error& error) {
  add(State::kFailed, what, error.message, error.hint);
}
void CheckLines::skip(const std::string& what, std::string text) {
  add(State::kSkipped, what, std::move(text), "");
}

std::string check_text(const std::vector<CheckLine>& lines) {
  constexpr std::size_t kStateWidth = 6;
  std::size_t width = 0;
  for (const CheckLine& line : lines) {
    width = std::max(width, line.what.size() + 2);
  }
  std::string text;
  std::string subject;
  for (const CheckLine& line : lines) {
    if (line.subject != subject) {
      subject = line.subject;
      text += (text.empty() ? "" : "\n") + subject + "\n";
    }
    text += "  " + padded(std::string(to_word(line.state)), kStateWidth) +
            padded(line.what, width) + line.text + "\n";
    if (!line.hint.empty()) {
      text += std::string(2 + kStateWidth, ' ') + "HINT: " + line.hint + "\n";
    }
  }
  const std::size_t failed = count(lines, State::kFailed);
  const std::size_t warned = count(lines, State::kWarning);
  text += "\n" + std::to_string(count(lines, State::kOk)) + " OK, " + std::to_string(warned) +
          " to look at, " + std::to_string(failed) + " failed\n";
  return text;
}

std::string check_json(const std::vector<CheckLine>& lines) {
  constexpr std::array<std::pair<State, const char*>, 4> kWords{{{State::kOk, "ok"},
                                                                 {State::kWarning, "warning"},
                                                                 {State::kFailed, "failed"},
                                                                 {State::kSkipped, "skipped"}}};
  nlohmann::ordered_json checks = nlohmann::ordered_json::array();
  for (const CheckLine& line : lines) {
    const auto* word = std::find_if(kWords.begin(), kWords.end(),
                                    [&](const auto& each) { return each.first == line.state; });
    checks.push_back({{"subject", line.subject},
                      {"what", line.what},
                      {"state", word->second},
                      {"text", line.text},
                      {"hint", line.hint}});
  }
  const nlohmann::ordered_json json{{"schema", 1},
                                    {"failed", count(lines, State::kFailed)},
                                    {"warnings", count(lines, State::kWarning)},
                                    {"checks", checks}};
  constexpr int kIndent = 2;
  return json.dump(kIndent, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

int check_status(const std::vector<CheckLine>& lines) {
  if (count(lines, State::kFailed) > 0) {
    return kFailures;
  }
  return count(lines, State::kWarning) > 0 ? kWarnings : kGood;
}

std::string readable_size(std::uint64_t bytes) {
  constexpr std::array kUnits{"B", "kB", "MB", "GB", "TB"};
  constexpr double kStep = 1024;
  auto size = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; size >= kStep && unit + 1 < kUnits.size(); ++unit) {
    size /= kStep;
  }
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), unit == 0 ? "%.0f %s" : "%.1f %s", size, kUnits.at(unit));
  return text.data();
}

}  // namespace pgwalship
