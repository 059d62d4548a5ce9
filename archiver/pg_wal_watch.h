// Carries out what BackFill decides, on a worker of its own: neither the loop nor a push waits for
// a segment to be read and compressed. Loop thread; decides nothing.
#pragma once

#include "archiver/back_fill.h"
#include "archiver/back_fill_files.h"
#include "base/directory_watch.h"
#include "base/event_loop.h"
#include "base/log.h"
#include "base/worker.h"
#include "wal/archive_store.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace pgwalship {

class PgWalWatch {
 public:
  struct Options {
    std::string data_directory;
    std::string node;  // this one, for the facts of what it archives
    int compression_level = kGzipLevelDefault;
    // Looks at the marks, too, and takes those of files that are ready; empty: nobody does.
    std::function<void(const PgWalMarks&)> on_marks;
  };
  // Borrowed.
  struct Machine {
    EventLoop& loop;
    const Clock& clock;
    FileSystem& file_system;
    ArchiveStore& store;
    Log& log;
    std::function<void()> on_archive_grown;
  };

  PgWalWatch(Options options, Machine machine);
  // Waits for the file that is being read.
  ~PgWalWatch();
  PgWalWatch(const PgWalWatch&) = delete;
  PgWalWatch& operator=(const PgWalWatch&) = delete;

  Result<void> start();
  // For EventLoop::on_turn.
  TimePoint tick(TimePoint now);

  const BackFill::View& view() const { return back_fill_.view(); }

 private:
  void feed(const BackFillEvent& event);
  void act(const ListPgWal& action);
  void act(const ExamineFile& action);
  void act(const ArchiveHasGrown& action);
  void act(const Report& action);
  void watch_marks(DirectoryWatch watch);
  void on_marks();

  const Options options_;
  const Machine machine_;
  const BackFillFiles files_;
  BackFill back_fill_;
  std::optional<DirectoryWatch> marks_;  // of archive_status; opened with a listing
  Worker worker_;                        // goes first: its jobs use the rest
};

}  // namespace pgwalship
