// One daemon's connection to one peer, as the loop sees it: messages go down, events come up.
// SshLink is the real one. The link connects and reconnects by itself; it moves bytes and decides
// nothing about WAL.
#pragma once

#include "base/file_system.h"
#include "transport/messages.h"

#include <memory>
#include <string>
#include <variant>

namespace pgwalship {

enum class Priority { kFresh, kCatchUp };

// A file to send as Put, Data, PutEnd. The link reads `file` much later than it was verified, when
// other bytes may come from the disk: it sends the checksum of those that were meant (I4).
struct OutgoingFile {
  Put put;  // file_bytes is exact
  std::unique_ptr<File> file;
  std::uint32_t file_crc32 = 0;
  Priority priority = Priority::kFresh;
};

struct LinkUp {
  Hello theirs;
};
// Sent once per change of state: when a session is lost, or when the reason why none can be made
// changes (H48). Everything open on the link is void.
struct LinkDown {
  Error reason;
};
// Any answer of the receiver.
using LinkEvent = std::variant<LinkUp, LinkDown, Message>;

// What the link measured, for status.
struct LinkCounters {
  std::uint64_t bytes_sent = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t connects = 0;
  Duration round_trip{};  // of the last Ping
};

class PeerLink {
 public:
  virtual ~PeerLink() = default;

  // Requests of the current session; dropped without an answer when it is gone (LinkDown says so).
  virtual void send(Message message) = 0;
  // Fresh files go before catch-up files, piece by piece (at most one Data in between).
  virtual void send_file(OutgoingFile file) = 0;
  // What this side says of itself from the next greeting on. A session whose other side does not
  // go with it ends as if it had been greeted so.
  virtual void greet_with(Hello mine) = 0;

  // Readable while events wait; next_event() takes them on the loop thread.
  virtual int event_fd() const = 0;
  virtual std::optional<LinkEvent> next_event() = 0;
  virtual LinkCounters counters() const = 0;
};

}  // namespace pgwalship
