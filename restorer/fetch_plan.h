// Decides where one wanted file comes from, and what may be said when it comes from nowhere
// (ARCHITECTURE, I3). Pure: events and `now` in, actions out.
//
// Every connected peer is asked (Stat); of those that have the file one is pulled from: one of this
// site before others, then the one with the fewest pulls, then in turn. The file is brought into
// the local archive and verified there. When the local archive cannot take it, no other peer helps,
// and the verdict says so. "Absent" is said only when it is proven
// (G5, topology/quorum.h absence_proven): a node's word counts as evidence when its archive was
// made complete once; the only node of a list needs nobody to make it complete. Who has once said
// that it holds a copy, good or bad, stands against any proof. "Expired" (below that archive's
// floor) and "vanished" (other hands took files away) are no evidence: it may have had the file.
// Only when every node has said that it does not hold the file now, it is absent, and the message
// says what may have become of it.
//
// The host gives PeerArrived for each connected peer at the start, then a FetchTick, and another
// whenever next_wakeup() has come. Silent peers hold the verdict back no longer than `wait`, or
// kStatPatience from when they were asked; a pull under way is waited for as long as its peer
// lives.
#pragma once

#include "base/clock.h"
#include "topology/quorum.h"
#include "transport/messages.h"

#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace pgwalship {

// A connected peer that does not answer within this is not waited for any longer.
inline constexpr std::chrono::milliseconds kStatPatience{1500};

// Events
struct PeerArrived {  // connected; also given for each connected peer at the start
  NodeId peer;
  bool evidence;
};
struct PeerVanished {
  NodeId peer;
};
struct StatAnswered {
  NodeId peer;
  Result<Presence> result;
  bool evidence = false;  // it was made complete since it arrived
};
struct PullAnswered {  // ok: durable in the local archive. kCorrupt: that copy is bad
  NodeId peer;
  Result<void> result;
};
struct StoreFailed {  // the local archive could not take what the peer sent
  NodeId peer;
  Error error;
};
struct FetchTick {};
using FetchEvent =
    std::variant<PeerArrived, PeerVanished, StatAnswered, PullAnswered, StoreFailed, FetchTick>;

// Actions
struct AskPeer {
  NodeId peer;
};
struct PullFrom {
  NodeId peer;
};
struct FetchEnded {  // last
  FetchVerdict verdict;
  std::string message;
  std::string hint;
};
using FetchAction = std::variant<AskPeer, PullFrom, FetchEnded>;

class FetchPlan {
 public:
  enum class LocalCopy { kAbsent, kCorrupt, kExpired, kVanished };
  struct Options {
    const NodeList* nodes = nullptr;  // borrowed, like quorum
    const Quorum* quorum = nullptr;
    OnQuorumLoss on_quorum_loss = OnQuorumLoss::kWait;
    LocalCopy local = LocalCopy::kAbsent;
    bool self_evidence = false;  // this node's own archive was made complete once
    Duration wait{};             // for peers that are silent; 0: only for those connected now
    Duration settle{};           // how long the others may say that they have it, too
    // By NodeId, kept up to date by the host; borrowed. Null: all alike.
    const std::vector<std::size_t>* open_pulls = nullptr;
    std::uint64_t turn = 0;  // spreads files over equal peers
    std::size_t skip = 0;    // so many of the best sources are passed over, for a further try
  };

  FetchPlan(Options options, TimePoint now);

  std::vector<FetchAction> step(const FetchEvent& event, TimePoint now);
  TimePoint next_wakeup() const;
  bool ended() const { return ended_; }

 private:
  enum class PeerAnswer {
    kAway,      // not connected
    kAsked,     // Stat is out
    kSilent,    // Stat is out for longer than our patience; the answer still counts
    kAbsent,    // it does not have the file
    kExpired,   // nor this one, any more, if it ever had
    kVanished,  // the same, but other hands may have taken it away
    kPresent,   // it has it, and was not pulled from yet
    kPulling,   // a pull is out
    kCorrupt,   // its copy is bad
    kFailed,    // it could not say, or the pull failed
  };
  struct Peer {
    PeerAnswer answer = PeerAnswer::kAway;
    TimePoint patience_ends{};  // meaningful in kAsked
    bool evidence = false;
    bool promised = false;  // it said that it holds a copy, which has not proved corrupt
    std::string reason;
  };

  struct Apply;  // one event, in the .cc

  void decide(TimePoint now, std::vector<FetchAction>& actions);
  std::optional<NodeId> next_source() const;
  bool proven_absent() const;
  bool everybody_answered() const;
  bool gone_everywhere() const;
  bool said_by_anybody(LocalCopy here, PeerAnswer there) const;
  bool any(PeerAnswer answer) const;
  bool anybody_silent() const;
  bool copy_promised() const;
  bool own_word_counts() const;
  FetchEnded verdict() const;
  std::string why_unknown() const;
  std::string corrupt_places() const;

  const Options options_;
  const TimePoint deadline_;
  const TimePoint settled_at_;
  std::vector<Peer> peers_;      // by NodeId; this node's own entry is not used
  bool corrupt_copies_ = false;  // here or there
  bool ended_ = false;
};

}  // namespace pgwalship
