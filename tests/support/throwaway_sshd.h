// A real sshd on a free loopback port, with everything it needs in a directory of its own: host
// key, one client key, its authorized_keys line with a forced command, and a known_hosts file that
// pins the host key. It and all its sessions end with the object. For the user who runs the test.
#pragma once

#include "tests/support/temp_dir.h"

#include <cstdint>
#include <string>
#include <sys/types.h>
#include <vector>

namespace pgwalship {

class ThrowawaySshd {
 public:
  // False where openssh-server or ssh-keygen is not installed: the test is to be skipped.
  static bool available();

  explicit ThrowawaySshd(const std::string& forced_command);
  ~ThrowawaySshd();
  ThrowawaySshd(const ThrowawaySshd&) = delete;
  ThrowawaySshd& operator=(const ThrowawaySshd&) = delete;

  const std::string& host() const { return host_; }
  std::uint16_t port() const { return port_; }
  const std::string& user() const { return user_; }
  std::string identity() const { return directory_.file("client_key"); }
  std::string known_hosts() const { return directory_.file("known_hosts"); }
  std::string log() const;  // what sshd wrote so far

  // The next sessions run this instead.
  void set_forced_command(const std::string& command);
  void revoke_client_key();
  // A new host key; known_hosts still pins the old one. Takes effect with restart().
  void replace_host_key();
  void pin_host_key() const;
  void unpin_host_key();
  // Another client key than the authorized one.
  std::string make_stranger_key() const;

  // One more line of sshd_config; takes effect with restart().
  void configure(const std::string& line) { more_config_ += line + "\n"; }

  void stop();     // kills the listener and every session
  void restart();  // on the same port
  // Sends the signal to all processes of all sessions (sshd's and the command's), the listener not.
  void signal_sessions(int signal_number) const;
  void signal_listener(int signal_number) const;

 private:
  void start();
  void make_key(const std::string& name) const;
  std::vector<pid_t> session_processes() const;

  TempDir directory_;
  const std::string host_ = "127.0.0.1";
  std::string user_;
  std::string more_config_;
  std::uint16_t port_ = 0;
  pid_t listener_ = -1;
};

}  // namespace pgwalship
