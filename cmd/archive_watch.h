// Keeps the daemon's index of the archive true, and tells of what other hands do to it: files that
// came are for the peers, files that vanished are asked back from them. Loop thread.
#pragma once

#include "archiver/archive_gauge.h"
#include "archiver/push_service.h"
#include "base/event_loop.h"
#include "base/log.h"
#include "base/trouble.h"
#include "base/worker.h"
#include "wal/archive_store.h"
#include "wal/live_index.h"

#include <cstdint>
#include <string>
#include <vector>

namespace pgwalship {

class ArchiveWatch {
 public:
  struct Machine {  // everything is borrowed
    EventLoop& loop;
    Worker& looks;
    LiveIndex& index;
    PushService& pushes;
    ArchiveGauge& gauge;
    const ArchiveStore& store;
    Log& log;
  };
  // Whether there are peers that may bring back what vanishes.
  enum class Peers { kSome, kNone };
  ArchiveWatch(std::string directory, Peers peers, Machine machine)
      : directory_(std::move(directory)), peers_(peers), machine_(machine) {}
  ArchiveWatch(const ArchiveWatch&) = delete;
  ArchiveWatch& operator=(const ArchiveWatch&) = delete;

  // Once. Without inotify, which is a warning, each comparison looks at all of the archive.
  Result<void> start();
  // For EventLoop::on_turn.
  TimePoint tick(TimePoint now);

 private:
  void scan();
  void on_vanished(const std::vector<WalName>& names);
  void tell();
  void look();

  const std::string directory_;
  const Peers peers_;
  Machine machine_;
  TimePoint scan_at_ = kNever;  // again, after the first scan has failed
  Trouble cannot_scan_;
  // What vanished and was not told yet; a file at a time is a line a minute.
  std::size_t vanished_ = 0;
  std::string first_;
  std::string last_;
  TimePoint tell_at_{};
  // Whether all of it is back: looked at from the start on, until it is.
  bool lacks_ = false;
  std::uint64_t times_ = 0;  // how often something vanished
  TimePoint look_at_{};
};

}  // namespace pgwalship
