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
  // The answerer has already answered for this file: what remains of it is not sent, but for the
  // PutEnd that closes an announced Put.
  void drop_file(std::uint64_t id);
  void clear();
  bool empty() const;

  // Appends the next frame to `out`. A file that cannot be read is dropped with kIo, which the
  // caller reports as Done for `id`; the frame is then a PutEnd with a wrong checksum, for which
  // the answerer sends a Done of its own.
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

  static Result<Bytes> read_piece(const Sending& sending);

  std::deque<Message> messages_;
  std::deque<Sending> fresh_;
  std::deque<Sending> catch_up_;
};

}  // namespace pgwalship
