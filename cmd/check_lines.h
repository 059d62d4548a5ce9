// What `pgwalship config --check` finds: one line for each thing that was tested. Pure.
#pragma once

#include "base/result.h"

#include <string>
#include <vector>

namespace pgwalship {

struct CheckLine {
  enum class State {
    kOk,
    kWarning,  // it works, and should be looked at
    kFailed,   // it does not work
    kSkipped,  // not tested: something before it failed, or it is not configured
  };
  std::string subject;  // "configuration", "this node", "PostgreSQL", or the name of a peer
  std::string what;     // "archive directory"
  State state = State::kOk;
  std::string text;
  std::string hint = {};
};

// A line for one thing of one subject.
class CheckLines {
 public:
  explicit CheckLines(std::string subject) : subject_(std::move(subject)) {}

  void ok(const std::string& what, std::string text);
  void warn(const std::string& what, std::string text, std::string hint);
  void fail(const std::string& what, std::string text, std::string hint);
  void fail(const std::string& what, const Error& error);
  void skip(const std::string& what, std::string text);
  std::vector<CheckLine> take() { return std::move(lines_); }

 private:
  void add(CheckLine::State state, const std::string& what, std::string text, std::string hint);

  const std::string subject_;
  std::vector<CheckLine> lines_;
};

std::string check_text(const std::vector<CheckLine>& lines);
// docs/json.md has the schema, version 1.
std::string check_json(const std::vector<CheckLine>& lines);
// 0 all is good, 1 something does not work, 3 there are warnings and nothing worse.
int check_status(const std::vector<CheckLine>& lines);

// "12.3 GB", "64 MB": for reading.
std::string readable_size(std::uint64_t bytes);

}  // namespace pgwalship
