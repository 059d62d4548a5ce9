#include "cmd/emergency_exit.h"

#include "base/fd.h"

#include <array>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <sys/time.h>
#include <tuple>
#include <unistd.h>

namespace pgwalship {
namespace {

// Handlers may read nothing but these.
std::atomic<int> exit_status{1};
std::array<char, 200> crash_line{};
std::array<char, 200> late_line{};
std::array<std::byte, 16384> handler_stack;  // a stack overflow leaves no other

[[noreturn]] void end_with(const std::array<char, 200>& line) {
  std::ignore =
      ::write(STDERR_FILENO, line.data(), ::strlen(line.data()));  // nothing to do about it
  ::_exit(exit_status.load());
}

void on_crash(int /*signal*/) {
  end_with(crash_line);
}

void on_time_limit(int /*signal*/) {
  end_with(late_line);
}

void handle(int signal, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_ONSTACK;
  ::sigaction(signal, &action, nullptr);
}

}  // namespace

void set_emergency_exit(int status, const std::string& who) {
  exit_status.store(status);
  std::snprintf(crash_line.data(), crash_line.size(),
                "%.120s: crashed; this is a bug of pgwalship\n", who.c_str());
  std::snprintf(late_line.data(), late_line.size(),
                "%.120s: ran out of time, stuck in the system (a disk that hangs?)\n", who.c_str());
  stack_t stack{};
  stack.ss_sp = handler_stack.data();
  stack.ss_size = handler_stack.size();
  ::sigaltstack(&stack, nullptr);
  for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT}) {
    handle(signal, on_crash);
  }
}

void limit_run_time(std::chrono::milliseconds limit) {
  handle(SIGALRM, on_time_limit);
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(limit);
  struct itimerval timer {};
  timer.it_value.tv_sec = seconds.count();
  timer.it_value.tv_usec = std::chrono::microseconds(limit - seconds).count();
  ::setitimer(ITIMER_REAL, &timer, nullptr);
}

void print_reason(const std::string& who, const Error& error) {
  const std::string text = who + ": " + error.text() + "\n";
  std::ignore = write_full(STDERR_FILENO, as_bytes(text), "write");  // nobody else could be told
}

}  // namespace pgwalship
