// SshLink through a real sshd to a scripted receiver.
#include "transport/ssh_link.h"

#include "base/posix_file_system.h"
#include "tests/support/loopback_listener.h"
#include "tests/support/throwaway_sshd.h"
#include "wal/digest.h"

#include <gtest/gtest.h>

#include <poll.h>
#include <signal.h>

namespace pgwalship {
namespace {

using namespace std::chrono_literals;

constexpr int kDataPerGet = 1500;
const std::string kReceiver = SCRIPTED_RECEIVER " pgdb2 1500";

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

class SshLinkTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!ThrowawaySshd::available()) {
      GTEST_SKIP() << "openssh-server is not installed";
    }
    sshd_ = std::make_unique<ThrowawaySshd>(kReceiver);
    options_.session = {.host = sshd_->host(),
                        .port = sshd_->port(),
                        .user = sshd_->user(),
                        .identity = sshd_->identity(),
                        .known_hosts = sshd_->known_hosts(),
                        .ciphers = {},
                        .connect_timeout = 10s,
                        .command = "pgwalship receive --from pgdb1"};
    options_.mine.role = Role::kDaemon;
    options_.mine.node = "pgdb1";
    options_.mine.cluster = "main";
    options_.peer = "pgdb2";
    options_.keepalive = 3s;
    options_.greeting_timeout = 20s;
    options_.back_off_min = 10ms;
    options_.back_off_max = 40ms;
  }

  void open() { link_ = std::make_unique<SshLink>(clock_, options_); }
  void open_and_come_up() {
    open();
    expect_up();
  }

  // The next event, or nothing after `limit`.
  std::optional<LinkEvent> next_event(std::chrono::milliseconds limit = 30s) {
    pollfd fd{link_->event_fd(), POLLIN, 0};
    ::poll(&fd, 1, static_cast<int>(limit.count()));
    return link_->next_event();
  }

  void expect_up() {
    const auto event = next_event();
    ASSERT_TRUE(event) << sshd_->log();
    if (const auto* down = std::get_if<LinkDown>(&*event)) {
      FAIL() << down->reason.text() << "\n" << sshd_->log();
    }
    ASSERT_TRUE(std::holds_alternative<LinkUp>(*event));
    EXPECT_EQ(std::get<LinkUp>(*event).theirs.node, "pgdb2");
  }

  Error expect_down() {
    const auto event = next_event();
    if (!event || !std::holds_alternative<LinkDown>(*event)) {
      ADD_FAILURE() << "no LinkDown\n" << sshd_->log();
      return {};
    }
    return std::get<LinkDown>(*event).reason;
  }

  template <typename Answer>
  Answer expect_answer() {
    const auto event = next_event();
    const Message* message = event ? std::get_if<Message>(&*event) : nullptr;
    if (message == nullptr || !std::holds_alternative<Answer>(*message)) {
      ADD_FAILURE() << "another event, or none\n" << sshd_->log();
      return {};
    }
    return std::get<Answer>(*message);
  }

  OutgoingFile file(std::uint64_t id, std::size_t bytes, Priority priority = Priority::kFresh) {
    const std::string path = directory_.file(std::to_string(id));
    auto written = files_.create(path).value();
    const Bytes content(bytes, std::byte{'x'});
    EXPECT_TRUE(written->write_at(0, content).ok());
    return {Put{id, WalName::parse("000000010000000000000001").value(), bytes, {}},
            files_.open(path).value(), crc32(0, content), priority};
  }

  // Polls until the condition holds; false after a long time.
  template <typename Condition>
  static bool eventually(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + 30s;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) {
        return false;
      }
      ::poll(nullptr, 0, 5);
    }
    return true;
  }

  // How often sshd wrote `text` to its log.
  std::size_t logged(std::string_view text) const {
    const std::string log = sshd_->log();
    std::size_t count = 0;
    for (std::size_t at = log.find(text); at != std::string::npos; at = log.find(text, at + 1)) {
      ++count;
    }
    return count;
  }

  SystemClock clock_;
  PosixFileSystem files_;
  TempDir directory_;
  std::unique_ptr<ThrowawaySshd> sshd_;
  SshLink::Options options_;
  std::unique_ptr<SshLink> link_;
};

TEST_F(SshLinkTest, ComesUpAndCarriesManyFilesAtOnce) {
  open_and_come_up();
  for (std::uint64_t id = 1; id <= 20; ++id) {
    link_->send_file(file(id, id * 50'000));
  }
  for (std::uint64_t id = 1; id <= 20; ++id) {
    const Done done = expect_answer<Done>();
    EXPECT_EQ(done.id, id);
    EXPECT_FALSE(done.error) << done.error->text();
  }
  EXPECT_GT(link_->counters().bytes_sent, 210U * 50'000U);
  EXPECT_GT(link_->counters().bytes_received, 0U);
  EXPECT_EQ(link_->counters().connects, 1U);
}

TEST_F(SshLinkTest, AFreshFileOvertakesACatchUp) {
  open_and_come_up();
  link_->send_file(file(1, 64U << 20, Priority::kCatchUp));
  ASSERT_TRUE(eventually([&] { return link_->counters().bytes_sent > (1U << 20); }));
  link_->send_file(file(2, 100'000, Priority::kFresh));
  EXPECT_EQ(expect_answer<Done>().id, 2U);
  EXPECT_EQ(expect_answer<Done>().id, 1U);
}

TEST_F(SshLinkTest, AnswersForAFileThatIsShorterThanAnnounced) {
  open_and_come_up();
  OutgoingFile broken = file(7, 1000);
  broken.put.file_bytes = 2000;
  link_->send_file(std::move(broken));
  const Done done = expect_answer<Done>();
  EXPECT_EQ(done.id, 7U);
  ASSERT_TRUE(done.error);
  EXPECT_EQ(done.error->code, Errc::kIo);
}

TEST_F(SshLinkTest, DoesNotSleepOnAWindowThatHasOpened) {
  options_.keepalive = 120s;  // no ping wakes it
  open_and_come_up();
  for (std::uint64_t id = 1; id <= 24; ++id) {
    link_->send_file(file(id, 16U << 20));
  }
  for (std::uint64_t id = 1; id <= 24; ++id) {
    ASSERT_EQ(expect_answer<Done>().id, id);
  }
}

TEST_F(SshLinkTest, CarriesFilesToAPeerThatIsKnownToBeNear) {
  options_.keepalive = 100ms;
  open_and_come_up();
  ASSERT_TRUE(eventually([&] { return link_->counters().round_trip > Duration::zero(); }));
  for (std::uint64_t id = 1; id <= 8; ++id) {
    link_->send_file(file(id, 16U << 20));
  }
  for (std::uint64_t id = 1; id <= 8; ++id) {
    ASSERT_EQ(expect_answer<Done>().id, id);
  }
}

TEST_F(SshLinkTest, CarriesFilesWhileTheServerAsksForNewKeys) {
  sshd_->configure("RekeyLimit 1M");
  sshd_->restart();
  open_and_come_up();
  for (std::uint64_t id = 1; id <= 3; ++id) {
    link_->send_file(file(id, 8U << 20));
    EXPECT_EQ(expect_answer<Done>().id, id);
  }
  EXPECT_EQ(link_->counters().connects, 1U);
}

TEST_F(SshLinkTest, MeasuresTheRoundTrip) {
  options_.keepalive = 500ms;
  open_and_come_up();
  EXPECT_TRUE(eventually([&] { return link_->counters().round_trip > Duration::zero(); }));
}

TEST_F(SshLinkTest, H14FindsAPeerThatIsStopped) {
  options_.keepalive = 500ms;
  open_and_come_up();
  options_.session.connect_timeout = 300ms;
  const auto start = std::chrono::steady_clock::now();
  sshd_->signal_listener(SIGSTOP);
  sshd_->signal_sessions(SIGSTOP);
  const Error reason = expect_down();
  EXPECT_EQ(reason.code, Errc::kTimeout);
  EXPECT_TRUE(contains(reason.message, "is silent")) << reason.text();
  EXPECT_LT(std::chrono::steady_clock::now() - start, 10s);
}

TEST_F(SshLinkTest, H14FindsAStoppedPeerInTheMiddleOfAFile) {
  options_.keepalive = 500ms;
  open_and_come_up();
  link_->send_file(file(1, 64U << 20));
  ASSERT_TRUE(eventually([&] { return link_->counters().bytes_sent > (4U << 20); }));
  const auto start = std::chrono::steady_clock::now();
  sshd_->signal_listener(SIGSTOP);
  sshd_->signal_sessions(SIGSTOP);
  EXPECT_EQ(expect_down().code, Errc::kTimeout);
  EXPECT_LT(std::chrono::steady_clock::now() - start, 10s);
}

TEST_F(SshLinkTest, H14TellsOfAServerThatNeverSpeaksAndEndsAtOnce) {
  const LoopbackListener listener;
  options_.session.port = listener.port();
  options_.session.connect_timeout = 200ms;
  open();
  EXPECT_EQ(expect_down().code, Errc::kTimeout);
  link_.reset();
  options_.session.connect_timeout = 60s;
  open();
  const auto start = std::chrono::steady_clock::now();
  link_.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - start, 10s)
      << "closing does not wait for a time-out";
}

TEST_F(SshLinkTest, H14ComesUpWhenTheClosedPortOpens) {
  sshd_->stop();
  open();
  const Error reason = expect_down();
  EXPECT_TRUE(contains(reason.message, "Connection refused")) << reason.text();
  sshd_->restart();
  // While sshd starts, the reason may change.
  auto event = next_event();
  while (event && std::holds_alternative<LinkDown>(*event)) {
    event = next_event();
  }
  EXPECT_TRUE(event && std::holds_alternative<LinkUp>(*event));
}

TEST_F(SshLinkTest, H23ReconnectsAfterItsSessionWasKilled) {
  open_and_come_up();
  for (unsigned round = 1; round <= 3; ++round) {
    sshd_->signal_sessions(SIGKILL);
    EXPECT_TRUE(contains(expect_down().message, "connection to 127.0.0.1")) << "round " << round;
    expect_up();
    link_->send_file(file(round, 100'000));
    EXPECT_FALSE(expect_answer<Done>().error);
    EXPECT_EQ(link_->counters().connects, round + 1);
  }
}

TEST_F(SshLinkTest, H23DropsWhatWasMeantForASessionThatIsGone) {
  open_and_come_up();
  sshd_->signal_sessions(SIGKILL);
  ASSERT_TRUE(eventually([&] { return link_->counters().connects == 2; }));
  // The loop has not heard of it yet.
  link_->send(Stat{1, WalName::parse("000000010000000000000001").value()});
  link_->send_file(file(2, 1000));
  expect_down();
  link_->send(Stat{3, WalName::parse("000000010000000000000001").value()});
  expect_up();
  link_->send(Stat{4, WalName::parse("000000010000000000000001").value()});
  EXPECT_EQ(expect_answer<StatResult>().id, 4U);
}

TEST_F(SshLinkTest, H48ReportsAForcedCommandThatFailsOnce) {
  sshd_->set_forced_command("/bin/false");
  open();
  const Error reason = expect_down();
  EXPECT_TRUE(contains(reason.message, "exit status 1")) << reason.text();
  EXPECT_TRUE(contains(reason.hint, "authorized_keys")) << reason.text();
  EXPECT_TRUE(eventually([&] { return logged("Accepted publickey") >= 5; }));
  EXPECT_FALSE(next_event(0ms)) << "five times the same reason is one event";
}

TEST_F(SshLinkTest, H48ReportsEachNewReasonOnce) {
  sshd_->set_forced_command("/bin/false");
  open();
  expect_down();
  sshd_->set_forced_command("echo mounting >&2; exit 9");
  EXPECT_TRUE(contains(expect_down().message, "mounting"));
  sshd_->set_forced_command(kReceiver);
  expect_up();
}

TEST_F(SshLinkTest, H44ShowsWhatAForcedCommandSaysThatIsNoReceiver) {
  sshd_->set_forced_command("echo hello");
  open();
  const Error reason = expect_down();
  EXPECT_TRUE(contains(reason.message, "no pgwalship receiver")) << reason.text();
  EXPECT_TRUE(contains(reason.message, "'hello'")) << reason.text();
  EXPECT_TRUE(contains(reason.hint, "restrict,command=")) << reason.text();
}

TEST_F(SshLinkTest, H44RefusesAnotherNodeThanTheExpectedOne) {
  sshd_->set_forced_command(SCRIPTED_RECEIVER " pgdb3 1");
  open();
  const Error reason = expect_down();
  EXPECT_EQ(reason.code, Errc::kInvalid);
  EXPECT_TRUE(contains(reason.message, "'pgdb3' answers where 'pgdb2' should")) << reason.text();
}

TEST_F(SshLinkTest, GreetsWithWhatItWasToldLastAndEndsWhatDoesNotGoWithIt) {
  open_and_come_up();
  Hello mine = options_.mine;
  mine.cluster = "other";
  link_->greet_with(mine);
  EXPECT_TRUE(contains(expect_down().message, "of cluster 'other'"));
  link_->greet_with(options_.mine);
  expect_up();
}

TEST_F(SshLinkTest, GoesByAnotherWayAtOnce) {
  const std::uint16_t right = options_.session.port;
  const LoopbackListener wrong;
  options_.session.connect_timeout = 200ms;
  options_.session.port = wrong.port();
  options_.back_off_min = options_.back_off_max = 60s;  // it does not wait for the next try
  open();
  EXPECT_EQ(expect_down().code, Errc::kTimeout);
  options_.session.connect_timeout = 10s;
  options_.session.port = right;
  link_->go_by(options_);
  expect_up();
  link_->go_by(options_);  // the same: the session stays
  link_->send_file(file(1, 100'000));
  EXPECT_FALSE(expect_answer<Done>().error);
  options_.session.port = wrong.port();
  link_->go_by(options_);
  EXPECT_TRUE(contains(expect_down().message, "another way")) << sshd_->log();
}

TEST_F(SshLinkTest, H44TellsOfAChangedHostKeyOnceAndRecoversWhenItIsBack) {
  sshd_->replace_host_key();
  sshd_->restart();
  open();
  const Error reason = expect_down();
  EXPECT_EQ(reason.code, Errc::kInvalid);
  EXPECT_TRUE(contains(reason.message, "is not the pinned one")) << reason.text();
  EXPECT_TRUE(eventually([&] { return logged("Connection from") >= 5; }));
  EXPECT_FALSE(next_event(0ms));
  sshd_->pin_host_key();
  expect_up();
}

TEST_F(SshLinkTest, H44TellsOfARefusedKeyAndRecoversWhenItIsAuthorized) {
  sshd_->revoke_client_key();
  open();
  const Error reason = expect_down();
  EXPECT_EQ(reason.code, Errc::kInvalid);
  EXPECT_TRUE(contains(reason.message, "is refused")) << reason.text();
  sshd_->set_forced_command(kReceiver);
  expect_up();
}

TEST_F(SshLinkTest, StopsReadingWhileNobodyTakesEventsAndLosesNothing) {
  options_.keepalive = 500ms;
  open_and_come_up();
  link_->send(Get{1, WalName::parse("000000010000000000000001").value()});
  // Stalled for longer than a silent peer is given.
  std::uint64_t received = 0;
  auto since = std::chrono::steady_clock::now();
  ASSERT_TRUE(eventually([&] {
    if (const auto now = link_->counters().bytes_received; now != received || now == 0) {
      received = now;
      since = std::chrono::steady_clock::now();
    }
    return std::chrono::steady_clock::now() - since > 2s;
  }));
  EXPECT_LT(received, kDataPerGet * kDataBytesMax / 2) << "bounded";
  EXPECT_EQ(expect_answer<GetBegin>().id, 1U);
  for (int i = 0; i < kDataPerGet; ++i) {
    ASSERT_EQ(expect_answer<Data>().bytes.size(), kDataBytesMax) << i;
  }
  EXPECT_EQ(expect_answer<GetEnd>().id, 1U);
  EXPECT_EQ(link_->counters().connects, 1U);
}

}  // namespace
}  // namespace pgwalship
