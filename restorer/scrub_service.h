// The scrub: reads the whole archive again and again, slowly, one file at a time on the quiet
// worker, and has bad copies replaced from peers. Loop thread; decides nothing about time
// (restorer/scrub.h) nor about sources (restorer/fetch_plan.h).
#pragma once

#include "base/log.h"
#include "base/trouble.h"
#include "base/worker.h"
#include "restorer/fetch_service.h"
#include "restorer/scrub.h"
#include "wal/archive_scrub.h"

#include <deque>
#include <functional>

namespace pgwalship {

class ScrubService {
 public:
  // Everything is borrowed. `busy` tells whether something more urgent goes on.
  struct Machine {
    EventLoop& loop;
    const Clock& clock;
    Worker& quiet;
    FileSystem& file_system;
    ArchiveStore& store;
    FetchService& fetches;
    Log& log;
    std::function<bool()> busy;
  };

  // `pass`: how long a full pass takes; 0: none.
  ScrubService(Duration pass, Machine machine);
  ScrubService(const ScrubService&) = delete;
  ScrubService& operator=(const ScrubService&) = delete;

  // For EventLoop::on_turn.
  TimePoint tick(TimePoint now);

  void set_pass(Duration pass, TimePoint now) { pace_.set_pass(pass, now); }

  const ScrubMark& mark() const { return mark_; }

 private:
  // What one job found out.
  struct Step {
    std::deque<WalName> ahead;  // after this one
    std::uint64_t files = 0;
    std::optional<WalName> name;  // none: the pass has come to its end
    Result<void> verified;
    Duration took{};
  };

  void start();
  Step read_next(std::optional<WalName> position, std::deque<WalName> ahead,
                 std::uint64_t files) const;
  void finish(Step step);
  void replace(const WalName& name, Duration took);
  void end_pass();
  void save(TimePoint now);

  Machine machine_;
  ScrubPace pace_;
  ScrubBook book_;
  ScrubMark mark_;
  Trouble unreadable_;
  std::deque<WalName> ahead_;  // the next files, as listed some time ago
  std::uint64_t files_ = 0;
  TimePoint save_at_{};
};

}  // namespace pgwalship
