#include "transport/ssh_link.h"

#include "transport/back_off.h"
#include "transport/conversation.h"
#include "transport/unread_limit.h"

#include <algorithm>
#include <deque>
#include <poll.h>
#include <utility>

namespace pgwalship {

namespace {

// The core bounds what it has open on a link far below this; it is our bug when it does not.
constexpr std::size_t kCommandsMax = 65536;
// The Data of a Get are the largest events: 64 KiB each, 16 MiB in all, before the link stops
// reading and the peer's window fills.
constexpr std::size_t kEventsMax = 256;
constexpr std::size_t kReadBytes = 64 * 1024;
// Per turn, so that a peer that sends without end does not keep the link from writing, nor one that
// takes without end from reading.
constexpr int kReadsPerTurn = 64;
constexpr int kWritesPerTurn = 16;
// While keys are exchanged anew, an open window takes nothing, and nothing tells when it does
// again.
constexpr std::chrono::milliseconds kRekeyPause{5};
constexpr std::chrono::milliseconds kPollMax{60'000};

std::string command_hint(const SshLink::Options& options) {
  return "authorized_keys of " + options.session.user + " on " + options.peer +
         " must give this node's key: restrict,command=\"" PGWALSHIP_CLIENT_PATH
         " receive --from " +
         options.mine.node + "\"; and that user's shell start-up files must print nothing";
}

}  // namespace

struct SshLink::Impl {
  // Sessions that came up are numbered from 1. A command belongs to the session that the loop saw
  // up when it gave it: when that has ended it is dropped, and not sent in the next one.
  struct OwnHello {  // belongs to no session
    Hello mine;
  };
  struct Terms {  // neither
    SshSession::Options session;
    std::chrono::milliseconds keepalive{};
  };
  struct Command {
    std::uint64_t session = 0;
    std::variant<Message, OutgoingFile, OwnHello, Terms> what;
  };
  struct Event {
    std::uint64_t session = 0;
    LinkEvent what;
  };

  Impl(const Clock& a_clock, Options some_options)
      : clock(a_clock),
        options(std::move(some_options)),
        mine(options.mine),
        back_off({.min = options.back_off_min, .max = options.back_off_max}, options.seed) {
    options.session.cancel_fd = stop_event.get();
  }

  void run();
  Error run_session();
  Result<void> take_turn(SshSession& ssh, Conversation& talk);
  Result<void> take_commands(Conversation* talk);
  Result<void> take_terms(Terms terms);
  enum class Progress { kBlocked, kMore };
  Progress write(SshSession& ssh, Conversation& talk);
  Result<Progress> read(SshSession& ssh, Conversation& talk);
  void collect_events(Conversation& talk);
  bool offer_events();
  void report_down(const Error& reason);
  void wait(int ssh_fd, int ssh_events, TimePoint until);

  // Constant after construction, but for what Terms change, on the link thread.
  const Clock& clock;
  Options options;

  // Any thread.
  Mailbox<Command> commands{kCommandsMax};
  Mailbox<Event> events{kEventsMax};
  Fd stop_event = make_eventfd();
  Fd room_event = make_eventfd();  // the loop has taken an event while the link waited for room
  std::atomic<bool> stopping{false};
  std::atomic<bool> wants_room{false};
  std::atomic<std::uint64_t> bytes_sent{0};
  std::atomic<std::uint64_t> bytes_received{0};
  std::atomic<std::uint64_t> connects{0};
  std::atomic<Duration::rep> round_trip{0};

  // Loop thread only.
  std::uint64_t loop_session = 0;  // the session that the loop sees up; 0: none

  // Link thread only.
  Hello mine;  // what the next greeting says
  BackOff back_off;
  std::uint64_t session = 0;  // the last that came up
  bool new_way = false;       // Terms came that are worth a try at once
  Bytes buffer = Bytes(kReadBytes);
  std::deque<Event> waiting;  // for room in `events`
  UnreadLimit unread;
  bool write_stalled = false;
  bool refused_while_open = false;  // by the last write that took nothing
  bool reported_up = false;
  std::optional<std::string> reported_reason;

  std::thread thread;  // last: it uses all of the above
};

void SshLink::Impl::run() {
  while (!stopping) {
    const Error reason = run_session();
    if (stopping) {
      return;
    }
    report_down(reason);
    // What somebody has to change first is not tried often; it is reported once.
    const auto pause = reason.code == Errc::kInvalid ? back_off.longest() : back_off.next();
    const TimePoint until = clock.now() + pause;
    while (!stopping && !new_way && clock.now() < until) {
      std::ignore = take_commands(nullptr);  // tells what ends a session, and there is none
      if (!new_way) {
        wait(-1, 0, until);
      }
    }
  }
}

Error SshLink::Impl::run_session() {
  std::ignore = take_commands(nullptr);
  new_way = false;
  Result<std::unique_ptr<SshSession>> ssh = SshSession::connect(options.session);
  if (!ssh.ok()) {
    return ssh.error();
  }
  ++connects;
  // Our Hello may have changed meanwhile, or the way to the peer.
  if (const Result<void> unchanged = take_commands(nullptr); !unchanged.ok()) {
    return unchanged.error();
  }
  const TimePoint start = clock.now();
  Conversation talk({.mine = mine,
                     .peer = options.peer,
                     .keepalive = options.keepalive,
                     .greeting_timeout = options.greeting_timeout,
                     .command_hint = command_hint(options)},
                    start);
  write_stalled = false;
  unread = {};
  Result<void> outcome;
  while (outcome.ok() && !stopping) {
    outcome = take_turn(*ssh.value(), talk);
  }
  collect_events(talk);  // answers that came before the end are valid
  // A peer that greets and dies at once is no reason to try again quickly.
  if (talk.greeted() && clock.now() - start >= options.back_off_max) {
    back_off.reset();
  }
  return outcome.ok() ? Error{Errc::kRetry, "the link is closed", ""} : outcome.error();
}

Result<void> SshLink::Impl::take_turn(SshSession& ssh, Conversation& talk) {
  TRY(take_commands(&talk));
  talk.tick(clock.now());
  const Progress written = write(ssh, talk);
  collect_events(talk);
  // After the write, which may have taken from the socket what poll then no longer tells of.
  Progress taken = Progress::kBlocked;
  if (offer_events()) {
    TRY_ASSIGN(taken, read(ssh, talk));
  } else {
    talk.on_life(clock.now());  // it is us who do not listen
  }
  TRY(talk.check_alive(clock.now()));
  if (written == Progress::kMore || taken == Progress::kMore) {
    return {};
  }
  const bool held_back = talk.has_output() && ssh.holds_back();
  TimePoint until =
      std::min(talk.next_wakeup(), unread.on_turn(held_back, bytes_sent, clock.now()));
  if (talk.has_output() && ssh.can_take()) {  // it has opened since the write
    if (!refused_while_open) {
      return {};
    }
    until = std::min(until, clock.now() + kRekeyPause);
  }
  const int interest = (waiting.empty() ? POLLIN : 0) | (ssh.wants_write() ? POLLOUT : 0);
  wait(interest == 0 ? -1 : ssh.fd(), interest, until);
  return {};
}

// Without a conversation, or before its greeting, nothing can be for the current session.
Result<void> SshLink::Impl::take_commands(Conversation* talk) {
  while (std::optional<Command> command = commands.try_pop()) {
    const bool current = talk != nullptr && talk->greeted() && command->session == session;
    if (auto* own = std::get_if<OwnHello>(&command->what)) {
      mine = std::move(own->mine);
      TRY(talk != nullptr ? talk->on_own_hello(mine) : Result<void>());
    } else if (auto* terms = std::get_if<Terms>(&command->what)) {
      TRY(take_terms(std::move(*terms)));
    } else if (auto* file = std::get_if<OutgoingFile>(&command->what); file != nullptr && current) {
      talk->add(std::move(*file));
    } else if (auto* message = std::get_if<Message>(&command->what);
               message != nullptr && current) {
      talk->add(std::move(*message));
    }
  }
  return {};
}

Result<void> SshLink::Impl::take_terms(Terms terms) {
  terms.session.cancel_fd = options.session.cancel_fd;
  options.keepalive = terms.keepalive;
  if (terms.session == options.session) {
    return {};
  }
  options.session = std::move(terms.session);
  new_way = true;
  back_off.reset();
  return Error{Errc::kRetry, "the configuration names another way to " + options.peer, ""};
}

SshLink::Impl::Progress SshLink::Impl::write(SshSession& ssh, Conversation& talk) {
  ssh.set_unread_max(unread.bytes(clock.now()));
  for (int turn = 0; turn < kWritesPerTurn; ++turn) {
    if (ssh.wants_write()) {
      std::ignore = ssh.write_some({});  // the reason of a failure comes with the next read
      if (ssh.wants_write()) {
        return Progress::kBlocked;
      }
    }
    const ByteView output = talk.output();
    if (output.empty()) {
      return Progress::kBlocked;
    }
    const bool was_open = ssh.can_take();
    const Result<std::size_t> taken = ssh.write_some(output);
    if (!taken.ok() || taken.value() == 0) {
      refused_while_open = was_open;
      write_stalled = true;
      return Progress::kBlocked;
    }
    refused_while_open = false;
    if (std::exchange(write_stalled, false)) {
      talk.on_life(clock.now());
    }
    bytes_sent += taken.value();
    talk.on_written(taken.value());
  }
  return Progress::kMore;
}

Result<SshLink::Impl::Progress> SshLink::Impl::read(SshSession& ssh, Conversation& talk) {
  for (int turn = 0; turn < kReadsPerTurn; ++turn) {
    const Result<std::size_t> got = ssh.read_some(buffer);
    if (!got.ok()) {
      return talk.on_end(got.error());
    }
    if (got.value() == 0) {
      return Progress::kBlocked;
    }
    bytes_received += got.value();
    TRY(talk.on_bytes(ByteView(buffer).first(got.value()), clock.now()));
    collect_events(talk);
    if (!offer_events()) {
      return Progress::kBlocked;
    }
  }
  return Progress::kMore;
}

void SshLink::Impl::collect_events(Conversation& talk) {
  for (LinkEvent& event : std::exchange(talk.events(), {})) {
    if (std::holds_alternative<LinkUp>(event)) {
      ++session;
      reported_up = true;
      reported_reason.reset();
    }
    waiting.push_back({session, std::move(event)});
  }
  if (const auto measured = talk.round_trip()) {
    round_trip = measured->count();
    unread.on_round_trip(*measured);
  }
}

// True when none is left over. The flag is set before the second try: room that is made between
// the two would otherwise wake nobody.
bool SshLink::Impl::offer_events() {
  while (!waiting.empty()) {
    if (!events.try_push(waiting.front())) {
      wants_room = true;
      if (!events.try_push(waiting.front())) {
        return false;
      }
    }
    waiting.pop_front();
  }
  return true;
}

void SshLink::Impl::report_down(const Error& reason) {
  if (reported_up || reported_reason != reason.text()) {
    waiting.push_back({0, LinkDown{reason}});
    reported_up = false;
    reported_reason = reason.text();
  }
  while (!offer_events() && !stopping) {
    std::ignore = take_commands(nullptr);
    wait(-1, 0, kNever);
  }
}

void SshLink::Impl::wait(int ssh_fd, int ssh_events, TimePoint until) {
  const TimePoint now = clock.now();
  const auto left = until == kNever
                        ? kPollMax
                        : std::clamp(std::chrono::ceil<std::chrono::milliseconds>(until - now),
                                     std::chrono::milliseconds(0), kPollMax);
  pollfd fds[] = {{ssh_fd, static_cast<short>(ssh_events), 0},
                  {commands.event_fd(), POLLIN, 0},
                  {stop_event.get(), POLLIN, 0},
                  {room_event.get(), POLLIN, 0}};
  std::ignore = ::poll(fds, std::size(fds), static_cast<int>(left.count()));  // a signal: next turn
  if (fds[3].revents != 0) {
    clear_eventfd(room_event.get());
  }
}

SshLink::SshLink(const Clock& clock, Options options)
    : impl_(std::make_unique<Impl>(clock, std::move(options))) {
  impl_->thread = std::thread([impl = impl_.get()] { impl->run(); });
}

SshLink::~SshLink() {
  impl_->stopping = true;
  signal_eventfd(impl_->stop_event.get());
  impl_->thread.join();
}

void SshLink::send(Message message) {
  if (impl_->loop_session != 0) {
    Impl::Command command{impl_->loop_session, std::move(message)};
    CHECK(impl_->commands.try_push(command));
  }
}

void SshLink::send_file(OutgoingFile file) {
  if (impl_->loop_session != 0) {
    Impl::Command command{impl_->loop_session, std::move(file)};
    CHECK(impl_->commands.try_push(command));
  }
}

void SshLink::greet_with(Hello mine) {
  Impl::Command command{0, Impl::OwnHello{std::move(mine)}};
  CHECK(impl_->commands.try_push(command));
}

void SshLink::go_by(const Options& options) {
  Impl::Command command{0, Impl::Terms{options.session, options.keepalive}};
  CHECK(impl_->commands.try_push(command));
}

int SshLink::event_fd() const {
  return impl_->events.event_fd();
}

std::optional<LinkEvent> SshLink::next_event() {
  std::optional<Impl::Event> event = impl_->events.try_pop();
  if (!event) {
    return std::nullopt;
  }
  if (impl_->wants_room.exchange(false)) {
    signal_eventfd(impl_->room_event.get());
  }
  if (std::holds_alternative<LinkUp>(event->what)) {
    impl_->loop_session = event->session;
  } else if (std::holds_alternative<LinkDown>(event->what)) {
    impl_->loop_session = 0;
  }
  return std::move(event->what);
}

LinkCounters SshLink::counters() const {
  return {.bytes_sent = impl_->bytes_sent,
          .bytes_received = impl_->bytes_received,
          .connects = impl_->connects,
          .round_trip = Duration(impl_->round_trip)};
}

}  // namespace pgwalship
