// pgwalshipd on a simulated node: the real Shipper and FetchPlan over the real store. What carries
// their actions out is a small copy of the daemon's services, in virtual time: one worker that
// stores, one that reads, both in the middle of something whenever the process is killed.
#pragma once

#include "archiver/expire_batch.h"
#include "archiver/look_ahead.h"
#include "archiver/shipper.h"
#include "restorer/fetch_plan.h"
#include "restorer/prefetch.h"
#include "restorer/scrub.h"
#include "tests/sim/content.h"
#include "tests/sim/disk.h"
#include "tests/sim/link.h"
#include "tests/sim/mutation.h"
#include "wal/live_index.h"

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace pgwalship::sim {

// Runs jobs one after the other on a fiber; a completion runs as an event of the process.
class JobQueue {
 public:
  using Completion = std::function<void()>;
  explicit JobQueue(Process& process);
  void post(std::function<Completion()> job);

 private:
  Process& process_;
  Process::Bell bell_;
  std::deque<std::function<Completion()>> jobs_;
};

class BackFiller;

class Daemon {
 public:
  struct Options {
    NodeList nodes;
    Quorum quorum;
    OnQuorumLoss on_quorum_loss = OnQuorumLoss::kWait;
    Duration push_timeout = seconds(15);
    Mutation mutation = Mutation::kNone;
    std::uint64_t seed = 0;
    enum class Server { kUnknown, kKnown } server = Server::kUnknown;  // its pg_wal is watched
    std::size_t prefetch = 0;
    std::size_t look_ahead = 0;
    std::function<std::vector<ContentRef>()> ready;  // what its server has marked now
    Duration scrub_pass{};
    std::function<EndpointRef(NodeId peer)> connect;
    std::function<void(const std::string& line)> say;
    LiveIndex::VanishHandler on_vanished;
  };
  // The floor, and what goes; all of it is decided, nothing done.
  using ExpiryHandler = std::function<void(SegmentPosition floor, std::vector<WalName> names)>;
  using ReplyHandler = std::function<void(Result<std::string>)>;
  using FetchHandler = std::function<void(FetchEnded)>;

  Daemon(Schedule& schedule, NodeDisk& disk, Options options);
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  // Once the archive is prepared; clients are refused before.
  bool ready() const { return shipper_.has_value(); }
  // A client's: it asks first whether its file is safe already, with look-ahead.
  void push(ContentRef content, ReplyHandler on_reply);
  void fetch(const WalName& name, Duration wait, FetchHandler on_ended);
  // A client has placed this segment for a recovery.
  void restored(const WalName& name, std::uint32_t segment_bytes);
  // Lets go what is below `floor`, as far as it is on the quorum. `on_over` is called unless the
  // daemon dies.
  void expire(SegmentPosition floor, ExpiryHandler on_decided, std::function<void()> on_over);
  const Shipper& shipper() const { return *shipper_; }

 private:
  struct Upload {
    ContentRef content;
    TimePoint deadline{};
    ReplyHandler on_reply;
    std::shared_ptr<StagedFile> staged;
    std::unique_ptr<File> reader;
    bool submitted = false;
    bool stored = false;
    bool replied = false;
  };
  using UploadRef = std::shared_ptr<Upload>;
  struct Claiming {
    ContentRef content;
    ReplyHandler on_reply;
  };
  struct Comparison {
    explicit Comparison(SegmentPosition floor) : archives(floor) {}

    ArchiveComparison archives;
    bool self_reconciled = false;
    std::optional<bool> peer_reconciled;
    SegmentPosition evidence_from = 0;
    std::uint64_t self_vanished = 0;
    std::optional<std::uint64_t> peer_vanished;
  };
  using ComparisonRef = std::shared_ptr<Comparison>;
  using PullHandler = std::function<void(const Result<PutOutcome>& result, PullFault fault)>;
  struct Pull {
    NodeId peer = 0;
    std::shared_ptr<StagedFile> staged;
    std::uint64_t received_bytes = 0;
    bool over = false;
    ArchiveStore::Content content = ArchiveStore::Content::kVerify;
    PullHandler on_end;
  };
  using PullRef = std::shared_ptr<Pull>;
  struct Fetching {
    WalName name;
    std::unique_ptr<FetchPlan> plan;
    FetchHandler on_ended;
    std::map<NodeId, PullRef> pulls;
    bool bad_here = false;
  };

  void start();
  void watch_archive();
  void scan_archive();
  Hello hello();
  void on_up(NodeId peer, const Hello& theirs);
  void on_down(NodeId peer, const std::string& reason);
  void tick();
  void arm();
  bool is_peer(NodeId id) const { return id != options_.nodes.self; }
  bool mutated(Mutation mutation) const { return options_.mutation == mutation; }

  // daemon_ahead.cc
  void look_at_marks();
  void note_newcomers();
  void feed_ahead(LookAheadEvent event);
  void act(const ReadAhead& action);
  void act(const ShipAhead& action);
  void act(const DropAhead& action);
  void act(const AnswerClaim& action);
  AheadRead read_ahead(const WalName& name, Upload& upload);
  std::optional<ContentKey> held(const WalName& name) const;

  // daemon_push.cc
  void take_push(ContentRef content, ReplyHandler on_reply);
  LocalName local_name(const WalName& name) const;
  void submit(PushId push, const UploadRef& upload, LocalName local);
  void feed(ShipperEvent event);
  void act(const StoreLocally& action);
  void act(const SendFile& action);
  void act(const PullFile& action);
  void act(const Compare& action);
  void act(const TellReconciled& action);
  void act(const MarkReconciled& action);
  void act(Reply& action);
  void act(const Report& action);
  std::optional<Error> stage(Upload& upload);
  void store(PushId push, const UploadRef& upload);
  void send_from_archive(const SendFile& action);
  void send(const SendFile& action, OutgoingFile file);
  void offer(const SendFile& action, OutgoingFile file);
  void send_bytes(const SendFile& action, OutgoingFile file);
  void ask(NodeId peer, const ComparisonRef& comparison);
  void take(NodeId peer, const ComparisonRef& comparison, const Message& answer);
  void finish(NodeId peer, const ComparisonRef& comparison, Result<Differences> differences);
  void forget_if_over(PushId push);

  // daemon_fetch.cc
  void start_plan(std::uint64_t id, Duration wait, FetchPlan::LocalCopy local, bool self_evidence);
  void arrive(std::uint64_t id, NodeId peer, const Hello& theirs);
  void feed_fetch(std::uint64_t id, const FetchEvent& event);
  void feed_fetches(const std::function<FetchEvent()>& make);
  void act(std::uint64_t id, const AskPeer& action);
  void act(std::uint64_t id, const PullFrom& action);
  void act(std::uint64_t id, const FetchEnded& action);

  // daemon_pull.cc
  PullRef start_pull(NodeId peer, const WalName& name, ArchiveStore::Content content,
                     PullHandler on_end);
  void on_piece(const PullRef& pull, const Message& message);
  void finish_pull(const PullRef& pull, std::uint32_t file_crc32);
  static void end_pull(const PullRef& pull, const Result<PutOutcome>& result, PullFault fault);
  void pull(const PullFile& action);
  void spread_conflict(const Differences::Conflict& conflict);

  // daemon_expire.cc
  struct Expiry;
  using ExpiryRef = std::shared_ptr<Expiry>;
  void ask_about(const ExpiryRef& expiry);
  void let_go(const ExpiryRef& expiry);

  // daemon_care.cc
  void fetch_ahead(const std::vector<WalName>& names);
  void scrub_later();
  void scrub();

  Process process_;
  NodeDisk& node_disk_;
  ProcessDisk disk_;
  const Options options_;
  ArchiveStore store_;
  JobQueue disk_jobs_;
  JobQueue scan_jobs_;
  JobQueue read_jobs_;
  const ScheduleClock clock_;
  bool changed_ = false;  // an event is under way for it
  LiveIndex index_;
  std::optional<Shipper> shipper_;
  std::map<NodeId, std::unique_ptr<Link>> links_;
  std::unique_ptr<BackFiller> back_filler_;
  std::uint64_t next_id_ = 1;
  std::map<PushId, UploadRef> uploads_;
  std::map<NodeId, ComparisonRef> comparisons_;
  std::map<std::uint64_t, Fetching> fetches_;
  std::map<TransferId, PullRef> pulls_;
  std::optional<LookAhead> look_ahead_;
  std::map<WalName, UploadRef> read_;  // for look-ahead, and not being shipped yet
  std::map<ClaimId, Claiming> claims_;
  std::uint64_t newcomers_met_ = 0;
  std::deque<LookAheadEvent> ahead_events_;
  bool feeding_ahead_ = false;
  std::deque<ShipperEvent> events_;
  bool feeding_ = false;
  TimePoint wake_at_ = kNever;
  Prefetch prefetch_;
  ScrubPace scrub_pace_;
  std::optional<WalName> scrubbed_;  // the last one
};

}  // namespace pgwalship::sim
