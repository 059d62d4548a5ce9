// The sender's half of one session on a link (docs/protocol.md section 3), as pure code: bytes and
// the time go in, bytes and events come out. It greets, pings, encodes what is to be sent and
// decodes what comes; SshLink moves the bytes. One thread.
#pragma once

#include "base/clock.h"
#include "transport/keepalive.h"
#include "transport/peer_link.h"
#include "transport/send_queue.h"

#include <deque>
#include <optional>
#include <string>

namespace pgwalship {

class Conversation {
 public:
  struct Options {
    Hello mine;
    std::string peer;  // the node name that the other side must claim
    Duration keepalive{};
    Duration greeting_timeout{};
    std::string command_hint;  // for a peer that is no receiver
  };

  // The greeting is the first output.
  Conversation(Options options, TimePoint now);

  // True once the other side's Hello was accepted: LinkUp is among the events.
  bool greeted() const { return keepalive_.has_value(); }

  // REQUIRES: greeted(). A file that cannot be read is answered by a Done of our own.
  void add(Message message) { queue_.add(std::move(message)); }
  void add(OutgoingFile file) { queue_.add(std::move(file)); }

  // All that came, in any pieces. An error ends the session.
  Result<void> on_bytes(ByteView bytes, TimePoint now);
  // The connection ended, for this reason: what it means for this conversation.
  Error on_end(Error reason) const;
  // What this side says of itself has changed: an error when that ends the session.
  Result<void> on_own_hello(Hello mine);
  // Something else that shows life: the other side's window opened, or we did not listen.
  void on_life(TimePoint now);
  // Puts a Ping into the output when it is time for one.
  void tick(TimePoint now);
  // An error when the other side was silent for too long. Read all that came before asking.
  Result<void> check_alive(TimePoint now) const;
  // When tick() or check_alive() has something to do next.
  TimePoint next_wakeup() const;

  // What to write next, empty when there is nothing; at most about 256 KiB at a time.
  ByteView output();
  bool has_output() const { return written_ < output_.size() || !queue_.empty(); }
  void on_written(std::size_t bytes);

  // What happened, in order; whoever takes it makes room for more input.
  std::deque<LinkEvent>& events() { return events_; }
  std::optional<Duration> round_trip() const { return round_trip_; }

 private:
  Result<void> on_message(Message message, TimePoint now);
  Result<void> on_hello(Hello theirs, TimePoint now);
  Result<void> check_greeting(const Hello& theirs) const;
  Error not_a_receiver(std::string_view why) const;

  Options options_;  // constant but for `mine`
  const TimePoint greeting_deadline_;
  std::optional<Hello> theirs_;         // since the greeting
  std::optional<Keepalive> keepalive_;  // since the greeting
  SendQueue queue_;
  FrameDecoder decoder_;
  Bytes output_;
  std::size_t written_ = 0;
  std::string heard_;  // the first bytes, until the greeting
  std::deque<LinkEvent> events_;
  std::optional<Duration> round_trip_;
};

}  // namespace pgwalship
