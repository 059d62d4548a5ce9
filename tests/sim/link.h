// A daemon's connection to one peer in the simulated network: what SshLink and LinkSet do for the
// real daemon, with the real SendQueue, frames and messages. Connects by itself, again and again.
#pragma once

#include "tests/sim/network.h"
#include "transport/messages.h"
#include "transport/send_queue.h"

#include <functional>
#include <map>
#include <optional>
#include <string>

namespace pgwalship::sim {

class Link {
 public:
  struct Options {
    NodeId self = 0;
    NodeId peer = 0;
    // The session's connecting end, when the peer can be reached now.
    std::function<EndpointRef()> connect;
    std::function<Hello()> hello;
    std::function<void(const Hello& theirs)> on_up;
    std::function<void(const std::string& reason)> on_down;
  };
  using AnswerHandler = std::function<void(const Message& answer)>;

  Link(Process& process, Options options);
  ~Link();
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  bool is_up() const { return theirs_.has_value(); }
  // REQUIRES: is_up().
  const Hello& theirs() const { return *theirs_; }
  // Answers come until the session ends; on_down comes instead then.
  void request(const std::function<Message(std::uint64_t id)>& make, AnswerHandler on_answer);
  void send_file(OutgoingFile file, AnswerHandler on_answer);

 private:
  void try_to_connect();
  void schedule_attempt();
  void keep_alive(std::uint64_t session);
  void on_change();
  void on_message(Message message);
  void answer(std::uint64_t id, const Message& message);
  void pump();
  void lose(const std::string& reason);

  Process& process_;
  const Options options_;
  EndpointRef endpoint_;
  std::uint64_t session_ = 0;
  FrameDecoder decoder_;
  std::optional<Hello> theirs_;
  TimePoint heard_at_{};
  SendQueue queue_;
  std::uint64_t next_id_ = 1;
  std::map<std::uint64_t, AnswerHandler> open_;
  std::string last_reason_;
};

}  // namespace pgwalship::sim
