// What a link sends next, as pure code: messages first, then the pieces of fresh files in their
// order, then those of catch-up files. Turns an OutgoingFile into Put, Data..., PutEnd. One thread.
#pragma once

#include "transport/peer_link.h"

#include <deque>
#include <optional>

namespace pgwalship {

class SendQueue {
 public:
  void add(Message message);
  void add(OutgoingFile file);
  // The answerer has already answered for this file: the rest of it need not be sent.
  void drop_file(std::uint64_t id);
  void clear();
  bool empty() const;

  // Appends the next frame to `out`. A file that cannot be read is dropped with kIo: its id is in
  // the error's place so that the caller can report it as Done.
  struct Unreadable {
    std::uint64_t id;
    Error error;
  };
  std::optional<Unreadable> next(Bytes& out);

 private:
  struct Sending {
    OutgoingFile file;
    std::uint64_t offset = 0;
    std::uint32_t crc32 = 0;
    bool announced = false;
  };

  std::deque<Message> messages_;
  std::deque<Sending> fresh_;
  std::deque<Sending> catch_up_;
};

}  // namespace pgwalship
