// What stands in the archive's way, and how many files came into it by other hands than this
// daemon's pushes and pulls: from peers' daemons, mostly. Loop thread; the disk is looked at on the
// worker only.
#pragma once

#include "base/event_loop.h"
#include "base/worker.h"

#include <cstdint>
#include <string>
#include <vector>

namespace pgwalship {

class ArchiveGauge {
 public:
  // `quiet` is borrowed.
  ArchiveGauge(std::string archive, Worker& quiet) : archive_(std::move(archive)), quiet_(quiet) {}
  ArchiveGauge(const ArchiveGauge&) = delete;
  ArchiveGauge& operator=(const ArchiveGauge&) = delete;

  void file_arrived() { ++view_.arrived; }
  // For EventLoop::on_turn.
  TimePoint tick(TimePoint now);

  // For status.
  struct View {
    std::vector<std::string> obstacles;  // as of the last look, some minutes ago; some of them
    std::uint64_t arrived = 0;           // since the daemon started
  };
  const View& view() const { return view_; }

 private:
  const std::string archive_;
  Worker& quiet_;
  TimePoint next_{};
  bool looking_ = false;
  View view_;
};

}  // namespace pgwalship
