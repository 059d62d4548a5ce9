#include "cmd/verify_report.h"

#include "base/words.h"

#include <algorithm>
#include <cstdio>

namespace pgwalship {
namespace {

using State = VerifiedProblem::State;

std::string quoted(std::string_view text) {
  std::string json = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      json += '\\';
      json += c;
    } else if (byte < 0x20 || byte == 0x7F) {
      char escaped[7];
      std::snprintf(escaped, sizeof escaped, "\\u%04x", byte);
      json += escaped;
    } else {
      json += c;
    }
  }
  return json + "\"";
}

std::string_view to_word(State state) {
  switch (state) {
    case State::kOpen:
      return "open";
    case State::kRepaired:
      return "repaired";
    case State::kNotRepaired:
      return "not repaired";
  }
  return "?";
}

std::string rate_text(const VerifyTotals& totals) {
  const double seconds = std::chrono::duration<double>(totals.time).count();
  const double megabytes = static_cast<double>(totals.bytes) / (1 << 20);
  char text[32];
  std::snprintf(text, sizeof text, "%.0f MB/s", seconds > 0 ? megabytes / seconds : 0);
  return text;
}

std::string time_text(double seconds) {
  char text[32];
  if (seconds < 120) {
    std::snprintf(text, sizeof text, "%.0f s", seconds);
  } else if (seconds < 7200) {
    std::snprintf(text, sizeof text, "%.0f min", seconds / 60);
  } else {
    std::snprintf(text, sizeof text, "%.1f h", seconds / 3600);
  }
  return text;
}

}  // namespace

std::string problem_line(const VerifiedProblem& verified) {
  const Problem& problem = verified.problem;
  std::string line = problem.name + ": " + problem.what;
  switch (verified.state) {
    case State::kOpen:
      return line + (problem.hint.empty() ? "" : " (HINT: " + problem.hint + ")") + "\n";
    case State::kRepaired:
      return line + "; repaired" + (verified.outcome.empty() ? "" : ", " + verified.outcome) + "\n";
    case State::kNotRepaired:
      return line + "; NOT repaired: " + verified.outcome + "\n";
  }
  return line + "\n";
}

std::string summary_line(const VerifyTotals& totals, const std::vector<VerifiedProblem>& problems) {
  const auto repaired = std::count_if(problems.begin(), problems.end(), [](const auto& each) {
    return each.state == State::kRepaired;
  });
  std::string line = "verified " + counted(totals.files, "file") + " in " +
                     time_text(std::chrono::duration<double>(totals.time).count()) + " (" +
                     rate_text(totals) + "): ";
  if (problems.empty()) {
    return line + "all good\n";
  }
  line += counted(problems.size(), "problem");
  return line + (repaired > 0 ? ", " + std::to_string(repaired) + " repaired" : "") + "\n";
}

std::string verify_json(const VerifyTotals& totals, const std::vector<VerifiedProblem>& problems) {
  const bool good = std::all_of(problems.begin(), problems.end(),
                                [](const auto& each) { return each.state == State::kRepaired; });
  std::string json = "{\n  \"version\": 1,\n  \"good\": " + std::string(good ? "true" : "false") +
                     ",\n  \"files\": " + std::to_string(totals.files) +
                     ",\n  \"bytes\": " + std::to_string(totals.bytes) + ",\n  \"problems\": [";
  for (std::size_t i = 0; i < problems.size(); ++i) {
    const Problem& problem = problems[i].problem;
    json += std::string(i > 0 ? "," : "") + "\n    {\"name\": " + quoted(problem.name) +
            ", \"kind\": " + quoted(pgwalship::to_word(problem.kind)) +
            ", \"what\": " + quoted(problem.what) + ", \"hint\": " + quoted(problem.hint) +
            ", \"state\": " + quoted(to_word(problems[i].state)) +
            ", \"outcome\": " + quoted(problems[i].outcome) + "}";
  }
  return json + (problems.empty() ? "]\n}\n" : "\n  ]\n}\n");
}

}  // namespace pgwalship
