// The daemon's unix socket. Only the daemon's own user (and root) may talk to it: the socket has
// mode 0600 and SO_PEERCRED is checked (H47). Whoever holds the lock file beside it owns the name:
// a second daemon is refused, a stale socket is replaced (H46).
#pragma once

#include "base/clock.h"
#include "base/fd.h"
#include "transport/messages.h"

#include <deque>
#include <memory>
#include <optional>
#include <string>

namespace pgwalship {

class LocalListener {
 public:
  // kAlreadyExists when another daemon holds `path`.lock. The directory must exist.
  static Result<std::unique_ptr<LocalListener>> listen(const std::string& path);
  ~LocalListener();  // removes the socket
  LocalListener(const LocalListener&) = delete;
  LocalListener& operator=(const LocalListener&) = delete;

  int fd() const { return socket_.get(); }
  // A waiting client's connection, non-blocking; nothing when none waits; kInvalid when another
  // user was turned away.
  Result<std::optional<Fd>> accept();

 private:
  LocalListener(std::string path, Fd lock, Fd socket);

  std::string path_;
  Fd lock_;
  Fd socket_;
};

// Messages over a non-blocking stream descriptor: the daemon's side of a client, and the receiver's
// side of sshd (stdin and stdout). Buffers what the other side does not take yet, up to
// kOutputMax, above which wants_output() is false: back-pressure for whoever produces.
class MessageStream {
 public:
  static constexpr std::size_t kOutputMax = std::size_t{1} << 20;

  // For a socket, both descriptors are the same. Borrowed.
  MessageStream(int in, int out) : in_(in), out_(out) {}

  // Reads some of what is there. False at the end of the stream, when nothing came. Errors: kIo.
  Result<bool> receive();
  // The next message that arrived whole; kProtocol: end the session.
  Result<std::optional<Message>> next();

  void send(const Message& message);
  // Writes what the descriptor takes now.
  Result<void> flush();
  bool has_output() const { return sent_ < output_.size(); }
  bool wants_output() const;
  std::size_t output_bytes() const { return output_.size() - sent_; }

 private:
  int in_;
  int out_;
  FrameDecoder decoder_;
  Bytes output_;
  std::size_t sent_ = 0;
};

// Leaves one message with the daemon, if it can take it now: without waiting for anything, and
// without an error when it cannot.
void leave_hint(const std::string& socket_path, const Hello& mine, const Message& hint);

// A client's connection to the daemon: blocking calls with a deadline, for the verbs.
class DaemonClient {
 public:
  // kRetry with a hint when the daemon does not run or does not answer; Hellos are exchanged.
  // `first`, when there is one, goes out with the Hello: its answer costs no other round trip.
  static Result<std::unique_ptr<DaemonClient>> connect(
      const std::string& socket_path, const Hello& mine, const Clock& clock, TimePoint deadline,
      const std::optional<Message>& first = std::nullopt);

  const Hello& theirs() const { return theirs_; }
  Result<void> send(const Message& message, TimePoint deadline);
  // kTimeout; kRetry when the daemon went away; a Failure from it becomes its Error. When send()
  // fails, answers that came before may still be received.
  Result<Message> receive(TimePoint deadline);
  // True when a message waits, without blocking: a verdict that came early.
  Result<bool> has_message();

 private:
  DaemonClient(const Clock& clock, Fd socket) : clock_(clock), socket_(std::move(socket)) {}
  Result<void> greet(const Hello& mine, const std::optional<Message>& first, TimePoint deadline);
  Result<void> send_all(ByteView bytes, TimePoint deadline);
  Result<void> wait(short events, TimePoint deadline);
  Result<void> decode_what_came();
  Error reason_of_end();

  const Clock& clock_;
  Fd socket_;
  FrameDecoder decoder_;
  std::deque<Message> ready_;
  Hello theirs_;
};

}  // namespace pgwalship
