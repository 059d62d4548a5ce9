// What is wrong with a configuration: collected, then told all at once, in the order of the lines.
#pragma once

#include "base/result.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pgwalship {

class ConfigProblems {
 public:
  explicit ConfigProblems(std::string path) : path_(std::move(path)) {}

  // `where` is "[section] key", "[section]", or empty.
  void add(int line, std::string_view where, const Error& error);

  // kInvalid with a line for each problem; ok when there is none.
  Result<void> result() const;

 private:
  struct Problem {
    int line = 0;
    std::string text;
  };

  std::string path_;
  std::vector<Problem> problems_;
};

}  // namespace pgwalship
