#include "transport/send_queue.h"

#include "wal/digest.h"

#include <algorithm>
#include <string>

namespace pgwalship {

void SendQueue::add(Message message) {
  messages_.push_back(std::move(message));
}

void SendQueue::add(OutgoingFile file) {
  std::deque<Sending>& queue = file.priority == Priority::kFresh ? fresh_ : catch_up_;
  queue.push_back(Sending{std::move(file)});
}

void SendQueue::drop_file(std::uint64_t id) {
  for (std::deque<Sending>* queue : {&fresh_, &catch_up_}) {
    const auto found = std::find_if(queue->begin(), queue->end(), [id](const Sending& sending) {
      return sending.file.put.id == id;
    });
    if (found == queue->end()) {
      continue;
    }
    if (found->announced) {
      messages_.push_back(PutEnd{id, found->crc32});
    }
    queue->erase(found);
    return;
  }
}

void SendQueue::clear() {
  messages_.clear();
  fresh_.clear();
  catch_up_.clear();
}

bool SendQueue::empty() const {
  return messages_.empty() && fresh_.empty() && catch_up_.empty();
}

std::optional<SendQueue::Unreadable> SendQueue::next(Bytes& out) {
  if (!messages_.empty()) {
    encode(messages_.front(), out);
    messages_.pop_front();
    return std::nullopt;
  }
  if (fresh_.empty() && catch_up_.empty()) {
    return std::nullopt;
  }
  std::deque<Sending>& queue = fresh_.empty() ? catch_up_ : fresh_;
  Sending& sending = queue.front();
  const std::uint64_t id = sending.file.put.id;
  if (!sending.announced) {
    encode(sending.file.put, out);
    sending.announced = true;
    return std::nullopt;
  }
  if (sending.offset == sending.file.put.file_bytes) {
    encode(PutEnd{id, sending.file.file_crc32}, out);
    if (sending.crc32 == sending.file.file_crc32) {
      queue.pop_front();
      return std::nullopt;
    }
    Error changed{Errc::kCorrupt,
                  "send '" + sending.file.put.name.text() +
                      "': the disk gives other bytes than those that were verified",
                  ""};
    queue.pop_front();
    return Unreadable{id, std::move(changed)};
  }
  Result<Bytes> piece = read_piece(sending);
  if (!piece.ok()) {
    // The answerer has a file open that will never be whole: a wrong checksum makes it forget it.
    encode(PutEnd{id, ~sending.crc32}, out);
    Error error = piece.error().within("send '" + sending.file.put.name.text() + "'");
    queue.pop_front();
    return Unreadable{id, std::move(error)};
  }
  sending.offset += piece.value().size();
  sending.crc32 = crc32(sending.crc32, piece.value());
  encode(Data{id, std::move(piece).value()}, out);
  return std::nullopt;
}

Result<Bytes> SendQueue::read_piece(const Sending& sending) {
  const std::uint64_t left = sending.file.put.file_bytes - sending.offset;
  Bytes piece(static_cast<std::size_t>(std::min<std::uint64_t>(left, kDataBytesMax)));
  const Result<std::size_t> got = sending.file.file->read_at(sending.offset, piece);
  if (!got.ok()) {
    return Error{Errc::kIo, got.error().message, got.error().hint};
  }
  if (got.value() < piece.size()) {
    return Error{Errc::kIo,
                 "the file ended at byte " + std::to_string(sending.offset + got.value()) + " of " +
                     std::to_string(sending.file.put.file_bytes),
                 {}};
  }
  return piece;
}

}  // namespace pgwalship
