// All links of this daemon, by NodeId: hands out request ids and brings each answer to whoever
// asked. Loop thread only; handlers run there.
//
// A peer may have several links. The first one is the peer: questions go by it, and when it is down
// the peer is. Files are spread over all that are up: one SSH session moves no more than a window
// (2 MiB with OpenSSH) in a round trip, however wide the line is.
#pragma once

#include "base/event_loop.h"
#include "topology/node_list.h"
#include "transport/answers.h"
#include "transport/peer_link.h"

#include <functional>
#include <map>
#include <memory>
#include <vector>

namespace pgwalship {

class LinkSet {
 public:
  // Who listens to the coming and going of peers. Called before any answer of that session.
  class Observer {
   public:
    virtual ~Observer() = default;
    virtual void on_up(NodeId peer, const Hello& theirs) = 0;
    virtual void on_down(NodeId peer, const Error& reason) = 0;
  };
  // Gets every answer that carries the id, until forget() or the end of the session (which the
  // Observer hears of; no answer comes after that). What is no answer to that request becomes a
  // Done with kProtocol, which ends it.
  using AnswerHandler = std::function<void(Message answer)>;

  explicit LinkSet(EventLoop& loop) : loop_(loop) {}
  ~LinkSet();
  LinkSet(const LinkSet&) = delete;
  LinkSet& operator=(const LinkSet&) = delete;

  // The peer's first link, or one more.
  Result<void> add(NodeId peer, std::unique_ptr<PeerLink> link);
  void observe(Observer& observer) { observers_.push_back(&observer); }

  void greet_with(const Hello& mine);  // PeerLink's, for every link

  bool is_up(NodeId peer) const;
  // The Hello of the current or last session; nullptr when there was none.
  const Hello* hello(NodeId peer) const;
  struct Count {
    std::size_t up = 0;
    std::size_t all = 0;
  };
  Count links_of(NodeId peer) const;
  LinkCounters counters(NodeId peer) const;  // bytes of all its links, the rest of the first

  // Sends a request with a new id, which `make` puts into it. REQUIRES: is_up(peer).
  std::uint64_t request(NodeId peer, const std::function<Message(std::uint64_t id)>& make,
                        AnswerHandler on_answer);
  // Sends a file under a new id, by the link that has the fewest bytes of files to send. Answered
  // by a Done with kRetry when that one is lost, and not the first. REQUIRES: is_up(peer).
  std::uint64_t send_file(NodeId peer, OutgoingFile file, AnswerHandler on_answer);
  void forget(NodeId peer, std::uint64_t id);

 private:
  struct Link {
    std::unique_ptr<PeerLink> link;
    bool up = false;
    std::uint64_t open_bytes = 0;  // of files that are not answered
  };
  struct Request {
    AnswerHandler on_answer;
    AnswerCheck may_be = nullptr;
    std::size_t link = 0;
    std::uint64_t file_bytes = 0;
  };
  struct Entry {
    std::vector<Link> links;  // never empty
    std::optional<Hello> hello;
    std::map<std::uint64_t, Request> open;
  };
  using OpenRequest = std::map<std::uint64_t, Request>::iterator;

  void on_events(NodeId peer, std::size_t link);
  void on_first_down(NodeId peer, const Error& reason);
  void on_other_down(Entry& entry, std::size_t link, const Error& reason);
  void on_message(Entry& entry, Message message);
  static Request close(Entry& entry, OpenRequest request);

  EventLoop& loop_;
  std::uint64_t next_id_ = 1;
  std::map<NodeId, Entry> entries_;
  std::vector<Observer*> observers_;
};

}  // namespace pgwalship
