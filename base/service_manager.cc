#include "base/service_manager.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace pgwalship {

namespace {

// A manager that reads nothing for so long has no use for the older half.
constexpr std::size_t kUnsentMax = 4096;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(value)
                                                                  : std::nullopt;
}

Fd connect_to(std::string_view path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() < 2 || path.size() >= sizeof address.sun_path ||
      (path.front() != '/' && path.front() != '@')) {
    return {};
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  if (path.front() == '@') {
    address.sun_path[0] = '\0';
  }
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  Fd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  // The C interface of sockets wants this cast.
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast)
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  if (!fd.valid() || ::connect(fd.get(), generic, length) != 0) {
    return {};
  }
  return fd;
}

}  // namespace

ServiceManager::Environment ServiceManager::environment_of_process() {
  return {variable("NOTIFY_SOCKET"), variable("WATCHDOG_USEC"), variable("WATCHDOG_PID")};
}

ServiceManager::ServiceManager(const Environment& environment)
    : socket_(connect_to(environment.notify_socket)) {
  const auto pid = number(environment.watchdog_pid);
  const bool for_us =
      environment.watchdog_pid.empty() || (pid && *pid == static_cast<std::uint64_t>(::getpid()));
  const auto usec = number(environment.watchdog_usec);
  if (listens() && for_us && usec && *usec > 0) {
    watchdog_ = std::chrono::microseconds(*usec);
  }
}

bool ServiceManager::send(std::string_view text) {
  const ssize_t sent = ::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  // A manager that is gone will not be told later either.
  return sent >= 0 || (errno != EAGAIN && errno != ENOBUFS && errno != EINTR);
}

void ServiceManager::say(std::string_view assignments) {
  if (!listens()) {
    return;
  }
  if (unsent_.size() + assignments.size() <= kUnsentMax) {
    unsent_ += (unsent_.empty() ? "" : "\n") + std::string(assignments);
  }
  flush();
}

void ServiceManager::say_status(std::string_view line) {
  std::string text = "STATUS=" + std::string(line);
  std::replace(text.begin(), text.end(), '\n', ' ');
  say(text);
}

void ServiceManager::flush() {
  if (!unsent_.empty() && send(unsent_)) {
    unsent_.clear();
  }
}

void ServiceManager::keep_alive() {
  if (watchdog_) {
    send("WATCHDOG=1");
  }
}

}  // namespace pgwalship
