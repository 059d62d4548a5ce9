// The pg_wal of a simulated standby, and what its daemon does with it: files that were streamed to
// it appear, are marked, stay for a while and are recycled, which overwrites the same file.
// BackFill is the real one; the jobs it gives are the real ones, too.
#pragma once

#include "archiver/back_fill.h"
#include "archiver/back_fill_files.h"
#include "tests/sim/checker.h"
#include "tests/sim/daemon.h"

#include <functional>
#include <memory>
#include <string>

namespace pgwalship::sim {

inline constexpr const char* kDataDirectory = "/pg";

// The server. What it writes is durable: PostgreSQL syncs a segment before it marks it.
class PgWal {
 public:
  struct Options {
    NodeId node = 0;
    // Since when the daemon could have worked without trouble; kNever while it cannot.
    std::function<TimePoint()> steady_since;
    std::function<void(const std::string& line)> say;
  };
  PgWal(Schedule& schedule, NodeDisk& disk, Checker& checker, Options options);

  // Begins to arrive now, if the machine is up.
  void stream(const ContentRef& content);

 private:
  void write(const ContentRef& content);
  void recycle(const ContentRef& content, TimePoint marked_at);

  Schedule& schedule_;
  NodeDisk& disk_;
  Checker& checker_;
  const Options options_;
};

// The daemon's part: what PgWalWatch is there.
class BackFiller {
 public:
  struct Options {
    std::string node;
    std::function<void()> on_archive_grown;
    std::function<void(const std::string& line)> say;
  };
  BackFiller(Process& process, FileSystem& disk, ArchiveStore& store, Options options);

 private:
  void feed(const BackFillEvent& event);
  void act(const ListPgWal& action);
  void act(const ExamineFile& action);
  void act(const ArchiveHasGrown& action);
  void act(const Report& action);
  void arm();

  Process& process_;
  const BackFillFiles files_;
  const Options options_;
  JobQueue jobs_;
  BackFill back_fill_;
  TimePoint wake_at_ = kNever;
};

}  // namespace pgwalship::sim
