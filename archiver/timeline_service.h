// Keeps the TimelineWatch in the picture: reads history files on the disk worker after a push was
// stored, and logs what it finds. Off the push's own path; loop thread.
#pragma once

#include "archiver/timeline_watch.h"
#include "base/log.h"
#include "base/worker.h"
#include "transport/messages.h"
#include "wal/archive_store.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace pgwalship {

class TimelineService {
 public:
  // All borrowed; `scans` must be gone before this is.
  TimelineService(Worker& scans, ArchiveStore& store, Log& log)
      : scans_(scans), store_(store), log_(log) {}
  TimelineService(const TimelineService&) = delete;
  TimelineService& operator=(const TimelineService&) = delete;

  // `put` is durable in the local archive.
  void stored(const Put& put);
  // `put` was refused with kConflict; `staged` is what it would have stored. Nothing happens unless
  // it is a history.
  void refused(const Put& put, std::unique_ptr<File> staged);

  const TimelineWatch& watch() const { return watch_; }

  // While there are alarms the archive is looked at again every few seconds. For
  // EventLoop::on_turn.
  TimePoint tick(TimePoint now);

 private:
  struct Question {
    WalName name;
    std::uint32_t header_timeline;
    std::uint32_t segment_bytes;
  };
  // History files that were read, by timeline.
  using Histories = std::map<std::uint32_t, std::string>;

  void ask();
  void review();
  void judge(const Histories& read);
  void report(const std::optional<TimelineWatch::Alarm>& alarm);

  Worker& scans_;
  ArchiveStore& store_;
  Log& log_;
  TimelineWatch watch_;
  std::vector<Question> questions_;  // for the next job
  std::vector<Question> asked_;      // of the job that runs
  TimePoint now_{};                  // of the last turn
  TimePoint next_review_{};
  bool reviewing_ = false;
};

}  // namespace pgwalship
