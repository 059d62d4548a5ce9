// The files that a receiver was offered by their hash: a standby has received the same bytes by
// streaming, so it can make its own copy from its own pg_wal, and almost nothing crosses the
// network (docs/protocol.md, Offer). Only a file that PostgreSQL has marked is read; the mark is
// waited for, for a moment, because push and stream run side by side. Anything but exactly the
// offered bytes is declined, and the sender sends them. One thread; disk operations block it.
#pragma once

#include "base/clock.h"
#include "transport/messages.h"
#include "wal/data_directory.h"

#include <deque>
#include <vector>

namespace pgwalship {

// A stream that keeps up is ahead of the push of the same segment; what is later than this is not
// worth waiting for.
inline constexpr std::chrono::milliseconds kOfferPatience{300};
inline constexpr std::chrono::milliseconds kOfferLookInterval{10};
inline constexpr std::size_t kOpenOffersMax = 64;

class OfferedFiles {
 public:
  struct Options {
    std::string data_directory;
    int compression_level = kGzipLevelDefault;
  };
  OfferedFiles(FileSystem& file_system, ArchiveStore& store, Options options);

  // False when it will never be found here, or too many are open: to be declined.
  [[nodiscard]] bool add(const Offer& offer);
  bool contains(std::uint64_t id) const;
  void clear() { open_.clear(); }

  // Looks for all of them, and makes at most one copy, so that other work comes in between. The
  // answers: Done for what is durable in the archive now, OfferDeclined for what is given up.
  std::vector<Message> look(TimePoint now);
  TimePoint next_look() const { return open_.empty() ? kNever : next_look_; }

 private:
  struct Open {
    Offer offer;
    TimePoint deadline = kNever;  // since the first look
  };
  bool is_marked(const WalName& name) const;
  Result<PutOutcome> copy(const Offer& offer);

  FileSystem& file_system_;
  ArchiveStore& store_;
  const Options options_;
  const DataDirectory directory_;
  std::deque<Open> open_;
  TimePoint next_look_{};
};

}  // namespace pgwalship
