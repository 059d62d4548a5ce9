// What the shipper says: log lines, reasons for waiting, troubles of peers and quorum.
#include "archiver/log_fields.h"
#include "archiver/shipper.h"
#include "base/words.h"

#include <algorithm>
#include <set>

namespace pgwalship {

namespace {

std::string seconds_text(Duration duration) {
  return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(duration).count()) + " s";
}

}  // namespace

void Shipper::report(Gravity gravity, std::string line, LogFields fields) {
  actions_.emplace_back(Report{gravity, std::move(line), std::move(fields)});
}

void Shipper::note_conflict(const WalName& name, const std::string& where, const Error& error,
                            const std::string& digits) {
  const auto known =
      std::find_if(conflicts_.begin(), conflicts_.end(), [&](const ConflictView& conflict) {
        return conflict.name == name.text() && conflict.where == where;
      });
  if (known != conflicts_.end()) {
    known->digits = digits.empty() ? known->digits : digits;
    return;
  }
  if (conflicts_.size() == kConflictsMax) {
    conflicts_.pop_front();
  }
  conflicts_.push_back(ConflictView{name.text(), where, error.message, digits});
  report(Gravity::kError, "conflict on " + where + ": " + error.text(),
         {{kMessageIdField, std::string(kConflictMessage)},
          {kSegmentField, name.text()},
          {kPeerField, where}});
}

// Somebody has decided them, or one of the two contents has expired.
void Shipper::forget_conflicts(NodeId peer, const Differences& differences) {
  if (!differences.by_content || differences.more) {
    return;
  }
  std::set<std::string> still;
  for (const Differences::Conflict& conflict : differences.conflicting) {
    still.insert(conflict.name.text());
  }
  std::erase_if(conflicts_, [&](const ConflictView& conflict) {
    return conflict.where == name_of(peer) && !still.contains(conflict.name);
  });
}

NodeSet Shipper::reachable() const {
  NodeSet set(peers_.size());
  for (NodeId id = 0; id < peers_.size(); ++id) {
    const PeerView& view = peers_[id].view;
    set[id] = is_peer(id) && view.state != PeerState::kDown && view.reconciled && !view.refuses;
  }
  return set;
}

bool Shipper::quorum_reachable() const {
  return options_.quorum.satisfied(options_.nodes, options_.nodes.self, reachable());
}

void Shipper::note_quorum(TimePoint now) {
  const bool held = quorum_reachable();
  if (quorum_held_ != held) {
    const bool first = !quorum_held_.has_value();
    quorum_held_ = held;
    quorum_changed_ = now;
    quorum_alarm_at_ = held ? kNever : first ? now + kQuorumGraceAtStart : now + kQuorumGrace;
    const std::string quorum = "quorum " + options_.quorum.text() + ": ";
    if (held) {
      report(Gravity::kInfo, quorum + "held", {{kMessageIdField, std::string(kQuorumHeldMessage)}});
    } else if (first) {
      report(Gravity::kInfo, quorum + "not yet held");
    } else {
      report(Gravity::kWarning, quorum + "not held for the moment: " + missing_members(now));
    }
  }
  if (now >= quorum_alarm_at_) {
    quorum_alarm_at_ = kNever;
    report(Gravity::kError, quorum_trouble(now),
           {{kMessageIdField, std::string(kQuorumLostMessage)}});
  }
}

void Shipper::note_lags(TimePoint now) {
  for (Peer& peer : peers_) {
    PeerView& view = peer.view;
    if (view.backlog == 0) {
      view.lags_since.reset();
    } else {
      view.lags_since = view.lags_since.value_or(now);
    }
  }
}

std::string Shipper::peer_trouble(NodeId id, TimePoint now) const {
  const PeerView& view = peers_[id].view;
  if (view.state == PeerState::kDown) {
    const std::string since =
        view.since == TimePoint{} ? "" : " for " + seconds_text(now - view.since);
    return name_of(id) + " is down" + since +
           (view.last_error.empty() ? "" : " (" + view.last_error + ")");
  }
  if (!view.reconciled) {
    return name_of(id) + " does not count yet: " +
           (view.backlog > 0 ? "it still lacks " + counted(view.backlog, "file")
            : view.last_error.empty()
                ? "it counts once enough nodes were connected at the same time"
                : view.last_error);
  }
  return name_of(id) + (view.last_error.empty() ? " has not answered" : ": " + view.last_error);
}

std::string Shipper::quorum_trouble(TimePoint now) const {
  return "quorum " + options_.quorum.text() + " cannot be met: " + missing_members(now);
}

std::string Shipper::missing_members(TimePoint now) const {
  std::string text;
  const NodeSet members = options_.quorum.members(options_.nodes, options_.nodes.self);
  const NodeSet up = reachable();
  std::string separator;
  for (NodeId id = 0; id < peers_.size(); ++id) {
    if (is_peer(id) && members[id] && !up[id]) {
      text += std::exchange(separator, "; ") + peer_trouble(id, now);
    }
  }
  return text;
}

std::string Shipper::waiting_text(const Push& push, TimePoint now) const {
  std::string text = push.local.has_value()
                         ? "stored here, but not on the quorum " + options_.quorum.text()
                         : "not yet stored in the local archive";
  const NodeId self = options_.nodes.self;
  if (options_.quorum.satisfied(options_.nodes, self, holders(push))) {
    return text;
  }
  std::string separator = ": ";
  const NodeSet members = options_.quorum.members(options_.nodes, self);
  for (NodeId id = 0; id < peers_.size(); ++id) {
    if (!is_peer(id) || !members[id] ||
        (push.peers[id] == Holding::kDurable && peers_[id].view.reconciled)) {
      continue;
    }
    text +=
        std::exchange(separator, "; ") + (push.peers[id] == Holding::kConflict
                                              ? name_of(id) + " holds other content under this name"
                                              : peer_trouble(id, now));
  }
  return text;
}

}  // namespace pgwalship
