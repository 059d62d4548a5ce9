// PeerLink over SSH: a thread that owns one SshSession at a time, connects, greets, keeps alive,
// sends, receives, and reconnects with exponential back-off and jitter. Names are resolved at each
// connect, on this thread, never in the way of a push.
#pragma once

#include "base/clock.h"
#include "base/mailbox.h"
#include "base/random.h"
#include "transport/peer_link.h"
#include "transport/ssh_session.h"

#include <atomic>
#include <thread>

namespace pgwalship {

class SshLink final : public PeerLink {
 public:
  struct Options {
    SshSession::Options session;
    Hello mine;
    std::string peer;                           // the node name that the other side must claim
    std::chrono::milliseconds keepalive{3000};  // lost after three silent intervals
    // The receiver's start on a busy peer takes longer than an answer.
    std::chrono::milliseconds greeting_timeout{10000};
    std::chrono::milliseconds back_off_min{200};
    std::chrono::milliseconds back_off_max{5000};
    std::uint64_t seed = 0;
  };

  SshLink(const Clock& clock, Options options);
  ~SshLink() override;  // ends the session and joins the thread, within about one connect_timeout

  // All calls on one thread (the loop). Sending never blocks. REQUIRES: far less than 65,536
  // requests at a time. Events that nobody takes stop the link from reading: back-pressure for the
  // peer. A file that cannot be read is answered by a Done with the reason.

  void send(Message message) override;
  void send_file(OutgoingFile file) override;
  void greet_with(Hello mine) override;
  // Another way to the same peer, or other terms: `session` and `keepalive` of `options`. A session
  // that was made in another way ends, and the next one is tried at once.
  void go_by(const Options& options);
  int event_fd() const override;
  std::optional<LinkEvent> next_event() override;
  LinkCounters counters() const override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pgwalship
