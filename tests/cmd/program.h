// Runs the real `pgwalship` as PostgreSQL would: in a directory, with words, and looks at how it
// ended and what it said.
#pragma once

#include "base/fd.h"

#include <chrono>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace pgwalship {

struct ProgramEnd {
  int status = -1;  // exit status; -1 when a signal ended it
  int signal = 0;
  std::string out;
  std::string err;
  std::chrono::milliseconds took{};
};

class Program {
 public:
  struct Options {
    std::vector<std::string> words;
    std::string directory = "/";
    std::vector<std::string> environment = {};  // "NAME=value", on top of this process's
    enum class Errors {
      kRead,
      kStuck,  // standard error is a pipe that is full, and read only when the program has ended
    } errors = Errors::kRead;
  };
  // Its standard input is a pipe that input() writes to.
  explicit Program(const Options& options);
  // Kills it when it still runs.
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  int input() const { return in_.get(); }
  int output() const { return out_.get(); }
  void close_input() { in_.reset(); }
  void signal(int number) const;
  // Closes the input, reads all it says, and waits for its end. With kStuck it is killed when it
  // has not ended after kStuckMax.
  ProgramEnd wait();
  static constexpr std::chrono::seconds kStuckMax{15};

 private:
  std::chrono::steady_clock::time_point start_;
  pid_t pid_ = -1;
  Fd in_;
  Fd out_;
  Fd err_;
  std::size_t filled_bytes_ = 0;  // of the pipe behind err_, by us
};

ProgramEnd run_program(const Program::Options& options);

// How many lines `text` has that start with `start`.
int lines_that_start(std::string_view text, std::string_view start);

std::string read_file(const std::string& path);
void write_file(const std::string& path, ByteView content);
void write_file(const std::string& path, std::string_view content);
std::vector<std::string> files_in(const std::string& directory);

}  // namespace pgwalship
