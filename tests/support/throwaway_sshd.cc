#include "tests/support/throwaway_sshd.h"

#include "base/check.h"
#include "base/fd.h"

#include <algorithm>
#include <arpa/inet.h>
#include <cctype>
#include <chrono>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <map>
#include <netinet/in.h>
#include <pwd.h>
#include <signal.h>
#include <sstream>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace pgwalship {

namespace {

constexpr const char* kSshd = "/usr/sbin/sshd";
constexpr const char* kSshKeygen = "/usr/bin/ssh-keygen";

std::string read_file(const std::string& path) {
  // A file of /proc whose process ends meanwhile is a read error: this way it is the end.
  std::ostringstream content;
  content << std::ifstream(path).rdbuf();
  return content.str();
}

// Whoever reads it meanwhile sees the old or the new content.
void write_file(const std::string& path, const std::string& content) {
  const std::string temporary = path + ".new";
  std::ofstream file(temporary);
  file << content;
  file.close();
  CHECK(file.good());
  std::filesystem::rename(temporary, path);
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

std::uint16_t free_port() {
  const Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof(address);
  CHECK(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
  CHECK(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
  return ntohs(address.sin_port);
}

bool listens(std::uint16_t port) {
  const Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = loopback(port);
  return ::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
}

pid_t spawn(std::vector<std::string> words, const std::string& output_path) {
  std::vector<char*> arguments;
  for (std::string& word : words) {
    arguments.push_back(word.data());
  }
  arguments.push_back(nullptr);
  const pid_t child = ::fork();
  CHECK(child >= 0);
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int output = ::open(output_path.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    ::dup2(output, STDOUT_FILENO);
    ::dup2(output, STDERR_FILENO);
    ::execv(arguments[0], arguments.data());
    ::_exit(127);
  }
  return child;
}

// The parent of every process of this machine, from /proc.
std::map<pid_t, pid_t> parents() {
  std::map<pid_t, pid_t> parent_of;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", ignored)) {
    const std::string name = entry.path().filename();
    if (!std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isdigit(c); })) {
      continue;
    }
    const std::string stat = read_file(entry.path() / "stat");
    const std::size_t end_of_name = stat.rfind(')');
    if (end_of_name == std::string::npos) {
      continue;  // it ended meanwhile
    }
    std::istringstream rest(stat.substr(end_of_name + 1));
    char state = 0;
    pid_t parent = 0;
    rest >> state >> parent;
    parent_of[std::stoi(name)] = parent;
  }
  return parent_of;
}

}  // namespace

bool ThrowawaySshd::available() {
  return ::access(kSshd, X_OK) == 0 && ::access(kSshKeygen, X_OK) == 0;
}

ThrowawaySshd::ThrowawaySshd(const std::string& forced_command) {
  const passwd* user = ::getpwuid(::getuid());
  CHECK(user != nullptr);
  user_ = user->pw_name;
  if (::getuid() == 0) {
    ::mkdir("/run/sshd", 0755);  // sshd's privilege separation wants it
  }
  make_key("host_key");
  make_key("client_key");
  set_forced_command(forced_command);
  port_ = free_port();
  pin_host_key();
  start();
}

ThrowawaySshd::~ThrowawaySshd() {
  stop();
}

std::string ThrowawaySshd::log() const {
  return read_file(directory_.file("sshd.log"));
}

void ThrowawaySshd::set_forced_command(const std::string& command) {
  write_file(directory_.file("authorized_keys"), "restrict,command=\"" + command + "\" " +
                                                     read_file(directory_.file("client_key.pub")));
}

void ThrowawaySshd::revoke_client_key() {
  write_file(directory_.file("authorized_keys"), "");
}

void ThrowawaySshd::replace_host_key() {
  make_key("host_key");
}

void ThrowawaySshd::unpin_host_key() {
  write_file(known_hosts(), "");
}

std::string ThrowawaySshd::make_stranger_key() const {
  make_key("stranger_key");
  return directory_.file("stranger_key");
}

void ThrowawaySshd::make_key(const std::string& name) const {
  std::filesystem::remove(directory_.file(name));
  const pid_t child = spawn(
      {kSshKeygen, "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", directory_.file(name)},
      directory_.file("keygen.log"));
  int status = 0;
  CHECK(::waitpid(child, &status, 0) == child && status == 0);
}

void ThrowawaySshd::pin_host_key() const {
  write_file(known_hosts(), "[" + host_ + "]:" + std::to_string(port_) + " " +
                                read_file(directory_.file("host_key.pub")));
}

void ThrowawaySshd::start() {
  write_file(directory_.file("sshd_config"),
             "Port " + std::to_string(port_) + "\nListenAddress " + host_ + "\nHostKey " +
                 directory_.file("host_key") + "\nAuthorizedKeysFile " +
                 directory_.file("authorized_keys") +
                 "\nPidFile none\nUsePAM no\nStrictModes no\nPermitRootLogin yes\n"
                 "PasswordAuthentication no\nKbdInteractiveAuthentication no\nUseDNS no\n"
                 "PrintMotd no\nPrintLastLog no\nLogLevel VERBOSE\nMaxStartups 100\n" +
                 more_config_);
  listener_ =
      spawn({kSshd, "-D", "-e", "-f", directory_.file("sshd_config")}, directory_.file("sshd.log"));
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!listens(port_)) {
    const bool alive = ::waitpid(listener_, nullptr, WNOHANG) == 0;
    if (!alive || std::chrono::steady_clock::now() > deadline) {
      std::fprintf(stderr, "%s", log().c_str());
      CHECK(alive && listens(port_));
    }
    std::this_thread::yield();
  }
}

void ThrowawaySshd::restart() {
  stop();
  start();
}

void ThrowawaySshd::stop() {
  if (listener_ < 0) {
    return;
  }
  // Stopped first, so that it starts no session while they are killed.
  signal_listener(SIGSTOP);
  signal_sessions(SIGKILL);
  signal_listener(SIGKILL);
  ::waitpid(listener_, nullptr, 0);
  listener_ = -1;
}

void ThrowawaySshd::signal_sessions(int signal_number) const {
  for (const pid_t process : session_processes()) {
    ::kill(process, signal_number);
  }
}

void ThrowawaySshd::signal_listener(int signal_number) const {
  ::kill(listener_, signal_number);
}

std::vector<pid_t> ThrowawaySshd::session_processes() const {
  const std::map<pid_t, pid_t> parent_of = parents();
  std::vector<pid_t> found;
  for (const auto& [process, parent] : parent_of) {
    pid_t ancestor = parent;
    while (ancestor > 1 && ancestor != listener_) {
      const auto next = parent_of.find(ancestor);
      ancestor = next == parent_of.end() ? 0 : next->second;
    }
    if (ancestor == listener_) {
      found.push_back(process);
    }
  }
  return found;
}

}  // namespace pgwalship
