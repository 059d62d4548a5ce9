#include "transport/local_socket.h"

#include "base/random.h"
#include "tests/support/temp_dir.h"
#include "tests/transport/message_samples.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <tuple>
#include <unistd.h>

namespace pgwalship {
namespace {

Fd connect_plainly(const std::string& path) {
  Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::copy(path.begin(), path.end(), address.sun_path);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    socket.reset();
  }
  return socket;
}

// What `body` gives, 0 to 255, run in a process of its own that ends without destructors.
int exit_status_of(const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::_exit(body());
  }
  int status = 0;
  CHECK(::waitpid(child, &status, 0) == child && WIFEXITED(status));
  return WEXITSTATUS(status);
}

mode_t mode_of(const std::string& path) {
  struct stat found {};
  CHECK(::lstat(path.c_str(), &found) == 0);
  return found.st_mode & 07777;
}

class LocalListenerTest : public testing::Test {
 protected:
  TempDir directory_;
  const std::string path_ = directory_.file("pgwalship.sock");
};

TEST_F(LocalListenerTest, H47SocketIsForItsOwnerAlone) {
  const mode_t previous = ::umask(0);
  const auto listener = LocalListener::listen(path_);
  EXPECT_EQ(::umask(previous), 0U) << "the umask of the process is as it was";
  ASSERT_TRUE(listener.ok()) << listener.error().text();
  EXPECT_EQ(mode_of(path_), 0600U);
  EXPECT_EQ(mode_of(path_ + ".lock"), 0600U);
}

TEST_F(LocalListenerTest, AcceptsItsOwnUserAndNobodyWhenNobodyWaits) {
  const auto listener = LocalListener::listen(path_).value();
  EXPECT_FALSE(listener->accept().value().has_value());
  const Fd client = connect_plainly(path_);
  ASSERT_TRUE(client.valid());
  EXPECT_TRUE(listener->accept().value().has_value());
  EXPECT_FALSE(listener->accept().value().has_value());
}

TEST_F(LocalListenerTest, H46ASecondDaemonIsRefusedAndTheFirstGoesOn) {
  const auto first = LocalListener::listen(path_).value();
  const auto second = LocalListener::listen(path_);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, Errc::kAlreadyExists);
  EXPECT_NE(second.error().message.find(path_ + ".lock"), std::string::npos);
  EXPECT_FALSE(second.error().hint.empty());
  EXPECT_EQ(exit_status_of([&] { return LocalListener::listen(path_).ok() ? 0 : 7; }), 7);
  const Fd client = connect_plainly(path_);
  EXPECT_TRUE(first->accept().value().has_value());
}

TEST_F(LocalListenerTest, H46TheSocketOfADeadDaemonIsReplaced) {
  ASSERT_EQ(exit_status_of([&] {
              auto listener = LocalListener::listen(path_);
              const bool ok = listener.ok();
              std::ignore = listener.ok() ? std::move(listener).value().release() : nullptr;
              return ok ? 0 : 1;
            }),
            0);
  EXPECT_TRUE(std::filesystem::is_socket(path_));
  EXPECT_FALSE(connect_plainly(path_).valid());
  const auto listener = LocalListener::listen(path_);
  ASSERT_TRUE(listener.ok()) << listener.error().text();
  EXPECT_TRUE(connect_plainly(path_).valid());
}

TEST_F(LocalListenerTest, H46RemovesItsSocketAtTheEndAndCanBeStartedAgain) {
  { const auto listener = LocalListener::listen(path_).value(); }
  EXPECT_FALSE(std::filesystem::exists(path_));
  EXPECT_TRUE(LocalListener::listen(path_).ok());
}

TEST_F(LocalListenerTest, H46LeavesAFileThatIsNoSocket) {
  std::ofstream(path_) << "precious";
  const auto listener = LocalListener::listen(path_);
  ASSERT_FALSE(listener.ok());
  EXPECT_EQ(listener.error().code, Errc::kInvalid);
  EXPECT_TRUE(std::filesystem::exists(path_));
}

TEST_F(LocalListenerTest, ExplainsAPathThatCannotBe) {
  const auto missing = LocalListener::listen(directory_.file("none/pgwalship.sock"));
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().code, Errc::kNotFound);
  EXPECT_NE(missing.error().hint.find("[daemon] socket"), std::string::npos);
  const auto lengthy = LocalListener::listen(directory_.file(std::string(108, 'x')));
  ASSERT_FALSE(lengthy.ok());
  EXPECT_EQ(lengthy.error().code, Errc::kInvalid);
  EXPECT_NE(lengthy.error().hint.find("107"), std::string::npos);
}

TEST_F(LocalListenerTest, H47AnotherUserIsTurnedAway) {
  if (::geteuid() != 0) {
    GTEST_SKIP() << "only root can become another user";
  }
  constexpr uid_t kNobody = 65534;
  const auto connects_as_nobody = [&] {
    return exit_status_of(
        [&] { return ::setuid(kNobody) == 0 ? (connect_plainly(path_).valid() ? 1 : 2) : 3; });
  };
  const auto listener = LocalListener::listen(path_).value();
  ASSERT_EQ(::chmod(directory_.path().c_str(), 0755), 0);
  EXPECT_EQ(connects_as_nobody(), 2) << "the mode keeps it out";
  // As on a system whose administrator opened the socket by hand.
  ASSERT_EQ(::chmod(path_.c_str(), 0666), 0);
  ASSERT_EQ(connects_as_nobody(), 1);
  const auto refused = listener->accept();
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Errc::kInvalid);
  EXPECT_NE(refused.error().message.find("user id 65534"), std::string::npos);
  const Fd own = connect_plainly(path_);
  EXPECT_TRUE(listener->accept().value().has_value());
}

class MessageStreamTest : public testing::Test {
 protected:
  void SetUp() override {
    int pair[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    here_ = Fd(pair[0]);
    there_ = Fd(pair[1]);
  }
  void write_there(ByteView bytes) { ASSERT_TRUE(write_full(there_.get(), bytes, "test").ok()); }

  Fd here_;
  Fd there_;
};

TEST_F(MessageStreamTest, CarriesMessagesBothWays) {
  MessageStream here(here_.get(), here_.get());
  MessageStream there(there_.get(), there_.get());
  EXPECT_TRUE(here.receive().value());
  EXPECT_FALSE(here.next().value().has_value());
  for (const Message& message : sample_messages()) {
    here.send(message);
  }
  EXPECT_TRUE(here.has_output());
  ASSERT_TRUE(here.flush().ok());
  EXPECT_FALSE(here.has_output());
  ASSERT_TRUE(there.receive().value());
  for (const Message& message : sample_messages()) {
    EXPECT_EQ(there.next().value()->index(), message.index());
  }
  here_.reset();
  EXPECT_FALSE(there.receive().value());
}

TEST_F(MessageStreamTest, GivesWhatCameBeforeTheEnd) {
  Bytes bytes;
  encode(Data{1, Bytes(kDataBytesMax - kFrameHeaderBytes - 8)}, bytes);
  ASSERT_EQ(bytes.size(), kDataBytesMax) << "one whole read, and then the end";
  write_there(bytes);
  there_.reset();
  MessageStream here(here_.get(), here_.get());
  EXPECT_TRUE(here.receive().value());
  EXPECT_TRUE(here.next().value().has_value());
  EXPECT_FALSE(here.receive().value());
}

TEST_F(MessageStreamTest, CarriesMessagesThroughPipes) {
  int pair[2];
  ASSERT_EQ(::pipe2(pair, O_NONBLOCK | O_CLOEXEC), 0);
  const Fd in(pair[0]);
  const Fd out(pair[1]);
  MessageStream stream(in.get(), out.get());
  stream.send(Ping{5});
  ASSERT_TRUE(stream.flush().ok());
  ASSERT_TRUE(stream.receive().value());
  EXPECT_EQ(std::get<Ping>(stream.next().value().value()).number, 5U);
}

TEST_F(MessageStreamTest, PushesBackWhenTheOtherSideDoesNotRead) {
  MessageStream here(here_.get(), here_.get());
  MessageStream there(there_.get(), there_.get());
  std::uint64_t sent = 0;
  while (here.wants_output()) {
    here.send(Data{++sent, Bytes(kDataBytesMax)});
    ASSERT_TRUE(here.flush().ok());
    ASSERT_LT(sent, 1000U);
  }
  EXPECT_GE(sent, MessageStream::kOutputMax / (kDataBytesMax + 100));
  std::uint64_t received = 0;
  while (received < sent) {
    ASSERT_TRUE(there.receive().value());
    while (const auto message = there.next().value()) {
      EXPECT_EQ(std::get<Data>(*message).id, ++received);
    }
    ASSERT_TRUE(here.flush().ok());
  }
  EXPECT_TRUE(here.wants_output());
  EXPECT_FALSE(here.has_output());
}

TEST_F(MessageStreamTest, H13WritingToASideThatHasGoneIsAnError) {
  MessageStream here(here_.get(), here_.get());
  there_.reset();
  here.send(Ping{1});
  const auto flushed = here.flush();
  ASSERT_FALSE(flushed.ok());
  EXPECT_EQ(flushed.error().code, Errc::kRetry);
}

TEST_F(MessageStreamTest, H45SkipsOptionalMessagesOfALaterVersion) {
  Bytes bytes;
  append_frame(0x80, as_bytes("whatever"), bytes);
  encode(Ping{3}, bytes);
  write_there(bytes);
  MessageStream here(here_.get(), here_.get());
  ASSERT_TRUE(here.receive().value());
  EXPECT_EQ(std::get<Ping>(here.next().value().value()).number, 3U);
}

TEST_F(MessageStreamTest, H47RefusesHugeFramesAndGarbage) {
  MessageStream here(here_.get(), here_.get());
  ByteWriter huge;
  huge.u32(0x7FFFFFFF);
  huge.raw(Bytes(8));
  write_there(huge.view());
  ASSERT_TRUE(here.receive().value());
  ASSERT_FALSE(here.next().ok());
  EXPECT_EQ(here.next().error().code, Errc::kProtocol);
}

TEST_F(MessageStreamTest, H47SurvivesRandomGarbage) {
  Random random(4747);
  for (int round = 0; round < 500; ++round) {
    MessageStream here(here_.get(), here_.get());
    Bytes bytes;
    encode(Ping{1}, bytes);
    for (std::uint64_t i = random.below(300); i > 0; --i) {
      bytes.push_back(static_cast<std::byte>(random.below(4) == 0 ? random.next() : 0));
    }
    write_there(bytes);
    ASSERT_TRUE(here.receive().value());
    EXPECT_TRUE(here.next().value().has_value());
    while (true) {
      const auto message = here.next();
      if (!message.ok()) {
        EXPECT_EQ(message.error().code, Errc::kProtocol);
        break;
      }
      if (!message.value()) {
        break;
      }
    }
  }
}

}  // namespace
}  // namespace pgwalship
