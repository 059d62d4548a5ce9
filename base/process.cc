#include "base/process.h"

#include "base/fd.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <sstream>
#include <sys/stat.h>
#include <unistd.h>

namespace pgwalship {

bool runs_in(int pid, const std::string& directory) {
  if (::kill(pid, 0) != 0 && errno != EPERM) {
    return false;
  }
  struct stat working {};
  if (::stat(("/proc/" + std::to_string(pid) + "/cwd").c_str(), &working) != 0) {
    return errno != ENOENT;  // a zombie has none; another user's may not be followed
  }
  struct stat wanted {};
  return ::stat(directory.c_str(), &wanted) == 0 && working.st_ino == wanted.st_ino &&
         working.st_dev == wanted.st_dev;
}

// The name of the program stands in parentheses and may hold anything, parentheses too.
std::optional<ThreadState> parse_thread_state(std::string_view stat) {
  const std::size_t name_end = stat.rfind(") ");
  if (name_end == std::string_view::npos) {
    return std::nullopt;
  }
  std::istringstream fields{std::string(stat.substr(name_end + 2))};
  ThreadState state;
  fields >> state.letter;
  std::string skipped;
  for (int field = 4; field <= 13; ++field) {  // utime is the 14th, stime the 15th
    fields >> skipped;
  }
  std::uint64_t utime = 0;
  std::uint64_t stime = 0;
  fields >> utime >> stime;
  if (!fields) {
    return std::nullopt;
  }
  state.cpu_ticks = utime + stime;
  return state;
}

std::optional<ThreadState> thread_state(pid_t thread) {
  const std::string path = "/proc/self/task/" + std::to_string(thread) + "/stat";
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 1024> text{};  // about 350 bytes
  const ssize_t got = file.valid() ? ::read(file.get(), text.data(), text.size()) : -1;
  return got <= 0 ? std::nullopt : parse_thread_state({text.data(), static_cast<std::size_t>(got)});
}

}  // namespace pgwalship
