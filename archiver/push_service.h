// Carries out what the Shipper decides: stages what clients push, stores it, sends it to peers,
// compares archives. Loop thread; disks are touched on the two workers only. Decides nothing.
#pragma once

#include "archiver/offer_tally.h"
#include "archiver/push_totals.h"
#include "archiver/shipper.h"
#include "archiver/timeline_service.h"
#include "base/log.h"
#include "base/trouble.h"
#include "base/worker.h"
#include "transport/file_pull.h"
#include "transport/link_set.h"
#include "wal/live_index.h"

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

namespace pgwalship {

class PushService final : public LinkSet::Observer {
 public:
  struct Options {
    Shipper::Options shipper;
    Duration push_timeout{};
    std::string pg_wal;  // its file system's free space is watched; empty: not
    // Told of archive files that could not be sent because their copy here is bad; may be empty.
    std::function<void(const WalName&)> on_bad_copy;
  };
  // Everything is borrowed. `disk` stores, `scans` reads listings and archive files, `quiet` stores
  // what is pulled, which nobody waits for.
  struct Machine {
    EventLoop& loop;
    Worker& disk;
    Worker& scans;
    Worker& quiet;
    LinkSet& links;
    FileSystem& file_system;
    ArchiveStore& store;
    LiveIndex& index;
    Log& log;
  };

  PushService(Options options, Machine machine);
  PushService(const PushService&) = delete;
  PushService& operator=(const PushService&) = delete;
  ~PushService() override;

  // One push of a client: begin, data..., end; the reply comes once, from a later turn of the loop
  // or from within these calls. After abandon() no reply comes; what was complete goes on.
  using ReplyHandler = std::function<void(Result<std::string>)>;
  PushId begin(const Put& put, ReplyHandler on_reply);
  void data(PushId push, Bytes bytes);
  void end(PushId push, std::uint32_t file_crc32);
  void abandon(PushId push);
  // False while too much of its data waits for the disk: stop reading from that client.
  bool wants_data(PushId push) const;

  // Of the pushes that begin from now on.
  void set_push_timeout(Duration timeout) { options_.push_timeout = timeout; }
  // A file that was staged here and not by a client. One reply, later; it is not counted.
  struct Staged {
    Put put;
    std::shared_ptr<StagedFile> file;
  };
  void ship(Staged staged, ReplyHandler on_reply);
  // For totals(): a client's push that was answered without being made, its file being shipped.
  void count(const AnsweredPush& push, const Result<std::string>& verdict) {
    totals_.count(push, verdict, machine_.loop.now());
  }

  // Whole files of clients that are not answered or not stored yet.
  std::size_t awaited() const;

  // The local archive has a file that did not come by a push.
  void archive_grew() { feed(ArchiveGrew{}); }
  // Compares with that peer, when it is up.
  void compare_now(NodeId peer) { feed(CompareNow{peer}); }
  // Whether this was pushed, or pulled, by this daemon lately: then its peers know, or had it.
  bool is_own(const WalName& name) const { return own_.contains(name.text()); }

  void on_up(NodeId peer, const Hello& theirs) override;
  void on_down(NodeId peer, const Error& reason) override;

  // Files that this peer has acknowledged by their hash, with a copy of its own.
  std::uint64_t acknowledged_by_hash(NodeId peer) const;

  // For EventLoop::on_turn.
  TimePoint tick(TimePoint now);

  const PushTotals& totals() const { return totals_; }
  const Shipper& shipper() const { return shipper_; }
  // What pushes told of timelines that do not fit the others.
  const TimelineWatch& timelines() const { return timelines_.watch(); }

 private:
  // Jobs of the workers are std::functions and must be copyable: hence shared_ptr. The loop thread
  // and one worker hand it to each other; `staged` is used by the disk worker alone.
  struct Upload {
    Upload(Put announced, TimePoint now, Duration timeout, ReplyHandler handler)
        : put(std::move(announced)),
          began(now),
          deadline(now + timeout),
          on_reply(std::move(handler)) {}

    Put put;
    TimePoint began;
    TimePoint deadline;
    ReplyHandler on_reply;
    std::shared_ptr<StagedFile> staged;
    std::unique_ptr<File> reader;  // the staged bytes, for links
    std::uint64_t received_bytes = 0;
    std::size_t queued_bytes = 0;
    std::uint32_t file_crc32 = 0;
    bool from_client = true;
    bool submitted = false;
    bool replied = false;  // the Shipper has given its verdict
    bool stored = false;
  };
  struct Comparison {
    explicit Comparison(SegmentPosition floor) : archives(floor) {}

    ArchiveComparison archives;
    bool self_reconciled = false;
    std::optional<bool> peer_reconciled;
    SegmentPosition evidence_from = 0;
    std::uint64_t self_vanished = 0;
    std::optional<std::uint64_t> peer_vanished{};
  };
  using UploadRef = std::shared_ptr<Upload>;

  void feed(ShipperEvent event);
  void act(const StoreLocally& action);
  void tell_timelines(const Upload& upload, const Result<PutOutcome>& result);
  void act(const SendFile& action);
  void act(const PullFile& action);
  void act(const Compare& action);
  void act(const TellReconciled& action);
  void act(const MarkReconciled& action);
  void act(Reply& action);
  void act(const Report& action);
  void pull(const PullFile& action);
  void send_from_archive(const SendFile& action);
  void send(const SendFile& action, OutgoingFile file);
  void send_bytes(const SendFile& action, OutgoingFile file);
  void offer(const SendFile& action, OutgoingFile file);
  void answer_file(const SendFile& action, Result<PutOutcome> result);
  using ComparisonRef = std::shared_ptr<Comparison>;
  void ask(NodeId peer, const ComparisonRef& comparison);
  void take(NodeId peer, const ComparisonRef& comparison, const Message& answer);
  void finish(NodeId peer, const ComparisonRef& comparison, Result<Differences> differences);
  void submit(PushId push, const UploadRef& upload);
  void fail_upload(PushId push, Error error);
  void settle_reply(Upload& upload, Result<std::string> verdict);
  void forget_if_over(PushId push);
  void note_own(const WalName& name);

  Options options_;  // constant but for push_timeout
  Machine machine_;
  TimelineService timelines_;
  Shipper shipper_;
  PushTotals totals_;
  PushId next_push_ = 1;
  std::map<PushId, UploadRef> uploads_;
  std::map<NodeId, std::shared_ptr<Comparison>> comparisons_;  // empty: it has not begun
  struct OpenPull {
    NodeId peer;
    std::shared_ptr<FilePull> pull;
  };
  std::map<TransferId, OpenPull> pulls_;
  std::map<NodeId, OfferTally> offers_;
  std::deque<ShipperEvent> events_;
  bool feeding_ = false;
  TimePoint next_space_check_{};
  std::set<std::string> own_;  // the last names of own_order_
  std::deque<std::string> own_order_;
  Trouble cannot_mark_;
};

}  // namespace pgwalship
