// Carries out FetchPlans: brings a file from a peer into the local archive, verified before it gets
// its name. For whom it does that decides what it may get in the way of: a file that a client waits
// for goes the fast way; what is read ahead of a recovery goes by the `ahead` workers, what
// replaces a bad copy by the `quiet` one, and both behind everything on the links. Loop thread;
// disks are touched on the workers only. Decides nothing.
#pragma once

#include "base/log.h"
#include "base/worker.h"
#include "restorer/fetch_plan.h"
#include "restorer/prefetch.h"
#include "restorer/spool_keeper.h"
#include "transport/file_pull.h"
#include "wal/archive_store.h"
#include "wal/live_index.h"
#include "wal/spool.h"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace pgwalship {

class FetchService final : public LinkSet::Observer {
 public:
  struct Options {
    NodeList nodes;
    Quorum quorum;
    OnQuorumLoss on_quorum_loss = OnQuorumLoss::kWait;
    std::size_t prefetch = 0;  // segments ahead of a recovery
    // A bad copy here was replaced: its name was gone for a moment, and who saw that may have
    // recorded that a file vanished. May be empty.
    std::function<void()> on_repaired{};
  };
  // Everything is borrowed. `disk` stores, `scans` verifies, those of `ahead` do both for a
  // recovery, `quiet` for what nobody waits for. Without a spool nothing is unpacked here.
  struct Machine {
    EventLoop& loop;
    Worker& disk;
    Worker& scans;
    std::vector<Worker*> ahead;  // at least one
    Worker& quiet;
    LinkSet& links;
    ArchiveStore& store;
    LiveIndex& index;
    Log& log;
    Spool* spool = nullptr;
  };

  FetchService(Options options, Machine machine);
  FetchService(const FetchService&) = delete;
  FetchService& operator=(const FetchService&) = delete;
  ~FetchService() override;

  // The answer comes once, from a later turn of the loop. kFound: the file is in the local archive,
  // durable and verified. A file that is on its way here already is waited for, as long as it
  // moves.
  using AnswerHandler = std::function<void(const FetchEnded&)>;
  void fetch(const WalName& name, Duration wait, AnswerHandler on_answer);
  // Verifies the local copy, and replaces it from a peer when it is bad or absent. A bad one that
  // cannot be replaced goes to quarantine all the same: what is missing here is what a peer sends
  // that this node cannot ask, and the name counts as corrupt until then.
  void repair(const WalName& name, AnswerHandler on_answer);
  // The same for somebody who only met a bad copy. Nothing when that is under way already.
  void heal(const WalName& name);

  // Passes a peer's copy on as it comes, unverified, for a client whose local archive has no room:
  // GetBegin and Data, then GetEnd, or Done with the reason why not. GetBegin again: the copy so
  // far broke off, another one follows. `skip` of the best sources are passed over. The ids are not
  // the client's.
  using RelayHandler = std::function<void(const Message&)>;
  void relay(const WalName& name, std::size_t skip, RelayHandler on_message);

  // A recovery on this node was given this segment: the next ones are fetched ahead of it.
  void restored(const WalName& name, std::uint32_t segment_bytes);
  bool in_recovery() const { return prefetch_.in_recovery(machine_.loop.now()); }
  // Files that came ahead of a recovery, for status.
  std::uint64_t files_ahead() const { return files_ahead_; }
  // Since the start. What the client found in the local archive by itself is not in here.
  struct Totals {
    std::uint64_t found = 0;         // fetches of clients, by their verdict
    std::uint64_t absent = 0;        // proven
    std::uint64_t unanswered = 0;    // not provable, only corrupt copies, no room
    std::uint64_t pulled_bytes = 0;  // compressed, of files that were stored here
    std::uint64_t bad_copies = 0;    // that were met here
    std::uint64_t repaired = 0;      // of these
  };
  const Totals& totals() const { return totals_; }

  void on_up(NodeId peer, const Hello& theirs) override;
  void on_down(NodeId peer, const Error& reason) override;

  // For EventLoop::on_turn.
  TimePoint tick(TimePoint now);

 private:
  using FetchId = std::uint64_t;
  enum class Purpose {
    kWanted,  // a client waits
    kAhead,   // a recovery will probably ask for it
    kRepair,  // the local copy may be bad
    kRelay,   // a client waits, and takes it itself
  };
  struct Waiter {  // a client that waits for a file that is fetched ahead
    Duration wait;
    AnswerHandler on_answer;
  };
  // Where a file is coming from.
  struct Source {
    NodeId peer = 0;
    std::shared_ptr<FilePull> pull{};  // null: of kRelay
    std::uint64_t request = 0;         // of kRelay
  };
  struct Fetching {
    FetchId id = 0;
    WalName name;
    Purpose purpose = Purpose::kWanted;
    std::unique_ptr<FetchPlan> plan{};
    AnswerHandler on_answer;
    std::optional<Source> source{};
    std::vector<Waiter> waiters{};
    RelayHandler on_message{};  // of kRelay
    std::size_t skip = 0;
    TimePoint moved_at{};    // when something of it came last
    std::string bad_copy{};  // why the local copy is bad; empty: it is not known to be
  };
  struct Look {  // at the local archive
    Result<FileFacts> facts;
    std::string spooled{};  // where it was unpacked; empty: it was not
    bool is_verified = true;
  };

  void begin(const WalName& name, Purpose purpose, Duration wait, AnswerHandler on_answer);
  void begin_ahead(const std::vector<WalName>& names);
  Look look(const WalName& name, Purpose purpose, Spool* spool) const;
  Look look_ahead(const WalName& name, Spool* spool) const;
  Spool* spool_for(const WalName& name, Purpose purpose) const;
  static SpoolKeeper::For whom(Purpose purpose);
  void know_spooled(const Fetching& fetching, const std::string& path);
  Worker& reader(const Fetching& fetching) const;
  Worker& storer(const Fetching& fetching) const;
  Worker& ahead_or_quiet(const Fetching& fetching) const;
  bool is_stuck(const Fetching& fetching, TimePoint now) const;
  void release_waiters(FetchId id);
  void count(const Fetching& fetching, const FetchEnded& ended);
  void report_bad_copy(const Fetching& fetching, const FetchEnded& ended);
  void put_away(const WalName& name);
  void start(FetchId id, Duration wait, FetchPlan::LocalCopy local, bool self_evidence);
  void feed(FetchId id, const FetchEvent& event);
  void act(FetchId id, const AskPeer& action);
  void act(FetchId id, const PullFrom& action);
  void act(FetchId id, const FetchEnded& action);
  void pass_on(FetchId id, const Message& message);
  void end_source(FetchId id, const FetchEvent& event);
  void drop_source(Fetching& fetching);

  const Options options_;
  Machine machine_;
  FetchId next_fetch_ = 1;
  std::map<FetchId, Fetching> fetches_;
  std::vector<std::size_t> open_pulls_;  // by NodeId
  Prefetch prefetch_;
  SpoolKeeper keeper_;
  std::uint64_t files_ahead_ = 0;
  Totals totals_;
  std::set<std::string> reported_bad_;  // copies that nobody could replace: said once
};

}  // namespace pgwalship
