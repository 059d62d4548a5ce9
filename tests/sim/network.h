// The network between the nodes: sessions that carry bytes both ways in order, late, in any pieces,
// through partitions that may cut one direction only. A session breaks for one side first; the
// other goes on with what it got, and may hear of it much later or never (half-open).
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "tests/sim/schedule.h"
#include "topology/node_list.h"

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace pgwalship::sim {

// One end of a session, held by one process.
class Endpoint {
 public:
  // What has arrived; nothing when nothing has. The end of the stream is no piece.
  std::optional<Bytes> receive();
  bool has_input() const { return !inbox_.empty(); }
  bool at_end() const { return inbox_.empty() && ended_; }
  // Called when something arrived, the stream ended, or there is room to send again.
  std::function<void()> on_change;

  // False when so much is on its way that a sender should wait.
  bool has_room() const;
  void send(ByteView bytes);
  // The other end hears of it, sooner or later; of what was sent, the end may be lost.
  void close();

 private:
  friend class Network;

  class Network* network_ = nullptr;
  NodeId node_ = 0;
  std::weak_ptr<Endpoint> self_;
  std::weak_ptr<Endpoint> other_;
  std::deque<Bytes> on_the_way_;  // to the other end
  bool moving_ = false;           // the first piece is about to arrive
  std::size_t unread_bytes_ = 0;  // sent by this end and not yet received by the other
  std::deque<Bytes> inbox_;
  bool ended_ = false;
  bool closed_ = false;
};

using EndpointRef = std::shared_ptr<Endpoint>;

class Network {
 public:
  explicit Network(Schedule& schedule) : schedule_(schedule) {}

  // Bytes from `from` to `to` wait while it is cut.
  void cut(NodeId from, NodeId to) { cut_.emplace(from, to); }
  void mend(NodeId from, NodeId to) { cut_.erase({from, to}); }
  void mend_all() { cut_.clear(); }
  bool is_cut(NodeId from, NodeId to) const { return cut_.contains({from, to}); }
  // Pieces travel this long.
  void set_delay(Duration low, Duration high);
  // From now on pieces from `from` to `to` take so much longer: clogged.
  void set_clog(NodeId from, NodeId to, Duration extra);
  void unclog_all() { clogs_.clear(); }

  // The connecting end first.
  std::pair<EndpointRef, EndpointRef> connect(NodeId from, NodeId to);
  // Breaks a session that is open, at random, in the middle of what is on its way; who hears of
  // it, and when, is left to the dice.
  void break_any();
  // Nobody on a machine that crashed says goodbye. Before its processes are killed.
  void machine_lost(NodeId node);

 private:
  friend class Endpoint;
  enum class Notice { kSoon, kLate };

  void move(const EndpointRef& from);
  void arrive(const EndpointRef& from);
  // No more bytes after what still gets through.
  void stop(Endpoint& from);
  void tell_end(const EndpointRef& endpoint, Notice notice);
  std::vector<EndpointRef> open_sessions();

  Schedule& schedule_;
  Duration delay_low_ = microseconds(100);
  Duration delay_high_ = milliseconds(3);
  std::set<std::pair<NodeId, NodeId>> cut_;
  std::map<std::pair<NodeId, NodeId>, Duration> clogs_;
  std::vector<std::weak_ptr<Endpoint>> sessions_;  // the connecting ends
};

}  // namespace pgwalship::sim
