// A daemon for the client's tests: greets as the real one does, and answers each message as the
// test says. Serves one client at a time, on a thread of its own.
#pragma once

#include "base/fd.h"
#include "transport/local_socket.h"

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace pgwalship {

class ScriptedDaemon {
 public:
  struct Answer {
    std::vector<Message> messages = {};
    enum class Then { kGoOn, kHangUp } then = Then::kGoOn;
  };
  // Called on the daemon's thread, for each message after the Hello.
  using Script = std::function<Answer(const Message& message)>;

  ScriptedDaemon(const std::string& socket, Hello hello, Script script);
  ~ScriptedDaemon();
  ScriptedDaemon(const ScriptedDaemon&) = delete;
  ScriptedDaemon& operator=(const ScriptedDaemon&) = delete;

 private:
  void run();
  void serve(const Fd& client);
  bool wait_for(int fd, short events);  // false when the test is over

  std::unique_ptr<LocalListener> listener_;
  const Hello hello_;
  const Script script_;
  Fd over_;
  std::thread thread_;
};

Hello daemon_hello();

}  // namespace pgwalship
