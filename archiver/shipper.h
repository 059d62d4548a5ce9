// Decides what goes where: which peers get which file when, and when a push has its verdict.
// Pure: no I/O, no clock, no threads. Events and `now` go in, actions come out; the same events
// give the same actions, in the daemon and in the simulator.
//
// Whoever carries the actions out promises (the simulator's checker holds it to that):
//   1. StoreLocally runs the whole numbered order of wal/archive_store.h before LocalStored.
//   2. SendFile answers once with FileAnswered, or not at all when PeerLost comes first.
//   3. Compare looks at both archives after the action was given, then gives Compared or PeerLost.
//   4. Reply goes to the client once and last: nothing about that push is asked for again.
//
// A push: the local store and all peers run at the same time; the verdict comes as soon as the
// local copy and a quorum are durable; the rest goes on behind it. Fresh files of a peer go before
// its catch-up. Memory is bounded: a peer that lags by more than kFreshQueueMax files is caught up
// by comparing instead.
#pragma once

#include "archiver/coverage.h"
#include "archiver/peer_queue.h"
#include "archiver/pull_queue.h"
#include "archiver/shipper_events.h"
#include "topology/quorum.h"

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace pgwalship {

// A peer whose files failed is tried again after this, doubling up to the maximum.
inline constexpr std::chrono::seconds kRetryMin{1};
inline constexpr std::chrono::seconds kRetryMax{30};
// Files that arrive by other ways than this daemon are found by comparing this often.
inline constexpr std::chrono::seconds kCompareInterval{60};
// When they are known to have come, no peer is compared later than this: many come at once.
inline constexpr std::chrono::seconds kGrewCompareDelay{5};
// A peer that does not count yet is compared more often, so that a new cluster starts soon.
inline constexpr std::chrono::seconds kCompareIntervalNew{2};
// What is missing here may be on its way already, from the peer's own daemon.
inline constexpr std::chrono::seconds kPullPatience{2};
// A quorum that is lost for no longer is a warning in the log: a link that is made anew.
inline constexpr std::chrono::seconds kQuorumGrace{10};
// ... and one that was never held since the start for no longer is not even that: the machines of a
// cluster start one after the other.
inline constexpr std::chrono::seconds kQuorumGraceAtStart{60};
// Pulls keep a link busy; while clients wait, the disk here is theirs.
inline constexpr std::size_t kPullsMax = 4;
inline constexpr std::size_t kPullsBesidePushes = 1;
inline constexpr std::size_t kConflictsMax = 64;  // for status; the quarantine holds them all

enum class PeerState {
  kDown,        // no session. From any state by PeerLost; leaves to kComparing by PeerGreeted.
  kComparing,   // listings are being compared; fresh files are sent already.
  kCatchingUp,  // it lacks files that this archive holds, and they are being sent.
  kPulling,     // it lacks nothing; this archive lacks files of it, which are being pulled.
  kCurrent,     // both held the same when last compared, and it has all pushes since.
  kBehind,      // files failed, in either direction; compared again at retry_at.
};
std::string_view to_word(PeerState state);

class Shipper {
 public:
  struct Options {
    NodeList nodes;
    Quorum quorum;
    OnQuorumLoss on_quorum_loss = OnQuorumLoss::kWait;
    std::uint64_t pg_wal_minimum_free = 0;  // bytes; for OnQuorumLoss::kLocal
  };

  // REQUIRES: options.nodes holds at least this node.
  explicit Shipper(Options options);

  ShipperActions step(const ShipperEvent& event, TimePoint now);
  TimePoint next_wakeup() const;  // when it wants a Tick at the latest

  // For status ---------------------------------------------------------------------------------
  struct PeerView {
    PeerState state = PeerState::kDown;
    bool reconciled = false;  // counts towards a quorum
    // Files vanished from its archive that it may not have back yet: it is no evidence of absence.
    // The mark that it gave; 0: no.
    std::uint64_t vanished = 0;
    bool refuses = false;    // could not store the last fresh file: holds no quorum now
    TimePoint since{};       // of the state; of a peer in trouble, of that
    std::string last_error;  // of the link or of a file; empty when all is well
    std::string hint;        // while it is down: what can be done about last_error
    std::size_t in_flight = 0;
    std::size_t backlog = 0;  // known files it lacks, in flight included; grows while it is down
    // Since when it has lacked some file; while it is current: since its last answer.
    std::optional<TimePoint> lags_since;
    std::uint64_t files_sent = 0;
    std::uint64_t files_pulled = 0;
    bool comparing = false;      // a comparison is on
    std::uint64_t compared = 0;  // comparisons that ended, failed ones included
    // Names with two contents at the last that did not fail, without those that were found to hold
    // the same records since.
    std::size_t conflicting = 0;
  };
  struct OwnView {            // of the archive here
    std::size_t missing = 0;  // known files that it lacks, in flight included
    std::size_t in_flight = 0;
    std::uint64_t files_pulled = 0;
    std::string last_error;  // why files cannot be taken in; empty when all is well
    // How often this archive could not store what came: its disk is full, or broken.
    std::uint64_t refusals = 0;
  };
  struct ConflictView {
    std::string name;
    std::string where;  // node name
    std::string text;
    // The start of the SHA-256 of the content there, as far as it is known: by it a copy of that
    // content in quarantine here is recognised.
    std::string digits = {};
  };
  const PeerView& peer(NodeId peer) const { return peers_.at(peer).view; }
  const OwnView& own() const { return own_; }
  // Whether a push now could be acknowledged by the peers that are up; why not, in words.
  bool quorum_reachable() const;
  std::string quorum_trouble(TimePoint now) const;
  TimePoint quorum_changed() const { return quorum_changed_; }  // when it was last gained or lost
  const std::deque<ConflictView>& conflicts() const { return conflicts_; }
  std::size_t open_pushes() const { return pushes_.size(); }
  // Grows when an archive, a peer's or this one, turns out to be new: what it held is gone.
  std::uint64_t newcomers_met() const { return newcomers_met_; }

 private:
  struct Peer {
    PeerView view;
    PeerQueue queue;
    bool failed = false;           // a file failed since the last comparison
    bool full = false;             // the last file that was answered found no space
    std::size_t failed_files = 0;  // since the last comparison
    bool pull_failed = false;
    bool more = false;        // the last comparison did not name all that is missing
    bool progressed = false;  // a file came over, there or here, since it began
    bool grew = false;        // the archive did since the comparison began
    bool asked_for = false;   // by an operator, since it began
    bool in_trouble = false;  // reported as behind, and not current since: retries go unreported
    TimePoint compare_at = kNever;
    Duration retry_delay{kRetryMin};
    std::vector<Differences::Conflict> differing;  // view.conflicting of them
  };
  enum class Holding { kUnknown, kDurable, kConflict, kNoSpace };
  struct Push {
    WalName name;
    Sha256 sha256;
    TimePoint deadline{};
    std::vector<Holding> peers;
    bool held_back = false;  // nothing to peers before the local archive has answered
    bool replied = false;
    std::optional<Result<PutOutcome>> local;
    std::optional<Error> conflict;  // the first that a peer reported
  };

  void on(const PushSubmitted& event, TimePoint now);
  void on(const LocalStored& event, TimePoint now);
  void on(const PeerGreeted& event, TimePoint now);
  void on(const PeerLost& event, TimePoint now);
  void on(const FileAnswered& event, TimePoint now);
  void on(const FilePulled& event, TimePoint now);
  void on(const Compared& event, TimePoint now);
  void on(const ReconciledAnswered& event, TimePoint now);
  void on(const PgWalSpace& event, TimePoint now);
  void on(const ArchiveGrew& event, TimePoint now);
  void on(const CompareNow& event, TimePoint now);
  void on(const Tick& event, TimePoint now);

  void become(NodeId peer, PeerState state, TimePoint now);
  void start_compare(NodeId peer, TimePoint now);
  void fall_behind(NodeId peer, TimePoint now);
  void enqueue_fresh(NodeId peer, PushId id, TimePoint now);
  void fill(NodeId peer);
  void send(NodeId peer, TransferId transfer, const PeerQueue::Item& item);
  void settle(NodeId peer, TimePoint now);
  void settle_all(TimePoint now);
  void plan_next_comparison(NodeId peer, TimePoint now);
  void fill_pulls(TimePoint now);
  void fail_pull(const PullQueue::Pull& pull, const FilePulled& event, TimePoint now);
  void forget_difference(const Differences::Conflict& same);
  void mark(NodeId peer, const PeerQueue::Item& item, Holding holding, const Error* conflict);
  std::size_t known_backlog(const Peer& peer) const;
  void drop_queued(PushId id);
  void evaluate(TimePoint now);
  std::optional<Result<std::string>> verdict(const Push& push, TimePoint now);
  void forget_conflicts(NodeId peer, const Differences& differences);
  void note_conflict(const WalName& name, const std::string& where, const Error& error,
                     const std::string& digits = "");
  void note_quorum(TimePoint now);
  void note_lags(TimePoint now);
  void meet_newcomer(NodeId newcomer, TimePoint now);
  void note_self(const Compared& event, TimePoint now);
  void note_vanished(const Compared& event, TimePoint now);
  bool is_whole(NodeId id) const;  // and its word about what it lacks is evidence
  bool covers_enough_for(NodeId newcomer) const;
  SegmentPosition floor_of_completeness() const;
  bool may_tell_reconciled(NodeId newcomer);
  bool newcomer_connected() const;
  NodeSet holders(const Push& push) const;
  NodeSet reachable() const;
  bool is_peer(NodeId id) const { return id != options_.nodes.self; }
  const std::string& name_of(NodeId id) const { return options_.nodes.at(id).name; }
  std::string peer_trouble(NodeId peer, TimePoint now) const;
  std::string missing_members(TimePoint now) const;  // of the quorum: who, and why
  std::string waiting_text(const Push& push, TimePoint now) const;
  void report(Gravity gravity, std::string line, LogFields fields = {});

  const Options options_;
  std::vector<Peer> peers_;  // by NodeId; the own entry is unused
  Coverage coverage_;
  std::uint64_t newcomers_met_ = 0;
  PullQueue pulls_;
  OwnView own_;
  bool pulled_some_ = false;          // since the last time that nothing was missing
  TimePoint pulls_ripe_at_{};         // none is started before
  TimePoint pulls_wake_at_ = kNever;  // when one is to be started
  Duration pull_delay_{kRetryMin};    // after the next failure here
  std::map<PushId, Push> pushes_;
  std::deque<ConflictView> conflicts_;
  std::optional<std::uint64_t> pg_wal_free_;
  bool self_known_ = false;  // the next two: from the first comparison on
  bool self_reconciled_ = false;
  std::uint64_t self_vanished_ = 0;  // as PeerView::vanished
  bool new_cluster_ = false;         // all nodes were up at once and none was reconciled
  std::optional<bool> quorum_held_;
  TimePoint quorum_changed_{};          // when quorum_held_ last did
  TimePoint quorum_alarm_at_ = kNever;  // of one that was lost: when that is an error
  TransferId next_transfer_ = 1;
  ShipperActions actions_;  // collected by one step()
};

}  // namespace pgwalship
