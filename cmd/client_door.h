// Where clients come in: takes connections from the daemon's socket. When the process has no file
// descriptor left a connection stays in the queue, and the socket readable: it is looked at again
// after a pause, not at once and for ever. Loop thread only.
#pragma once

#include "base/event_loop.h"
#include "base/log.h"
#include "base/trouble.h"
#include "transport/local_socket.h"

#include <chrono>
#include <functional>

namespace pgwalship {

class ClientDoor {
 public:
  static constexpr std::chrono::seconds kPause{1};

  // All borrowed. `on_client` gets each connection.
  ClientDoor(EventLoop& loop, LocalListener& listener, Log& log, std::function<void(Fd)> on_client);
  ClientDoor(const ClientDoor&) = delete;
  ClientDoor& operator=(const ClientDoor&) = delete;

  Result<void> open();
  void close();
  // For EventLoop::on_turn.
  TimePoint tick(TimePoint now);
  // Lets nobody in for a moment, and says why once.
  void pause(const Error& why);

 private:
  void accept();

  EventLoop& loop_;
  LocalListener& listener_;
  Log& log_;
  const std::function<void(Fd)> on_client_;
  Trouble trouble_;
  TimePoint again_ = kNever;  // when to look again
};

}  // namespace pgwalship
