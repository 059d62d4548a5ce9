// SshSession against a real sshd.
#include "transport/ssh_session.h"

#include "base/mailbox.h"
#include "tests/support/loopback_listener.h"
#include "tests/support/throwaway_sshd.h"

#include <gtest/gtest.h>

#include <fstream>
#include <future>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace pgwalship {
namespace {

using namespace std::chrono_literals;

class SshSessionTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!ThrowawaySshd::available()) {
      GTEST_SKIP() << "openssh-server is not installed";
    }
    sshd_ = std::make_unique<ThrowawaySshd>("cat");
    options_ = SshSession::Options{.host = sshd_->host(),
                                   .port = sshd_->port(),
                                   .user = sshd_->user(),
                                   .identity = sshd_->identity(),
                                   .known_hosts = sshd_->known_hosts(),
                                   .ciphers = {},
                                   .connect_timeout = 10s,
                                   .command = "pgwalship receive --from pgdb1"};
  }

  std::unique_ptr<SshSession> connected() {
    Result<std::unique_ptr<SshSession>> session = SshSession::connect(options_);
    EXPECT_TRUE(session.ok()) << session.error().text() << "\n" << sshd_->log();
    return session.ok() ? std::move(session).value() : nullptr;
  }

  Error refused() {
    const Result<std::unique_ptr<SshSession>> session = SshSession::connect(options_);
    EXPECT_FALSE(session.ok());
    return session.ok() ? Error{} : session.error();
  }

  static void wait(SshSession& session) {
    const int events = POLLIN | (session.wants_write() ? POLLOUT : 0);
    pollfd fd{session.fd(), static_cast<short>(events), 0};
    ::poll(&fd, 1, 100);
  }

  // All that comes until the end, or until `enough` bytes.
  static std::string read_text(SshSession& session, std::size_t enough, Error* end = nullptr) {
    std::string text;
    const auto deadline = std::chrono::steady_clock::now() + 30s;
    while (text.size() < enough && std::chrono::steady_clock::now() < deadline) {
      std::byte piece[4096];
      const Result<std::size_t> got = session.read_some(piece);
      if (!got.ok()) {
        if (end != nullptr) {
          *end = got.error();
        }
        return text;
      }
      text += as_text({piece, got.value()});
      if (got.value() == 0) {
        wait(session);
      }
    }
    return text;
  }

  std::unique_ptr<ThrowawaySshd> sshd_;
  SshSession::Options options_;
};

constexpr std::size_t kUntilTheEnd = 1U << 30;

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST_F(SshSessionTest, CarriesBytesBothWays) {
  const auto session = connected();
  ASSERT_EQ(session->write_some(as_bytes("hello")).value(), 5U);
  EXPECT_EQ(read_text(*session, 5), "hello");
}

TEST_F(SshSessionTest, RunsTheForcedCommandAndNotTheRequestedOne) {
  sshd_->set_forced_command("echo \\\"asked for: $SSH_ORIGINAL_COMMAND\\\"");
  const auto session = connected();
  EXPECT_EQ(read_text(*session, kUntilTheEnd), "asked for: pgwalship receive --from pgdb1\n");
}

TEST_F(SshSessionTest, CarriesManyMebibytesUnchanged) {
  const auto session = connected();
  std::string sent(24U << 20, '\0');
  for (std::size_t i = 0; i < sent.size(); ++i) {
    sent[i] = static_cast<char>((i * 2654435761U) >> 13U);
  }
  std::string received;
  std::size_t written = 0;
  std::vector<std::byte> piece(1U << 16);
  const auto deadline = std::chrono::steady_clock::now() + 60s;
  while (received.size() < sent.size() && std::chrono::steady_clock::now() < deadline) {
    const std::size_t chunk = std::min<std::size_t>(sent.size() - written, 1U << 16);
    const std::size_t put = session->write_some(as_bytes(sent).subspan(written, chunk)).value();
    written += put;
    const Result<std::size_t> got = session->read_some(piece);
    ASSERT_TRUE(got.ok()) << got.error().text();
    received += as_text(ByteView(piece).first(got.value()));
    if (put == 0 && got.value() == 0) {
      wait(*session);
    }
  }
  EXPECT_TRUE(received == sent);
}

TEST_F(SshSessionTest, H14NeverBlocksOnARemoteThatStopsReading) {
  const auto session = connected();
  sshd_->signal_sessions(SIGSTOP);
  const Bytes chunk(1U << 16);
  std::size_t taken = 0;
  int refusals = 0;
  const auto start = std::chrono::steady_clock::now();
  while (refusals < 3 && taken < (64U << 20)) {
    const std::size_t put = session->write_some(chunk).value();
    taken += put;
    std::byte piece[1];
    ASSERT_TRUE(session->read_some(piece).ok());
    if (put == 0) {
      ++refusals;
      wait(*session);
    }
  }
  EXPECT_EQ(refusals, 3);
  EXPECT_LT(taken, 8U << 20) << "the remote's window bounds what is taken";
  EXPECT_LT(std::chrono::steady_clock::now() - start, 10s);
  sshd_->signal_sessions(SIGKILL);
}

TEST_F(SshSessionTest, SendsNoMoreThanMayWaitThereUnread) {
  const auto session = connected();
  sshd_->signal_sessions(SIGSTOP);
  session->set_unread_max(300'000);
  const Bytes chunk(1U << 16);
  const auto taken = [&] {
    std::size_t sum = 0;
    for (std::size_t put = 1; put > 0; sum += put) {
      put = session->write_some(chunk).value();
    }
    return sum;
  };
  EXPECT_EQ(taken(), 300'000U);
  EXPECT_FALSE(session->can_take());
  EXPECT_TRUE(session->holds_back() || session->wants_write());
  session->set_unread_max(400'000);
  EXPECT_EQ(taken(), 100'000U);
  sshd_->signal_sessions(SIGCONT);
  EXPECT_EQ(read_text(*session, 400'000).size(), 400'000U) << "cat(1) gives it back";
  EXPECT_GT(taken(), 0U) << "what was read counts no more";
  sshd_->signal_sessions(SIGKILL);
}

TEST_F(SshSessionTest, TellsExitStatusAndLastLineOfStderr) {
  sshd_->set_forced_command("printf 'early\\nno archive in /x\\nHINT: mount it\\n' >&2; exit 3");
  const auto session = connected();
  Error end;
  EXPECT_EQ(read_text(*session, kUntilTheEnd, &end), "");
  EXPECT_EQ(end.code, Errc::kRetry);
  EXPECT_EQ(end.message, "receiver on 127.0.0.1 ended (exit status 3): no archive in /x");
  EXPECT_EQ(end.hint, "mount it");
}

TEST_F(SshSessionTest, GivesAllOutputBeforeTheEnd) {
  sshd_->set_forced_command("seq 100000; exit 1");
  const auto session = connected();
  Error end;
  const std::string text = read_text(*session, kUntilTheEnd, &end);
  EXPECT_EQ(text.size(), 588895U);
  EXPECT_TRUE(text.ends_with("\n100000\n"));
  EXPECT_TRUE(contains(end.message, "exit status 1")) << end.text();
}

TEST_F(SshSessionTest, KeepsControlCharactersOfTheRemoteOutOfItsErrors) {
  sshd_->set_forced_command("printf 'bad\\033[2Jthing\\n' >&2; exit 1");
  const auto session = connected();
  Error end;
  read_text(*session, kUntilTheEnd, &end);
  EXPECT_TRUE(contains(end.message, "bad?[2Jthing")) << end.text();
}

TEST_F(SshSessionTest, H44TellsOfAForcedCommandThatIsNotThere) {
  sshd_->set_forced_command("/nonexistent/pgwalship receive");
  const auto session = connected();
  Error end;
  read_text(*session, kUntilTheEnd, &end);
  EXPECT_TRUE(contains(end.message, "exit status 127")) << end.text();
  EXPECT_TRUE(contains(end.message, "/nonexistent/pgwalship")) << end.text();
  EXPECT_TRUE(contains(end.hint, "authorized_keys")) << end.text();
}

TEST_F(SshSessionTest, AReceiverThatEndsWellMayHaveBeenUpgraded) {
  sshd_->set_forced_command("exit 0");
  const auto session = connected();
  Error end;
  read_text(*session, kUntilTheEnd, &end);
  EXPECT_TRUE(contains(end.message, "exit status 0")) << end.text();
  EXPECT_TRUE(contains(end.hint, "an upgrade")) << end.text();
  EXPECT_TRUE(contains(end.hint, "authorized_keys")) << end.text();
}

TEST_F(SshSessionTest, TellsOfAConnectionThatBroke) {
  const auto session = connected();
  sshd_->signal_sessions(SIGKILL);
  Error end;
  read_text(*session, kUntilTheEnd, &end);
  EXPECT_EQ(end.code, Errc::kRetry);
  EXPECT_TRUE(contains(end.message, "connection to 127.0.0.1")) << end.text();
  EXPECT_EQ(session->write_some(as_bytes("x")).value(), 0U);
}

TEST_F(SshSessionTest, TellsTheSignalThatEndedTheReceiver) {
  sshd_->set_forced_command("kill -KILL $$");
  const auto session = connected();
  Error end;
  read_text(*session, kUntilTheEnd, &end);
  EXPECT_TRUE(contains(end.message, "signal KILL")) << end.text();
  EXPECT_TRUE(contains(end.hint, "it was killed")) << end.text();
}

// The user's shell is in between.
TEST_F(SshSessionTest, AReceiverThatWasKilledHasTheRightCommand) {
  sshd_->set_forced_command("sh -c 'kill -KILL $$'; exit $?");
  const auto session = connected();
  Error end;
  read_text(*session, kUntilTheEnd, &end);
  EXPECT_TRUE(contains(end.message, "exit status 137")) << end.text();
  EXPECT_TRUE(contains(end.hint, "it was killed")) << end.text();
}

TEST_F(SshSessionTest, H44RefusesAnUnknownHostKeyAndSaysHowToPinIt) {
  sshd_->unpin_host_key();
  const Error error = refused();
  EXPECT_EQ(error.code, Errc::kInvalid);
  EXPECT_TRUE(contains(error.message, "is not pinned")) << error.text();
  EXPECT_TRUE(contains(error.message, "ssh-ed25519 SHA256:")) << error.text();
  EXPECT_TRUE(contains(error.hint, "pgwalship keys pin")) << error.text();
}

TEST_F(SshSessionTest, H44RefusesAChangedHostKey) {
  sshd_->replace_host_key();
  sshd_->restart();
  const Error error = refused();
  EXPECT_EQ(error.code, Errc::kInvalid);
  EXPECT_TRUE(contains(error.message, "is not the pinned one")) << error.text();
  EXPECT_TRUE(contains(error.hint, "keys pin --replace")) << error.text();
  EXPECT_FALSE(contains(sshd_->log(), "Accepted publickey")) << "it must not log in";
}

TEST_F(SshSessionTest, H44RefusesAHostKeyOfAnotherTypeThanThePinnedOne) {
  std::ofstream(options_.known_hosts, std::ios::trunc)
      << "[127.0.0.1]:" << options_.port
      << " ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBEmKSENjQEez"
         "OmxkZMy7opKgwFB9nkt5YRrYMjNuG5N87uRgg6CLrbo5wAdT/y6v0mKV0U2w0WZ2YB/++Tpockg=\n";
  const Error error = refused();
  EXPECT_EQ(error.code, Errc::kInvalid);
  EXPECT_TRUE(contains(error.message, "another type")) << error.text();
}

TEST_F(SshSessionTest, H44RefusesARevokedHostKey) {
  std::string pinned;
  std::getline(std::ifstream(options_.known_hosts), pinned);
  std::ofstream(options_.known_hosts, std::ios::app) << "@revoked " << pinned << "\n";
  const Error error = refused();
  EXPECT_EQ(error.code, Errc::kInvalid);
  EXPECT_TRUE(contains(error.message, "is revoked")) << error.text();
}

TEST_F(SshSessionTest, H44TellsOfAMissingKnownHostsFile) {
  options_.known_hosts += ".gone";
  const Error error = refused();
  EXPECT_EQ(error.code, Errc::kInvalid);
  EXPECT_TRUE(contains(error.message, "No such file")) << error.text();
  EXPECT_TRUE(contains(error.hint, "keys pin")) << error.text();
}

TEST_F(SshSessionTest, H44TellsOfARefusedKeyAndTheLineThatIsMissing) {
  options_.identity = sshd_->make_stranger_key();
  const Error error = refused();
  EXPECT_EQ(error.code, Errc::kInvalid);
  EXPECT_TRUE(contains(error.message, "is refused")) << error.text();
  EXPECT_TRUE(
      contains(error.hint, "restrict,command=\"pgwalship receive --from pgdb1\" ssh-ed25519 AAAA"))
      << error.text();
}

TEST_F(SshSessionTest, H44TellsOfAnIdentityThatIsMissingOrNoKey) {
  const std::string identity = options_.identity;
  options_.identity = identity + ".gone";
  EXPECT_TRUE(contains(refused().message, "No such file"));
  options_.identity = identity + ".pub";
  const Error error = refused();
  EXPECT_EQ(error.code, Errc::kInvalid);
  EXPECT_TRUE(contains(error.message, "cannot be used")) << error.text();
  EXPECT_TRUE(contains(error.hint, "pgwalship keys create")) << error.text();
}

TEST_F(SshSessionTest, RefusesCiphersThatLibsshDoesNotKnow) {
  options_.ciphers = "rot13";
  const Error error = refused();
  EXPECT_EQ(error.code, Errc::kInvalid);
  EXPECT_TRUE(contains(error.message, "rot13")) << error.text();
}

TEST_F(SshSessionTest, UsesTheCipherThatIsAskedFor) {
  options_.ciphers = "aes256-ctr";
  const auto session = connected();
  ASSERT_EQ(session->write_some(as_bytes("hello")).value(), 5U);
  EXPECT_EQ(read_text(*session, 5), "hello");
}

TEST_F(SshSessionTest, H14TellsOfAClosedPort) {
  sshd_->stop();
  const Error error = refused();
  EXPECT_EQ(error.code, Errc::kRetry);
  EXPECT_TRUE(contains(error.message, "Connection refused")) << error.text();
  EXPECT_TRUE(contains(error.hint, "is sshd running")) << error.text();
}

TEST_F(SshSessionTest, H14GivesUpOnAServerThatNeverSpeaks) {
  const LoopbackListener listener;
  options_.port = listener.port();
  options_.connect_timeout = 300ms;
  const auto start = std::chrono::steady_clock::now();
  const Error error = refused();
  EXPECT_EQ(error.code, Errc::kTimeout);
  EXPECT_TRUE(contains(error.hint, "does not answer")) << error.text();
  EXPECT_LT(std::chrono::steady_clock::now() - start, 5s);
}

TEST_F(SshSessionTest, H14GivesUpWhenNobodyAnswersTheConnect) {
  const LoopbackListener listener;
  const auto occupants = listener.fill_backlog();
  options_.port = listener.port();
  options_.connect_timeout = 300ms;
  const Error error = refused();
  EXPECT_EQ(error.code, Errc::kTimeout);
  EXPECT_TRUE(contains(error.hint, "firewall")) << error.text();
}

TEST_F(SshSessionTest, H14GivesUpOnAStoppedSshd) {
  sshd_->signal_listener(SIGSTOP);
  options_.connect_timeout = 300ms;
  const Error error = refused();
  EXPECT_EQ(error.code, Errc::kTimeout) << error.text();
}

TEST_F(SshSessionTest, TellsOfANameThatDoesNotExist) {
  options_.host = "no-such-host.invalid";
  const Error error = refused();
  EXPECT_TRUE(contains(error.message, "resolve 'no-such-host.invalid'")) << error.text();
  EXPECT_TRUE(contains(error.hint, "address=")) << error.text();
}

TEST_F(SshSessionTest, ResolvesNames) {
  options_.host = "localhost";
  const Error error = refused();
  EXPECT_TRUE(contains(error.message, "is not pinned as [localhost]:")) << error.text();
}

TEST_F(SshSessionTest, TellsOfAServerThatIsNoSshServer) {
  const LoopbackListener listener;
  options_.port = listener.port();
  auto speaker = std::async(std::launch::async, [&] {
    const Fd connection = listener.accept();
    const std::string nonsense = "HTTP/1.1 400 Bad Request\r\n\r\n";
    EXPECT_TRUE(write_full(connection.get(), as_bytes(nonsense), "speak").ok());
  });
  EXPECT_EQ(refused().code, Errc::kRetry);
}

TEST_F(SshSessionTest, ConnectEndsAtOnceWhenItIsCancelled) {
  const LoopbackListener listener;
  options_.port = listener.port();
  options_.connect_timeout = 60s;
  const Fd cancel = make_eventfd();
  options_.cancel_fd = cancel.get();
  auto canceller = std::async(std::launch::async, [&] {
    const Fd connection = listener.accept();
    signal_eventfd(cancel.get());
    std::byte piece[1];
    while (::read(connection.get(), piece, 1) > 0) {
    }
  });
  EXPECT_TRUE(contains(refused().message, "cancelled"));
}

}  // namespace
}  // namespace pgwalship
