// Carries out what LookAhead decides: reads files on workers of its own, one for each of the
// configured threads, and ships them as PushService ships what clients push. Loop thread; decides
// nothing.
#pragma once

#include "archiver/back_fill.h"
#include "archiver/look_ahead.h"
#include "archiver/look_ahead_files.h"
#include "archiver/push_service.h"
#include "base/worker.h"
#include "wal/live_index.h"

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace pgwalship {

class LookAheadService {
 public:
  struct Options {
    std::string data_directory;
    std::string node;
    int compression_level = kGzipLevelDefault;
    std::size_t in_flight_max = 0;
    std::size_t threads = 1;
  };
  // Borrowed.
  struct Machine {
    EventLoop& loop;
    const Clock& clock;
    FileSystem& file_system;
    ArchiveStore& store;
    PushService& pushes;
    const LiveIndex& index;
    Log& log;
  };

  LookAheadService(Options options, Machine machine);
  // Waits for the files that are being read.
  ~LookAheadService();
  LookAheadService(const LookAheadService&) = delete;
  LookAheadService& operator=(const LookAheadService&) = delete;

  Result<void> start();
  // For EventLoop::on_turn.
  TimePoint tick(TimePoint now);
  void on_marks(const PgWalMarks& marks);
  void stop() { feed(StopAhead{}); }

  // Whether that file is safe already. The answer, nothing for "push it", comes once, from a later
  // turn of the loop or from within the call; not after drop_claim().
  using ClaimHandler = std::function<void(const std::optional<Result<std::string>>&)>;
  ClaimId claim(const WalName& name, const FileStat& stamp, ClaimHandler handler);
  void drop_claim(ClaimId claim);
  std::size_t open_claims() const { return claims_.size(); }
  // A client pushes it.
  void client_began(const WalName& name) { feed(ClientBegan{name}); }
  void client_ended(const WalName& name) { feed(ClientEnded{name}); }

  const LookAhead::View& view() const { return look_ahead_.view(); }

 private:
  struct Reader {
    std::unique_ptr<Worker> worker;
    std::size_t jobs = 0;
  };
  struct OpenClaim {
    AnsweredPush push;
    ClaimHandler handler;
  };

  void feed(LookAheadEvent event);
  void act(const ReadAhead& action);
  void act(const ShipAhead& action);
  void act(const DropAhead& action);
  void act(const AnswerClaim& action);
  void act(const Report& action);
  void note_newcomers();

  const Options options_;
  const Machine machine_;
  const LookAheadFiles files_;
  LookAhead look_ahead_;
  std::map<WalName, AheadStaged> staged_;  // read, and not being shipped yet
  std::map<ClaimId, OpenClaim> claims_;
  ClaimId next_claim_ = 1;
  std::uint64_t newcomers_met_ = 0;
  std::deque<LookAheadEvent> events_;
  bool feeding_ = false;
  std::vector<Reader> readers_;  // go first: their jobs use the rest
};

}  // namespace pgwalship
