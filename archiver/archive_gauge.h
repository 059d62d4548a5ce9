// How large the archive is, and how many files came into it by other hands than this daemon's
// pushes and pulls: from peers' daemons, mostly. Loop thread; the disk is looked at on the worker
// only.
#pragma once

#include "base/event_loop.h"
#include "base/file_system.h"
#include "base/worker.h"

#include <cstdint>
#include <optional>
#include <string>

namespace pgwalship {

// Bytes of all files with a name of WAL; one stat(2) each.
Result<std::uint64_t> archive_bytes(const FileSystem& file_system, const std::string& archive);

class ArchiveGauge {
 public:
  struct Machine {  // borrowed
    Worker& quiet;
    FileSystem& file_system;
  };
  ArchiveGauge(std::string archive, Machine machine)
      : archive_(std::move(archive)), machine_(machine) {}
  ArchiveGauge(const ArchiveGauge&) = delete;
  ArchiveGauge& operator=(const ArchiveGauge&) = delete;

  void file_arrived() { ++view_.arrived; }
  // For EventLoop::on_turn.
  TimePoint tick(TimePoint now);

  // For status.
  struct View {
    std::optional<std::uint64_t> bytes;  // as of the last look, some minutes ago
    std::uint64_t arrived = 0;           // since the daemon started
  };
  const View& view() const { return view_; }

 private:
  const std::string archive_;
  const Machine machine_;
  TimePoint next_{};
  bool looking_ = false;
  View view_;
};

}  // namespace pgwalship
