// What `pgwalship verify` says: one line a problem, a summary, or JSON. Pure.
#pragma once

#include "restorer/verification.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace pgwalship {

struct VerifiedProblem {
  Problem problem;
  enum class State { kOpen, kRepaired, kNotRepaired };
  State state = State::kOpen;
  std::string outcome = {};  // from where it was repaired; why not
};

struct VerifyTotals {
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;  // of the archive files, compressed
  std::chrono::milliseconds time{};
};

// "NAME: what (HINT: hint)", or what became of it.
std::string problem_line(const VerifiedProblem& problem);
std::string summary_line(const VerifyTotals& totals, const std::vector<VerifiedProblem>& problems);
std::string verify_json(const VerifyTotals& totals, const std::vector<VerifiedProblem>& problems);

}  // namespace pgwalship
