#include "tests/cmd/program.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <poll.h>
#include <signal.h>
#include <sstream>
#include <sys/wait.h>
#include <unistd.h>

namespace pgwalship {
namespace {

struct Pipe {
  Fd read;
  Fd write;
};

Pipe make_pipe() {
  std::array<int, 2> ends{};
  CHECK(::pipe2(ends.data(), O_CLOEXEC) == 0);
  return {Fd(ends[0]), Fd(ends[1])};
}

// Returns how many bytes it took.
std::size_t fill(int fd) {
  const std::string page(4096, '.');
  std::size_t filled = 0;
  const int flags = ::fcntl(fd, F_GETFL);
  CHECK(::fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0);
  for (ssize_t put = 0; put >= 0; filled += static_cast<std::size_t>(std::max<ssize_t>(put, 0))) {
    put = ::write(fd, page.data(), page.size());
  }
  CHECK(::fcntl(fd, F_SETFL, flags) == 0);
  return filled;
}

bool append_some(int fd, std::string& text) {
  std::array<char, 65536> buffer;
  const ssize_t got = ::read(fd, buffer.data(), buffer.size());
  text.append(buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  return got > 0;
}

}  // namespace

Program::Program(const Options& options) : start_(std::chrono::steady_clock::now()) {
  ::signal(SIGPIPE, SIG_IGN);
  Pipe in = make_pipe();
  Pipe out = make_pipe();
  Pipe err = make_pipe();
  filled_bytes_ = options.errors == Options::Errors::kStuck ? fill(err.write.get()) : 0;
  std::vector<std::string> words{PGWALSHIP_PROGRAM};
  words.insert(words.end(), options.words.begin(), options.words.end());
  std::vector<char*> arguments;
  for (std::string& word : words) {
    arguments.push_back(word.data());
  }
  arguments.push_back(nullptr);
  std::vector<std::string> environment = options.environment;
  pid_ = ::fork();
  CHECK(pid_ >= 0);
  if (pid_ == 0) {
    ::dup2(in.read.get(), STDIN_FILENO);
    ::dup2(out.write.get(), STDOUT_FILENO);
    ::dup2(err.write.get(), STDERR_FILENO);
    ::unsetenv("SSH_CONNECTION");  // whoever runs the tests may have logged in by ssh
    for (std::string& setting : environment) {
      ::putenv(setting.data());
    }
    if (::chdir(options.directory.c_str()) == 0) {
      ::execv(arguments[0], arguments.data());
    }
    ::_exit(127);
  }
  in_ = std::move(in.write);
  out_ = std::move(out.read);
  err_ = std::move(err.read);
}

Program::~Program() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
}

void Program::signal(int number) const {
  ::kill(pid_, number);
}

ProgramEnd Program::wait() {
  in_.reset();
  if (filled_bytes_ > 0) {
    pollfd ended{out_.get(), POLLIN, 0};
    const std::chrono::milliseconds limit = kStuckMax;
    if (::poll(&ended, 1, static_cast<int>(limit.count())) == 0) {
      ADD_FAILURE() << "it hangs";
      ::kill(pid_, SIGKILL);
    }
  }
  ProgramEnd end;
  bool out_open = true;
  bool err_open = true;
  while (out_open || err_open) {
    std::array<pollfd, 2> fds{
        {{out_open ? out_.get() : -1, POLLIN, 0}, {err_open ? err_.get() : -1, POLLIN, 0}}};
    ::poll(fds.data(), fds.size(), -1);
    out_open = out_open && (fds[0].revents == 0 || append_some(out_.get(), end.out));
    err_open = err_open && (fds[1].revents == 0 || append_some(err_.get(), end.err));
  }
  end.err.erase(0, filled_bytes_);
  int status = 0;
  ::waitpid(std::exchange(pid_, -1), &status, 0);
  end.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  end.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  end.took = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - start_);
  return end;
}

ProgramEnd run_program(const Program::Options& options) {
  return Program(options).wait();
}

int lines_that_start(std::string_view text, std::string_view start) {
  std::istringstream stream{std::string(text)};
  int count = 0;
  for (std::string line; std::getline(stream, line);) {
    count += line.starts_with(start) ? 1 : 0;
  }
  return count;
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.good()) << path;
  std::ostringstream content;
  content << file.rdbuf();
  return content.str();
}

void write_file(const std::string& path, ByteView content) {
  write_file(path, as_text(content));
}

void write_file(const std::string& path, std::string_view content) {
  std::ofstream file(path, std::ios::binary);
  file << content;
  EXPECT_TRUE(file.good()) << path;
}

std::vector<std::string> files_in(const std::string& directory) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace pgwalship
