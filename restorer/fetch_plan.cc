#include "restorer/fetch_plan.h"

#include "base/check.h"

#include <algorithm>
#include <tuple>

namespace pgwalship {
namespace {

std::string joined(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) {
    text += (text.empty() ? "" : ", ") + part;
  }
  return text;
}

}  // namespace

struct FetchPlan::Apply {
  FetchPlan& plan;
  TimePoint now;
  std::vector<FetchAction>& actions;

  Peer& peer(NodeId id) {
    CHECK(id < plan.peers_.size());
    return plan.peers_[id];
  }

  void operator()(const PeerArrived& event) {
    Peer& arrived = peer(event.peer);
    // Whoever comes and goes must not put the verdict off for ever.
    const TimePoint last_call = plan.deadline_ + kStatPatience;
    if (now >= last_call || (plan.options_.nodes->self == event.peer)) {
      return;
    }
    arrived.answer = PeerAnswer::kAsked;
    arrived.patience_ends = std::min(now + kStatPatience, last_call);
    arrived.evidence = event.evidence;
    actions.push_back(AskPeer{event.peer});
  }

  void operator()(const PeerVanished& event) {
    Peer& gone = peer(event.peer);
    switch (gone.answer) {
      case PeerAnswer::kAsked:
      case PeerAnswer::kSilent:
      case PeerAnswer::kPresent:
      case PeerAnswer::kPulling:
        gone.answer = PeerAnswer::kAway;
        gone.reason = "went away";
        break;
      case PeerAnswer::kAway:
      case PeerAnswer::kAbsent:
      case PeerAnswer::kExpired:
      case PeerAnswer::kVanished:
      case PeerAnswer::kCorrupt:
      case PeerAnswer::kFailed:
        break;  // what it has said remains said
    }
  }

  void operator()(const StatAnswered& event) {
    Peer& answering = peer(event.peer);
    if (answering.answer != PeerAnswer::kAsked && answering.answer != PeerAnswer::kSilent) {
      return;
    }
    answering.evidence = answering.evidence || event.evidence;
    if (!event.result.ok()) {
      answering.answer = PeerAnswer::kFailed;
      answering.reason = "cannot say: " + event.result.error().message;
      return;
    }
    switch (event.result.value()) {
      case Presence::kAbsent:
        answering.answer = PeerAnswer::kAbsent;
        break;
      case Presence::kExpired:
        answering.answer = PeerAnswer::kExpired;
        break;
      case Presence::kVanished:
        answering.answer = PeerAnswer::kVanished;
        break;
      case Presence::kPresent:
        answering.answer = PeerAnswer::kPresent;
        answering.promised = true;
        break;
      case Presence::kCorrupt:
        answering.answer = PeerAnswer::kCorrupt;
        plan.corrupt_copies_ = true;
        break;
    }
  }

  void operator()(const PullAnswered& event) {
    Peer& source = peer(event.peer);
    if (event.result.ok()) {
      plan.ended_ = true;
      actions.push_back(
          FetchEnded{FetchVerdict::kFound, "from " + plan.options_.nodes->at(event.peer).name, ""});
    } else if (source.answer != PeerAnswer::kPulling) {
      return;
    } else if (event.result.error().code == Errc::kCorrupt) {
      source.answer = PeerAnswer::kCorrupt;
      source.promised = false;
      plan.corrupt_copies_ = true;
    } else {
      source.answer = PeerAnswer::kFailed;
      source.reason = "has it, but: " + event.result.error().message;
    }
  }

  void operator()(const StoreFailed& event) {
    if (peer(event.peer).answer == PeerAnswer::kPulling) {
      plan.ended_ = true;
      actions.push_back(
          FetchEnded{FetchVerdict::kNoRoom,
                     plan.options_.nodes->at(event.peer).name +
                         " has it, but this node's archive cannot take it: " + event.error.message,
                     event.error.hint});
    }
  }

  void operator()(const FetchTick& /*event*/) {}
};

FetchPlan::FetchPlan(Options options, TimePoint now)
    : options_(std::move(options)),
      deadline_(now + options_.wait),
      settled_at_(now + options_.settle),
      peers_(options_.nodes->size()),
      corrupt_copies_(options_.local == LocalCopy::kCorrupt) {
  for (Peer& peer : peers_) {
    peer.reason = "is not connected";
  }
}

std::vector<FetchAction> FetchPlan::step(const FetchEvent& event, TimePoint now) {
  std::vector<FetchAction> actions;
  if (ended_) {
    return actions;
  }
  std::visit(Apply{*this, now, actions}, event);
  // The peers of the start arrive one by one: what the first says is weighed after all were asked.
  if (!ended_ && !std::holds_alternative<PeerArrived>(event)) {
    decide(now, actions);
  }
  return actions;
}

void FetchPlan::decide(TimePoint now, std::vector<FetchAction>& actions) {
  if (any(PeerAnswer::kPulling)) {
    return;
  }
  if (const std::optional<NodeId> source = next_source(); source.has_value()) {
    if (now < settled_at_ && any(PeerAnswer::kAsked)) {
      return;
    }
    peers_[*source].answer = PeerAnswer::kPulling;
    actions.push_back(PullFrom{*source});
    return;
  }
  for (Peer& peer : peers_) {
    if (peer.answer == PeerAnswer::kAsked && now >= peer.patience_ends) {
      peer.answer = PeerAnswer::kSilent;
    }
  }
  if (any(PeerAnswer::kAsked) || (anybody_silent() && now < deadline_ && !proven_absent())) {
    return;
  }
  ended_ = true;
  actions.push_back(verdict());
}

TimePoint FetchPlan::next_wakeup() const {
  if (ended_ || any(PeerAnswer::kPulling)) {
    return kNever;
  }
  TimePoint soonest = kNever;
  for (const Peer& peer : peers_) {
    if (peer.answer == PeerAnswer::kAsked) {
      soonest = std::min(soonest, peer.patience_ends);
    }
  }
  if (any(PeerAnswer::kPresent)) {
    soonest = std::min(soonest, settled_at_);
  }
  return soonest == kNever ? deadline_ : soonest;
}

std::optional<NodeId> FetchPlan::next_source() const {
  const NodeList& nodes = *options_.nodes;
  using Rank = std::tuple<bool, std::size_t, std::size_t, NodeId>;
  std::vector<Rank> sources;
  for (NodeId id = 0; id < peers_.size(); ++id) {
    if (peers_[id].answer == PeerAnswer::kPresent) {
      const std::size_t pulls = options_.open_pulls != nullptr ? options_.open_pulls->at(id) : 0;
      const std::size_t turn = (id + nodes.size() - options_.turn % nodes.size()) % nodes.size();
      sources.emplace_back(nodes.at(id).site != nodes.at(nodes.self).site, pulls, turn, id);
    }
  }
  if (sources.empty()) {
    return std::nullopt;
  }
  std::sort(sources.begin(), sources.end());
  return std::get<3>(sources[options_.skip % sources.size()]);
}

bool FetchPlan::any(PeerAnswer answer) const {
  return std::any_of(peers_.begin(), peers_.end(),
                     [answer](const Peer& peer) { return peer.answer == answer; });
}

bool FetchPlan::anybody_silent() const {
  for (NodeId id = 0; id < peers_.size(); ++id) {
    const PeerAnswer answer = peers_[id].answer;
    if (id != options_.nodes->self &&
        (answer == PeerAnswer::kAway || answer == PeerAnswer::kSilent)) {
      return true;
    }
  }
  return false;
}

bool FetchPlan::copy_promised() const {
  return std::any_of(peers_.begin(), peers_.end(), [](const Peer& peer) { return peer.promised; });
}

bool FetchPlan::own_word_counts() const {
  return options_.local != LocalCopy::kExpired && options_.local != LocalCopy::kVanished &&
         (options_.self_evidence || peers_.size() <= 1);
}

bool FetchPlan::said_by_anybody(LocalCopy here, PeerAnswer there) const {
  return options_.local == here || any(there);
}

bool FetchPlan::everybody_answered() const {
  for (NodeId id = 0; id < peers_.size(); ++id) {
    if (id != options_.nodes->self && peers_[id].answer != PeerAnswer::kAbsent) {
      return false;
    }
  }
  return true;
}

// Nobody holds it now, and the proof fails for those alone who may have had it.
bool FetchPlan::gone_everywhere() const {
  for (NodeId id = 0; id < peers_.size(); ++id) {
    const Peer& peer = peers_[id];
    const bool is_self = id == options_.nodes->self;
    const bool may_have_had =
        peer.answer == PeerAnswer::kExpired || peer.answer == PeerAnswer::kVanished;
    if (is_self ? options_.local == LocalCopy::kAbsent && !own_word_counts()
                : !may_have_had && !(peer.answer == PeerAnswer::kAbsent && peer.evidence)) {
      return false;
    }
  }
  return !corrupt_copies_ && (said_by_anybody(LocalCopy::kExpired, PeerAnswer::kExpired) ||
                              said_by_anybody(LocalCopy::kVanished, PeerAnswer::kVanished));
}

bool FetchPlan::proven_absent() const {
  if (copy_promised() || corrupt_copies_) {
    return false;
  }
  NodeSet absent(peers_.size(), false);
  for (NodeId id = 0; id < peers_.size(); ++id) {
    absent[id] = id == options_.nodes->self
                     ? own_word_counts()
                     : peers_[id].answer == PeerAnswer::kAbsent && peers_[id].evidence;
  }
  return absence_proven(*options_.nodes, *options_.quorum, options_.on_quorum_loss, absent);
}

FetchEnded FetchPlan::verdict() const {
  if (gone_everywhere() && said_by_anybody(LocalCopy::kVanished, PeerAnswer::kVanished)) {
    return {FetchVerdict::kAbsent,
            "no node of the cluster has it (any more): files have vanished from an archive without "
            "expiring, and it may be one of them",
            "if it is needed, look for it in a backup of the archive; [retention] is what should "
            "remove files"};
  }
  if (gone_everywhere()) {
    return {
        FetchVerdict::kAbsent,
        "no node of the cluster has it (any more): it is older than what is kept, so it may have "
        "expired",
        "see [retention]; a base backup needs WAL from its own time on"};
  }
  if (proven_absent()) {
    return {FetchVerdict::kAbsent,
            !everybody_answered()
                ? "it was never acknowledged: the nodes that answer do not have it, and "
                  "without them it could not be"
                : "no node of the cluster has it",
            ""};
  }
  if (corrupt_copies_ && !copy_promised()) {
    return {FetchVerdict::kCorrupt,
            "there are only corrupt copies: " + corrupt_places() + why_unknown(),
            "push the file again from a server whose pg_wal or backup still holds it"};
  }
  return {FetchVerdict::kUnknown, "not found, but it may exist" + why_unknown(),
          anybody_silent()
              ? "bring the silent nodes back, or look there: `pgwalship status` shows the links"
              : "`pgwalship status` shows the state of each node"};
}

std::string FetchPlan::corrupt_places() const {
  std::vector<std::string> places;
  if (options_.local == LocalCopy::kCorrupt) {
    places.emplace_back("this node's");
  }
  for (NodeId id = 0; id < peers_.size(); ++id) {
    if (peers_[id].answer == PeerAnswer::kCorrupt) {
      places.push_back(options_.nodes->at(id).name + "'s");
    }
  }
  return joined(places);
}

// "; pgdb2 is not connected, pgdb3 did not answer: with quorum ..., ..."
std::string FetchPlan::why_unknown() const {
  std::vector<std::string> reasons;
  for (NodeId id = 0; id < peers_.size(); ++id) {
    const Peer& peer = peers_[id];
    const std::string& node = options_.nodes->at(id).name;
    if (id == options_.nodes->self) {
      if (options_.local == LocalCopy::kExpired) {
        reasons.emplace_back(
            "this node does not have it (any more): it is older than what it keeps");
      } else if (options_.local == LocalCopy::kVanished) {
        reasons.emplace_back(
            "this node does not have it (any more): files have vanished from its archive");
      } else if (!own_word_counts()) {
        reasons.emplace_back(
            "this node's own archive was never made complete, so its word is none");
      }
      continue;
    }
    switch (peer.answer) {
      case PeerAnswer::kAway:
      case PeerAnswer::kFailed:
        reasons.push_back(node + " " + peer.reason);
        break;
      case PeerAnswer::kAsked:
      case PeerAnswer::kSilent:
        reasons.push_back(node + " did not answer in time");
        break;
      case PeerAnswer::kAbsent:
        if (!peer.evidence) {
          reasons.push_back(node + " does not have it, but its archive was never made complete");
        }
        break;
      case PeerAnswer::kExpired:
        reasons.push_back(node + " does not have it (any more): it is older than what it keeps");
        break;
      case PeerAnswer::kVanished:
        reasons.push_back(node +
                          " does not have it (any more): files have vanished from its archive");
        break;
      case PeerAnswer::kPresent:
      case PeerAnswer::kPulling:
      case PeerAnswer::kCorrupt:
        break;
    }
  }
  if (reasons.empty()) {
    return "";
  }
  if (copy_promised() || corrupt_copies_) {
    return "; " + joined(reasons);
  }
  const std::string why =
      options_.on_quorum_loss == OnQuorumLoss::kLocal
          ? "with on-quorum-loss = local each of them alone may have acknowledged it"
          : "with quorum = " + options_.quorum->text() + " they may have acknowledged it";
  return "; " + joined(reasons) + "; " + why;
}

}  // namespace pgwalship
