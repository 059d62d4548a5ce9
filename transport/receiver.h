// The peer's end of a link: messages in, operations on the archive, messages out. `pgwalship
// receive` pumps it between sshd and the archive; the simulator runs it over its network. It works
// on the archive directly, so a peer serves while its own daemon is down. It can add, read and
// list; nothing it is told deletes or changes anything (G6). One thread; disk operations block it.
#pragma once

#include "transport/messages.h"
#include "wal/archive_store.h"

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>

namespace pgwalship {

class Receiver {
 public:
  // `mine` is sent as the answer to the sender's Hello; its system_id and reconciled are read from
  // the store. `from` is the node that the key of this connection belongs to (--from); a Hello that
  // claims another name is refused.
  Receiver(ArchiveStore& store, Hello mine, std::string from);
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;
  ~Receiver();

  // Never fails: what is wrong with a request is its answer; what breaks the protocol is a Failure
  // in the output, after which ended() is true. Acknowledgements (Done) are put out only after the
  // store has made the file durable.
  void on_message(Message message);

  // Pulled by the pump, so that a slow reader costs no memory: a Get gives one Data at a time,
  // after everything else that waits.
  std::optional<Message> next_output();

  // True when the session is over once the output is drained.
  bool ended() const { return ended_; }

 private:
  struct Incoming;
  struct Outgoing;

  void fail(Error error);

  ArchiveStore& store_;
  Hello mine_;
  const std::string from_;
  bool greeted_ = false;
  bool ended_ = false;
  std::deque<Message> outbox_;
  std::map<std::uint64_t, std::unique_ptr<Incoming>> incoming_;
  std::deque<std::unique_ptr<Outgoing>> outgoing_;
};

}  // namespace pgwalship
