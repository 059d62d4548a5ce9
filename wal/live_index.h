// The index of this node's archive, kept true while any process changes the archive: the daemon,
// receivers, an operator, a script. Names that inotify reports are looked at; when events were
// lost, when the directory is another one, and from time to time anyway, everything is.
//
// Two threads: all calls belong to the owner's; looking at the disk goes through `post` to one
// worker. Without a watch (the machine's inotify is used up) each refresh() scans.
#pragma once

#include "base/clock.h"
#include "base/directory_watch.h"
#include "base/file_system.h"
#include "base/worker.h"
#include "wal/archive_index.h"
#include "wal/archive_layout.h"

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace pgwalship {

// Later than this what changed is written to the cache; for each thousand files a second more.
inline constexpr std::chrono::minutes kIndexSaveInterval{5};
// A scan although nothing seems to have happened: a network file system may be written by others.
inline constexpr std::chrono::minutes kIndexScanInterval{15};

class LiveIndex {
 public:
  // What refresh() promises of the names: that they were found, or that they are durable as well,
  // for whoever lets a sender rely on them. (A put that failed before its last step, or died there,
  // leaves its name.)
  enum class Names { kFound, kDurable };
  struct Options {
    std::string directory;
    Names names = Names::kFound;
    std::uint64_t seed = 0;  // for names of temporary files; unique per process
    // Called in jobs with names that were there and are not; gives back, and has recorded, those
    // that nothing of ours let go (ArchiveStore::note_vanished). Null: nobody wants to know.
    using NoteVanished = std::function<Result<std::vector<WalName>>(std::vector<WalName>)>;
    NoteVanished note_vanished{};
    // The cache is written when so many headers would have to be read without it, and at least a
    // sixteenth of all.
    std::uint64_t cache_changes_min = 1024;
  };
  // Runs jobs one after the other, in order, each followed by its completion on the owner's thread;
  // false: not this one. Worker::post is one.
  using Post = std::function<bool(Worker::Job)>;

  // Everything is borrowed and outlives the last job, as this does.
  LiveIndex(FileSystem& file_system, const Clock& clock, Options options, Post post);
  LiveIndex(const LiveIndex&) = delete;
  LiveIndex& operator=(const LiveIndex&) = delete;

  // `watch` is of options.directory. Once, before the first refresh().
  void watch(std::unique_ptr<NameWatch> watch) { watch_ = std::move(watch); }

  // Calls the handler, perhaps at once, when index() holds all that the archive held when this was
  // called; or with the reason why that cannot be known (kRetry: the disk is too slow).
  using Handler = std::function<void(const Result<void>& outcome)>;
  void refresh(Handler handler);

  // Called when names are there that were not, after the first scan: with the name, or without one
  // when a scan found several. Whoever put them.
  using GrowthHandler = std::function<void(const std::optional<WalName>& name)>;
  void on_growth(GrowthHandler handler) { on_growth_ = std::move(handler); }

  // Called with names that other hands have taken away, when that is recorded.
  using VanishHandler = std::function<void(const std::vector<WalName>& names)>;
  void on_vanished(VanishHandler handler) { on_vanished_ = std::move(handler); }
  // For who has just seen that there is no such file: whether it was there a moment ago, or may
  // have been, so that the store cannot say yet that it vanished. Until the first scan has ended
  // that is so of every name: what went while nothing ran was not noticed yet. Without a watch only
  // what is in the index is known to have been there.
  bool in_doubt(const WalName& name);
  // How often something was found to have vanished.
  std::uint64_t vanishings() const { return vanishings_; }

  // As far as it is known. Empty until the first scan has ended.
  const ArchiveIndex& index() const { return index_; }
  bool scanned() const { return scanned_; }
  // Why the last scan failed.
  const std::optional<Error>& error() const { return error_; }

  // For the next start, which by it knows what vanished in between. At the end: no job may run any
  // more. Blocks on the disk.
  void save();

  // Readable while changes wait; -1 without a watch.
  int fd() const { return watch_ ? watch_->fd() : -1; }
  void on_changes();

 private:
  struct Look;
  struct Scan;
  struct Noted {  // of names that are not there
    std::vector<WalName> vanished;
    std::vector<WalName> again;  // could not be recorded
    bool busy = false;           // because others do the same at this moment
  };
  // Called once the completion of the job has run.
  struct Waiter {
    std::uint64_t job = 0;
    Handler handler;
  };

  void take_changes();
  bool needs_scan() const;
  void note(std::vector<WalName> gone, Noted& noted) const;
  void take(const Noted& noted);
  void look_again(const std::vector<WalName>& names);
  bool post_look();
  bool post_scan();
  bool is_time_to_save() const;
  void post_save();
  void run(Look& look);
  void run(Scan& scan);
  void apply(std::uint64_t job, const Look& look);
  void apply(std::uint64_t job, Scan& scan);
  void finish(std::uint64_t job, const Result<void>& outcome);
  bool must_sync(std::uint64_t job) const;

  FileSystem& file_system_;  // constant after construction, as the next four
  const Clock& clock_;
  const Options options_;
  const ArchiveLayout layout_;
  const Post post_;
  GrowthHandler on_growth_;  // owner's thread, as the next
  VanishHandler on_vanished_;
  std::unique_ptr<NameWatch> watch_;  // jobs renew it, the owner's thread reads it

  ArchiveIndex index_;  // owner's thread only, as all that follows
  bool scanned_ = false;
  std::optional<Error> error_;                // of the last scan
  bool lost_ = false;                         // changes were missed since the last scan was posted
  std::size_t scans_ = 0;                     // posted and not complete
  std::optional<TimePoint> scanned_at_;       // when the last one was posted
  std::set<std::string> changed_;             // files to look at
  std::vector<std::shared_ptr<Look>> looks_;  // posted and not complete
  std::uint64_t overflows_ = 0;               // times that events were lost
  std::uint64_t overflows_seen_ = 0;          // before the last scan began
  std::uint64_t vanishings_ = 0;
  std::size_t busy_ = 0;       // tries to record the same in a row
  std::uint64_t unsaved_ = 0;  // changes since the cache was written
  TimePoint saved_at_;         // or when this began
  std::uint64_t next_unique_;
  std::uint64_t jobs_ = 0;  // looks and scans so far
  std::deque<Waiter> waiters_;
};

}  // namespace pgwalship
