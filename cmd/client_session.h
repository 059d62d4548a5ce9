// The daemon's side of one client on the unix socket: messages in, calls of the services, answers
// out. What breaks the protocol ends this session and nothing else. Loop thread only.
#pragma once

#include "archiver/expire_service.h"
#include "archiver/look_ahead_service.h"
#include "archiver/probe_service.h"
#include "archiver/push_service.h"
#include "archiver/reconcile_service.h"
#include "restorer/fetch_service.h"
#include "transport/local_socket.h"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace pgwalship {

class ClientSession : public std::enable_shared_from_this<ClientSession> {
 public:
  struct Services {
    EventLoop& loop;
    PushService& pushes;
    FetchService& fetches;
    ExpireService& expiry;
    LookAheadService* look_ahead;  // null when it is off
    ProbeService& probes;
    ReconcileService& reconciling;
    // Gives the status report in that format to the handler, from a later turn of the loop.
    std::function<void(StatusFormat, std::function<void(std::string)>)> status;
  };

  // Held by shared_ptr because answers may come after the client has gone: they find a weak_ptr.
  static Result<std::shared_ptr<ClientSession>> start(Fd socket, Hello mine, Services& services);
  ~ClientSession();
  ClientSession(const ClientSession&) = delete;
  ClientSession& operator=(const ClientSession&) = delete;

  // True when it is over and may be dropped.
  bool ended() const { return ended_; }
  // Goes on with a client that had to wait for the disk; ends one that never greeted.
  void tick(TimePoint now);
  // When it must be ticked for its own sake.
  TimePoint next_wakeup() const { return greeted_ || ended_ ? kNever : greet_by_; }

 private:
  // A Put from its first message to the later of Done and PutEnd.
  struct OpenPush {
    PushId push = 0;
    WalName name;
    bool answered = false;  // Done is out: the push is over
    bool ended = false;     // PutEnd has come
  };

  ClientSession(Fd socket, Hello mine, Services& services);

  void on_ready(EventLoop::Ready ready);
  void read_messages();
  void on_message(const Message& message);
  void on(const Hello& hello);
  void on(const Put& put);
  void on(const Data& data);
  void on(const PutEnd& end);
  void on(const Fetch& fetch);
  void on(const StatusQuery& query);
  void on(const Restored& hint);
  void on(const Get& get);
  void on(const ExpireQuery& query);
  void on(const Claim& claim);
  void answer_push(std::uint64_t id, const Result<std::string>& verdict);
  void answer(std::uint64_t id, const Result<std::string>& verdict);
  void tell_ended(const WalName& name);
  OpenPush* coming(std::uint64_t id, std::string_view what);
  void on(const ProbeQuery& query);
  void on(const ReconcileQuery& query);
  template <typename Report>
  void answer_report(std::uint64_t id, const Result<Report>& report);
  void send(const Message& message);
  void fail(const Error& error);
  void update_interest();
  bool take_question();
  bool must_wait() const;
  void end();

  Fd socket_;
  Hello mine_;
  Services& services_;
  MessageStream stream_;
  TimePoint greet_by_;
  bool greeted_ = false;
  bool failed_ = false;  // a Failure is on its way out: the session ends when it has gone
  bool ended_ = false;
  std::map<std::uint64_t, OpenPush> pushes_;  // by the client's id
  std::map<std::uint64_t, ClaimId> claims_;   // as well
  std::size_t open_questions_ = 0;            // fetches and queries without an answer
  std::size_t relays_ = 0;                    // Gets so far: each further one tries another peer
};

}  // namespace pgwalship
