#include "cmd/emergency_exit.h"

#include "base/fd.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <poll.h>
#include <sys/time.h>
#include <tuple>
#include <unistd.h>

namespace pgwalship {
namespace {

// For a reason, while stderr is full: a burst of others' lines is over by then, and the time of a
// probe for a history file is not (cmd/fetch_budget.h).
constexpr std::chrono::milliseconds kReasonPatience{100};

// Handlers may read nothing but these.
std::atomic<int> exit_status{1};
std::array<char, 200> crash_line{};
std::array<char, 200> late_line{};
std::array<std::byte, 16384> handler_stack;  // a stack overflow leaves no other

static_assert(sizeof late_line <= PIPE_BUF);

// Whether stderr takes PIPE_BUF bytes without waiting for its reader, whoever that is: PostgreSQL's
// logging collector may stand still, on a disk that hangs as likely as not. A pipe of Linux says
// POLLOUT when it has a page to spare. For handlers, too.
bool stderr_takes_more(std::chrono::milliseconds patience) {
  pollfd out{STDERR_FILENO, POLLOUT, 0};
  int ready = 0;
  do {
    ready = ::poll(&out, 1, static_cast<int>(patience.count()));
  } while (ready < 0 && errno == EINTR);
  return ready > 0;
}

void leave(int /*signal*/) {
  ::_exit(exit_status.load());
}

void handle(int signal, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_ONSTACK;
  ::sigaction(signal, &action, nullptr);
}

[[noreturn]] void end_with(const std::array<char, 200>& line) {
  if (stderr_takes_more(std::chrono::milliseconds(0))) {
    // All processes of a server have one stderr: another may have taken the last page meanwhile.
    handle(SIGALRM, leave);
    sigset_t alarm;
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    ::pthread_sigmask(SIG_UNBLOCK, &alarm, nullptr);
    ::alarm(1);
    std::ignore =
        ::write(STDERR_FILENO, line.data(), ::strlen(line.data()));  // nothing to do about it
  }
  ::_exit(exit_status.load());
}

void on_crash(int /*signal*/) {
  end_with(crash_line);
}

void on_time_limit(int /*signal*/) {
  end_with(late_line);
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
  ByteView left = as_bytes(text);
  while (!left.empty() && stderr_takes_more(kReasonPatience)) {
    const ByteView piece = left.first(std::min<std::size_t>(left.size(), PIPE_BUF));
    if (!write_full(STDERR_FILENO, piece, "write").ok()) {
      return;  // nobody else could be told
    }
    left = left.subspan(piece.size());
  }
}

}  // namespace pgwalship
