#include "tests/support/temp_dir.h"
#include "tests/transport/message_samples.h"
#include "transport/local_socket.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fcntl.h>
#include <functional>
#include <memory>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>

namespace pgwalship {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

bool wait_for(int fd, short events) {
  pollfd waiting{fd, events, 0};
  return ::poll(&waiting, 1, 10000) == 1;
}

// A daemon on a thread of its own, which does to its first client what the test says.
class FakeDaemon {
 public:
  using Script = std::function<void(int fd, MessageStream& stream)>;

  FakeDaemon(const std::string& path, Script script)
      : listener_(LocalListener::listen(path).value()), thread_([this, script = std::move(script)] {
          CHECK(wait_for(listener_->fd(), POLLIN));
          const Fd client = std::move(*listener_->accept().value());
          MessageStream stream(client.get(), client.get());
          script(client.get(), stream);
        }) {}
  ~FakeDaemon() { thread_.join(); }
  FakeDaemon(const FakeDaemon&) = delete;
  FakeDaemon& operator=(const FakeDaemon&) = delete;

  static Message read(int fd, MessageStream& stream) {
    while (true) {
      if (auto message = stream.next().value()) {
        return std::move(*message);
      }
      CHECK(wait_for(fd, POLLIN) && stream.receive().value());
    }
  }
  static void write(MessageStream& stream, const Message& message) {
    stream.send(message);
    CHECK(stream.flush().ok() && !stream.has_output());
  }
  static void greet(int fd, MessageStream& stream) {
    CHECK(std::holds_alternative<Hello>(read(fd, stream)));
    Hello hello = sample_hello();
    hello.role = Role::kAnsweringDaemon;
    write(stream, hello);
  }

 private:
  std::unique_ptr<LocalListener> listener_;
  std::thread thread_;
};

class DaemonClientTest : public testing::Test {
 protected:
  Result<std::unique_ptr<DaemonClient>> connect(milliseconds patience = seconds(20)) {
    Hello mine = sample_hello();
    mine.role = Role::kClient;
    return DaemonClient::connect(path_, mine, clock_, clock_.now() + patience);
  }
  void SetUp() override {
    address_.sun_family = AF_UNIX;
    std::ranges::copy(path_, address_.sun_path);
  }
  static Fd unix_socket() {
    return Fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  }
  const sockaddr* address() const { return reinterpret_cast<const sockaddr*>(&address_); }
  TimePoint soon() const { return clock_.now() + milliseconds(30); }
  TimePoint later() const { return clock_.now() + seconds(20); }

  SystemClock clock_;
  TempDir directory_;
  const std::string path_ = directory_.file("pgwalship.sock");
  sockaddr_un address_{};
};

TEST_F(DaemonClientTest, ExchangesHellosAndMessages) {
  const FakeDaemon daemon(path_, [](int fd, MessageStream& stream) {
    FakeDaemon::greet(fd, stream);
    const auto ping = std::get<Ping>(FakeDaemon::read(fd, stream));
    FakeDaemon::write(stream, Pong{ping.number + 1});
  });
  const auto client = connect();
  ASSERT_TRUE(client.ok()) << client.error().text();
  EXPECT_EQ(client.value()->theirs().node, sample_hello().node);
  ASSERT_TRUE(client.value()->send(Ping{41}, later()).ok());
  EXPECT_EQ(std::get<Pong>(client.value()->receive(later()).value()).number, 42U);
}

TEST_F(DaemonClientTest, H13SaysWhatToDoWhenNoDaemonRuns) {
  const auto missing = connect();
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().code, Errc::kRetry);
  EXPECT_EQ(missing.error().message, "connect '" + path_ + "': No such file or directory");
  EXPECT_EQ(missing.error().hint, "start pgwalshipd, or check [daemon] socket");
}

TEST_F(DaemonClientTest, H46SaysWhatToDoAboutAStaleSocket) {
  ASSERT_EQ(::bind(unix_socket().get(), address(), sizeof address_), 0);  // and closed at once
  const auto stale = connect();
  ASSERT_FALSE(stale.ok());
  EXPECT_EQ(stale.error().code, Errc::kRetry);
  EXPECT_NE(stale.error().message.find("Connection refused"), std::string::npos);
  EXPECT_FALSE(stale.error().hint.empty());
}

TEST_F(DaemonClientTest, H14ADaemonThatDoesNotAnswerCostsNoMoreThanTheDeadline) {
  const auto listener = LocalListener::listen(path_).value();
  const auto client = connect(milliseconds(30));
  ASSERT_FALSE(client.ok());
  EXPECT_EQ(client.error().code, Errc::kRetry);
  EXPECT_NE(client.error().message.find("does not answer"), std::string::npos);
  EXPECT_FALSE(client.error().hint.empty());
}

TEST_F(DaemonClientTest, H14AFullQueueCostsNoMoreThanTheDeadline) {
  const auto listener = LocalListener::listen(path_).value();
  std::vector<Fd> waiting;
  while (true) {
    Fd socket = unix_socket();
    if (::connect(socket.get(), address(), sizeof address_) != 0) {
      break;
    }
    waiting.push_back(std::move(socket));
    ASSERT_LT(waiting.size(), 1000U);
  }
  const auto client = connect(milliseconds(30));
  ASSERT_FALSE(client.ok());
  EXPECT_EQ(client.error().code, Errc::kRetry);
}

TEST_F(DaemonClientTest, AFailureIsItsError) {
  const FakeDaemon daemon(path_, [](int, MessageStream& stream) {
    FakeDaemon::write(stream, Failure{{Errc::kInvalid, "wrong cluster", "look at the name"}});
  });
  const auto client = connect();
  ASSERT_FALSE(client.ok());
  EXPECT_EQ(client.error().code, Errc::kInvalid);
  EXPECT_EQ(client.error().message, "wrong cluster");
  EXPECT_EQ(client.error().hint, "look at the name");
}

TEST_F(DaemonClientTest, H45RefusesADaemonOfAForeignVersion) {
  const FakeDaemon daemon(path_, [](int, MessageStream& stream) {
    Hello hello = sample_hello();
    hello.role = Role::kAnsweringDaemon;
    hello.version = 3;
    hello.version_min = 2;
    FakeDaemon::write(stream, hello);
  });
  const auto client = connect();
  ASSERT_FALSE(client.ok());
  EXPECT_EQ(client.error().code, Errc::kInvalid);
  EXPECT_FALSE(client.error().hint.empty());
}

TEST_F(DaemonClientTest, RefusesADaemonThatDoesNotGreet) {
  const FakeDaemon daemon(path_,
                          [](int, MessageStream& stream) { FakeDaemon::write(stream, Pong{}); });
  const auto client = connect();
  ASSERT_FALSE(client.ok());
  EXPECT_EQ(client.error().code, Errc::kProtocol);
}

TEST_F(DaemonClientTest, TellsSilenceFromTheEnd) {
  const FakeDaemon daemon(path_, [](int fd, MessageStream& stream) {
    FakeDaemon::greet(fd, stream);
    FakeDaemon::read(fd, stream);
  });
  const auto client = connect().value();
  EXPECT_FALSE(client->has_message().value());
  EXPECT_EQ(client->receive(soon()).error().code, Errc::kTimeout);
  ASSERT_TRUE(client->send(Ping{1}, later()).ok());
  EXPECT_EQ(client->receive(later()).error().code, Errc::kRetry);
  EXPECT_EQ(client->has_message().error().code, Errc::kRetry);
}

TEST_F(DaemonClientTest, H14ADaemonThatStopsReadingCostsNoMoreThanTheDeadline) {
  int pair[2];
  ASSERT_EQ(::pipe2(pair, O_CLOEXEC), 0);
  const Fd reader(pair[0]);
  Fd writer(pair[1]);
  const FakeDaemon daemon(path_, [&](int fd, MessageStream& stream) {
    FakeDaemon::greet(fd, stream);
    wait_for(reader.get(), POLLIN);  // until the client has given up
  });
  const auto client = connect().value();
  const TimePoint deadline = soon();
  Result<void> sent;
  while (sent.ok()) {
    sent = client->send(Data{1, Bytes(kDataBytesMax)}, deadline);
  }
  EXPECT_EQ(sent.error().code, Errc::kTimeout);
  writer.reset();
}

TEST_F(DaemonClientTest, AnEarlyVerdictSurvivesTheEndOfTheDaemon) {
  const FakeDaemon daemon(path_, [](int fd, MessageStream& stream) {
    FakeDaemon::greet(fd, stream);
    FakeDaemon::read(fd, stream);
    FakeDaemon::write(stream, Done{1, PutOutcome::kIdentical, {}, {}});
  });
  const auto client = connect().value();
  Result<void> sent;
  while (sent.ok()) {
    sent = client->send(Data{1, Bytes(kDataBytesMax)}, later());
  }
  EXPECT_EQ(sent.error().code, Errc::kRetry);
  ASSERT_TRUE(client->has_message().value());
  EXPECT_EQ(std::get<Done>(client->receive(later()).value()).outcome, PutOutcome::kIdentical);
}

TEST_F(DaemonClientTest, AFailureIsTheReasonWhyNothingMoreCanBeSent) {
  const FakeDaemon daemon(path_, [](int fd, MessageStream& stream) {
    FakeDaemon::greet(fd, stream);
    FakeDaemon::read(fd, stream);
    FakeDaemon::write(stream, Failure{{Errc::kProtocol, "bad frame", ""}});
  });
  const auto client = connect().value();
  Result<void> sent;
  while (sent.ok()) {
    sent = client->send(Data{1, Bytes(kDataBytesMax)}, later());
  }
  EXPECT_EQ(sent.error().code, Errc::kProtocol);
}

}  // namespace
}  // namespace pgwalship
