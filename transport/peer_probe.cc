#include "transport/peer_probe.h"

#include "transport/conversation.h"

#include <algorithm>
#include <poll.h>
#include <tuple>
#include <utility>
#include <variant>

namespace pgwalship {
namespace {

using std::chrono::microseconds;

constexpr std::string_view kAnyCommand = "pgwalship: this key runs any command";
constexpr std::uint64_t kRequestId = 1;
constexpr std::string_view kStored = "pgwalship config --check";
// While the connection takes nothing, nothing tells when it does again.
constexpr std::chrono::milliseconds kFullPause{5};
constexpr std::size_t kReadBytes = std::size_t{64} << 10;

microseconds since(TimePoint start, TimePoint now) {
  return std::chrono::duration_cast<microseconds>(now - start);
}

class ProbeTalk {
 public:
  ProbeTalk(const Clock& clock, ProbeOptions options)
      : clock_(clock), options_(std::move(options)) {}

  PeerProbe run() {
    // With a forced command sshd does not look at this; without one, the answer shows it.
    options_.session.forced_command = std::exchange(options_.session.command, "");
    options_.session.command = "echo '" + std::string(kAnyCommand) + "'";
    options_.session.on_step = [this](SshStep step) { probe_.reached = step; };
    began_ = clock_.now();
    const Result<std::unique_ptr<SshSession>> session = SshSession::connect(options_.session);
    if (!session.ok()) {
      probe_.error = session.error();
      return probe_;
    }
    deadline_ = clock_.now() + options_.patience;
    Conversation talk({.mine = options_.mine,
                       .peer = options_.peer,
                       .keepalive = options_.patience,
                       .greeting_timeout = options_.patience,
                       .command_hint = "show the line that authorized_keys on " + options_.peer +
                                       " needs with: pgwalship keys show"},
                      clock_.now());
    if (const auto talked = converse(*session.value(), talk); !talked.ok()) {
      probe_.error = talked.error();
      probe_.runs_any_command = talked.error().message.find(kAnyCommand) != std::string::npos;
    }
    return probe_;
  }

 private:
  Result<void> converse(SshSession& session, Conversation& talk) {
    while (!answered_) {
      write(session, talk);
      TRY(read(session, talk));
      take_events(talk);
      TRY(talk.check_alive(clock_.now()));
      if (clock_.now() >= deadline_) {
        return Error{Errc::kTimeout, "receiver on " + options_.peer + " does not answer", ""};
      }
      if (!answered_) {
        wait(session, talk.has_output() ? kFullPause : deadline_ - clock_.now());
      }
    }
    return {};
  }

  static void write(SshSession& session, Conversation& talk) {
    while (talk.has_output()) {
      const Result<std::size_t> taken = session.write_some(talk.output());
      if (!taken.ok() || taken.value() == 0) {
        return;  // the reason of a failure comes with the next read
      }
      talk.on_written(taken.value());
    }
  }

  Result<void> read(SshSession& session, Conversation& talk) {
    for (;;) {
      const Result<std::size_t> got = session.read_some(buffer_);
      if (!got.ok()) {
        return talk.on_end(got.error());
      }
      if (got.value() == 0) {
        return {};
      }
      TRY(talk.on_bytes(ByteView(buffer_).first(got.value()), clock_.now()));
    }
  }

  void take_events(Conversation& talk) {
    for (LinkEvent& event : std::exchange(talk.events(), {})) {
      if (auto* up = std::get_if<LinkUp>(&event)) {
        probe_.hello = std::move(up->theirs);
        probe_.connect_time = since(began_, clock_.now());
        asked_ = clock_.now();
        asked_wall_ = clock_.wall();
        talk.add(Message(MachineQuery{kRequestId}));
      } else if (const auto* message = std::get_if<Message>(&event)) {
        take_answer(*message, talk);
      }
    }
  }

  void take_answer(const Message& message, Conversation& talk) {
    if (const auto* facts = std::get_if<MachineFacts>(&message)) {
      take_facts(*facts);
      const ByteView stored = as_bytes(kStored);
      talk.add(Message(Probe{kRequestId, Bytes(stored.begin(), stored.end())}));
      return;
    }
    answered_ = true;
    if (const auto* back = std::get_if<ProbeAnswer>(&message)) {
      probe_.stores = std::ranges::equal(back->bytes, as_bytes(kStored));
    } else if (const auto* done = std::get_if<Done>(&message); done != nullptr && done->error) {
      probe_.error = done->error;
    }
  }

  void take_facts(const MachineFacts& facts) {
    probe_.machine = facts;
    probe_.round_trip = since(asked_, clock_.now());
    const auto ours = std::chrono::duration_cast<microseconds>(asked_wall_.time_since_epoch()) +
                      probe_.round_trip / 2;
    probe_.clock_ahead = microseconds(static_cast<std::int64_t>(facts.clock_us)) - ours;
  }

  static void wait(const SshSession& session, Duration limit) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(limit);
    pollfd fd{session.fd(), static_cast<short>(POLLIN | (session.wants_write() ? POLLOUT : 0)), 0};
    std::ignore = ::poll(&fd, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
  }

  const Clock& clock_;
  ProbeOptions options_;
  PeerProbe probe_;
  TimePoint began_{};
  TimePoint deadline_{};
  TimePoint asked_{};
  WallTime asked_wall_{};
  bool answered_ = false;
  Bytes buffer_ = Bytes(kReadBytes);
};

}  // namespace

PeerProbe probe_peer(const Clock& clock, ProbeOptions options) {
  return ProbeTalk(clock, std::move(options)).run();
}

}  // namespace pgwalship
