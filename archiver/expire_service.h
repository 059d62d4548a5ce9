// Lets files of this node's archive go: reads what it holds, plans, asks the peers, records the
// floor, removes. One run at a time. Loop thread; disks are touched on the workers only. What may
// go is decided by plan_retention() and ExpireBatch.
#pragma once

#include "archiver/expire_batch.h"
#include "archiver/postgres_facts.h"
#include "archiver/retention.h"
#include "archiver/retention_schedule.h"
#include "base/log.h"
#include "base/worker.h"
#include "transport/link_set.h"

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace pgwalship {

class ExpireService final : public LinkSet::Observer {
 public:
  struct Options {
    NodeList nodes;
    Quorum quorum;
    RetentionRules rules;
    std::optional<Duration> interval;  // of its own runs; nothing: only when asked
    // Whether on_postgres() will tell what this node's server needs. Else `cleanup` does.
    enum class Server { kAsked, kNotAsked };
    Server server = Server::kNotAsked;
  };
  // Everything is borrowed. `disk` removes, `scans` reads.
  struct Machine {
    EventLoop& loop;
    const Clock& clock;
    Worker& disk;
    Worker& scans;
    LinkSet& links;
    ArchiveStore& store;
    Log& log;
  };

  ExpireService(Options options, Machine machine);
  ExpireService(const ExpireService&) = delete;
  ExpireService& operator=(const ExpireService&) = delete;
  ~ExpireService() override;

  // The report comes line by line from later turns of the loop, or at once when a run is on
  // already; its last line has an outcome other than kRunning. What `query` says its server needs
  // is kept.
  using ReportHandler = std::function<void(ExpireReport report)>;  // without an id
  void expire(const ExpireQuery& query, ReportHandler on_report);

  // From the next run on; a run that is on ends by the rules it began with.
  void follow(const RetentionRules& rules, std::optional<Duration> interval);

  // What this node's server said about itself; `archive_system_id` is what the archive is pinned
  // to.
  void on_postgres(const PostgresFacts& facts, std::uint64_t archive_system_id);
  void on_up(NodeId peer, const Hello& theirs) override;
  void on_down(NodeId peer, const Error& reason) override;

  // For EventLoop::on_turn.
  TimePoint tick(TimePoint now);

  // For status.
  struct View {
    bool configured = false;
    SegmentPosition floor = 0;  // as of the last run
    std::uint64_t removed = 0;  // files, since the daemon started
    std::optional<TimePoint> last_at;
    std::string trouble;  // why the last run let less go than the rules, or empty
  };
  const View& view() const { return view_; }

 private:
  struct Run;
  using RunRef = std::shared_ptr<Run>;
  struct PeerKnown {
    bool heard = false;
    SegmentPosition needs = 0;
  };

  void probe_peers(const RunRef& run);
  void ask(const RunRef& run, NodeId peer, const WalName& name, std::size_t index);
  void on_answer(const RunRef& run, NodeId peer, std::size_t index, const Message& answer);
  void go_on_when_answered(const RunRef& run);
  void read_archive(const RunRef& run);
  void planned(const RunRef& run);
  void next_batch(const RunRef& run);
  void ask_about_batch(const RunRef& run);
  void judge(const RunRef& run);
  void remove(const RunRef& run, SegmentPosition floor, std::vector<WalName> names);
  void finish(const RunRef& run, ExpireOutcome outcome, std::string line);
  void log_outcome(const Run& run, ExpireOutcome outcome, const std::string& line);
  void record_needs(SegmentPosition needs);
  std::vector<std::string> holds() const;

  Options options_;  // constant but for the rules and their interval
  Machine machine_;
  RetentionSchedule schedule_;
  ClockWatch clock_watch_;
  std::vector<PeerKnown> peers_;
  std::optional<std::uint32_t> server_timeline_;
  SegmentPosition recorded_needs_ = 0;
  RunRef run_;  // null while none is on
  View view_;
};

}  // namespace pgwalship
