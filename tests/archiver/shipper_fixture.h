// The vocabulary of the shipper's tests: events in, and what came out of them in short words.
// The node itself is `a`; b, c and d are its peers. Segment 5 is 000000010000000000000005.
#pragma once

#include "archiver/shipper.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

namespace pgwalship {

using Words = std::vector<std::string>;

class ShipperTest : public testing::Test {
 protected:
  static constexpr NodeId a = 0, b = 1, c = 2, d = 3;

  struct Setup {
    std::string quorum = "ANY 1 (*)";
    std::vector<Node> nodes = {node("a"), node("b"), node("c")};
    OnQuorumLoss on_quorum_loss = OnQuorumLoss::kWait;
    std::uint64_t pg_wal_minimum_free = 0;
  };
  static Node node(const std::string& name, const std::string& site = "") {
    return Node{name, site, name, 22};
  }
  static std::vector<Node> four_nodes() { return {node("a"), node("b"), node("c"), node("d")}; }

  ShipperTest() { cluster(Setup{}); }
  void cluster(const Setup& setup);
  void cluster(const std::string& quorum) {
    Setup setup;
    setup.quorum = quorum;
    cluster(setup);
  }

  // Events. Time starts at 0 s and a push's deadline is 15 s after it.
  void at(double seconds);  // a Tick then
  void submit(PushId push, const WalName& name, char content = 'x') {
    submit(push, name, content, LocalName::kFree);
  }
  void submit_taken(PushId push, const WalName& name, char content = 'x') {
    submit(push, name, content, LocalName::kTaken);
  }
  void stored(PushId push, Result<PutOutcome> result = PutOutcome::kStored);
  void greet(NodeId peer) { step(PeerGreeted{peer, true}); }
  void greet_new(NodeId peer) { step(PeerGreeted{peer, false}); }
  void lose(NodeId peer, const std::string& reason = "no route");
  // Answers the oldest open transfer of that file.
  void answer(NodeId peer, const WalName& name, Result<PutOutcome> result = PutOutcome::kStored);
  using Listing = std::vector<WalName>;
  void compared(NodeId peer, Result<Listing> mine = Listing{}, Result<Listing> theirs = Listing{},
                std::optional<bool> peer_reconciled = {});
  void compared_as(NodeId peer, Result<Differences> differences,
                   std::optional<bool> peer_reconciled = {});
  void told(NodeId peer, Result<void> result = {});
  void step(const ShipperEvent& event);
  // Answers the open pull of that file.
  void pulled(const WalName& name, Result<PutOutcome> result = PutOutcome::kStored,
              PullFault fault = PullFault::kPeer);
  void pg_wal_free(std::uint64_t bytes) { step(PgWalSpace{bytes}); }
  // Greeted and found to hold the same.
  void up(NodeId peer);

  // What came out since it was last asked, in order.
  Words sent(NodeId peer) { return take(sent_[peer]); }  // "fresh 5", "catch-up 3"
  Words pulls() { return take(pulls_); }                 // "3 from b", "3 of b, a conflict"
  Words reports() { return take(reports_); }             // "info: peer b: connected"
  Words asked() { return take(asked_); }                 // "compare b", "tell b", "store 1"
  // "none" before there is one, "ok", "ok: a warning", "timeout: why".
  std::string verdict(PushId push) const;

  PeerState state(NodeId peer) const { return shipper_->peer(peer).state; }
  double next_wakeup() const;

  static WalName segment(std::uint32_t number);
  static WalName history(const std::string& timeline);
  static Listing segments(std::uint32_t first, std::uint32_t last);
  static Error conflict() { return Error{Errc::kConflict, "other content", ""}; }
  static Error no_space() { return Error{Errc::kNoSpace, "disk full", ""}; }

  std::optional<Shipper> shipper_;
  bool self_reconciled_ = true;
  SegmentPosition floor_ = 0;          // common to all
  SegmentPosition evidence_from_ = 0;  // the same
  // The marks of what has vanished from the archives.
  std::uint64_t self_vanished_ = 0;
  std::map<NodeId, std::uint64_t> peer_vanished_;
  // Whether the staged file of a push is the source of what was last sent of it.
  std::map<std::string, std::optional<PushId>> source_;

 private:
  struct Open {
    TransferId transfer;
    WalName name;
  };
  static Words take(Words& words) { return std::exchange(words, {}); }
  static std::string short_name(const WalName& name);
  void submit(PushId push, const WalName& name, char content, LocalName local_name);
  static std::string mark_text(std::uint64_t mark);
  void note(const StoreLocally& action);
  void note(const SendFile& action);
  void note(const PullFile& action);
  void note(const Compare& action);
  void note(const TellReconciled& action);
  void note(const MarkReconciled& action);
  void note(const Reply& action);
  void note(const Report& action);

  const TimePoint start_{std::chrono::hours(1)};
  TimePoint now_ = start_;
  std::vector<Node> nodes_;
  std::map<NodeId, Words> sent_;
  std::map<NodeId, std::vector<Open>> open_;
  Words pulls_;
  std::vector<Open> open_pulls_;
  Words reports_;
  Words asked_;
  std::map<PushId, std::string> verdicts_;
};

}  // namespace pgwalship
