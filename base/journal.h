// systemd's journal, spoken to in its own protocol (systemd: docs/JOURNAL_NATIVE_PROTOCOL.md), so
// that a message carries fields to search by: `journalctl PGWALSHIP_PEER=pgdb2`. spdlog's systemd
// sink has no fields of ours, and would need libsystemd for what is one datagram.
#pragma once

#include "base/fd.h"

#include <string>
#include <string_view>
#include <vector>

namespace pgwalship {

// `name`: capital letters, digits and underscores, beginning with a letter.
struct LogField {
  std::string_view name;
  std::string value;
};
using LogFields = std::vector<LogField>;

// One datagram: "NAME=value\n", or "NAME\n", the length as 64 bits, value, "\n" when the value has
// line breaks.
Bytes journal_datagram(const LogFields& fields);

class JournalSocket {
 public:
  explicit JournalSocket(std::string path = "/run/systemd/journal/socket");
  // False when the journal does not take it now: it is not there, or its queue is full. Never
  // waits.
  bool send(const LogFields& fields) const;

 private:
  const std::string path_;
  Fd socket_;
};

// Whether systemd has connected this process's stderr to the journal: `journal_stream` is
// $JOURNAL_STREAM, "device:inode" (systemd.exec(5)). Null: it is not set.
bool stderr_is_journal(const char* journal_stream);

}  // namespace pgwalship
