#include "transport/conversation.h"

#include "wal/digest.h"

#include <gtest/gtest.h>

namespace pgwalship {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint kStart{1h};

class StringFile final : public File {
 public:
  explicit StringFile(std::string content) : content_(std::move(content)) {}
  Result<void> write_at(std::uint64_t, ByteView) override { return unsupported(); }
  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) const override {
    if (offset >= content_.size()) {
      return Error{Errc::kIo, "read: Input/output error", ""};
    }
    const ByteView rest = as_bytes(content_).subspan(offset);
    const std::size_t size = std::min(rest.size(), into.size());
    std::copy_n(rest.begin(), size, into.begin());
    return size;
  }
  Result<FileStat> stat() const override { return unsupported(); }
  Result<void> sync() override { return unsupported(); }
  Result<std::unique_ptr<File>> duplicate() const override { return unsupported(); }

 private:
  static Error unsupported() { return {Errc::kInvalid, "not for this test", ""}; }
  const std::string content_;
};

class ConversationTest : public testing::Test {
 protected:
  static Hello hello(Role role, const std::string& node) {
    Hello hello;
    hello.role = role;
    hello.node = node;
    hello.cluster = "main";
    hello.software = "pgwalship test";
    return hello;
  }

  Result<void> hear(const Message& message, TimePoint now = kStart) {
    Bytes bytes;
    encode(message, bytes);
    return talk_.on_bytes(bytes, now);
  }
  Result<void> hear_text(std::string_view text) { return talk_.on_bytes(as_bytes(text), kStart); }

  static Done done(std::uint64_t id) {
    Done done;
    done.id = id;
    return done;
  }

  void greet() {
    said();
    ASSERT_TRUE(hear(hello(Role::kReceiver, "pgdb2")).ok());
    ASSERT_TRUE(talk_.greeted());
    talk_.events().clear();
  }

  // All messages of the output so far.
  std::vector<Message> said() {
    FrameDecoder decoder;
    std::vector<Message> messages;
    for (ByteView output = talk_.output(); !output.empty(); output = talk_.output()) {
      decoder.feed(output);
      talk_.on_written(output.size());
    }
    for (auto frame = decoder.next().value(); frame; frame = decoder.next().value()) {
      messages.push_back(decode(*frame).value().value());
    }
    return messages;
  }

  static OutgoingFile file(std::uint64_t id, std::string content, std::uint64_t announced_bytes) {
    const std::uint32_t checksum = crc32(0, as_bytes(content));
    return {Put{id, WalName::parse("000000010000000000000001").value(), announced_bytes, {}},
            std::make_unique<StringFile>(std::move(content)), checksum, Priority::kFresh};
  }

  Conversation talk_{{.mine = hello(Role::kDaemon, "pgdb1"),
                      .peer = "pgdb2",
                      .keepalive = 3s,
                      .greeting_timeout = 10s,
                      .command_hint = "look at authorized_keys"},
                     kStart};
};

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST_F(ConversationTest, GreetsFirstAndIsUpWithTheAnswer) {
  const auto messages = said();
  ASSERT_EQ(messages.size(), 1U);
  EXPECT_EQ(std::get<Hello>(messages[0]).node, "pgdb1");
  EXPECT_FALSE(talk_.greeted());
  ASSERT_TRUE(hear(hello(Role::kReceiver, "pgdb2")).ok());
  ASSERT_EQ(talk_.events().size(), 1U);
  EXPECT_EQ(std::get<LinkUp>(talk_.events()[0]).theirs.node, "pgdb2");
}

TEST_F(ConversationTest, UnderstandsAGreetingInSingleBytes) {
  Bytes bytes;
  encode(hello(Role::kReceiver, "pgdb2"), bytes);
  for (const std::byte byte : bytes) {
    EXPECT_FALSE(talk_.greeted());
    ASSERT_TRUE(talk_.on_bytes({&byte, 1}, kStart).ok());
  }
  EXPECT_TRUE(talk_.greeted());
}

TEST_F(ConversationTest, H44RefusesAnotherNodeThanTheExpectedOne) {
  const Result<void> outcome = hear(hello(Role::kReceiver, "pgdb3"));
  ASSERT_FALSE(outcome.ok());
  EXPECT_EQ(outcome.error().code, Errc::kInvalid);
  EXPECT_EQ(outcome.error().message, "node 'pgdb3' answers where 'pgdb2' should");
  EXPECT_TRUE(contains(outcome.error().hint, "address= of pgdb2")) << outcome.error().hint;
  EXPECT_TRUE(talk_.events().empty());
}

TEST_F(ConversationTest, EndsWhenItsOwnNewHelloDoesNotGoWithTheOther) {
  Hello theirs = hello(Role::kReceiver, "pgdb2");
  theirs.system_id = 7;
  ASSERT_TRUE(hear(theirs).ok());  // this side's archive is new, and whose it is not known
  Hello mine = hello(Role::kDaemon, "pgdb1");
  mine.system_id = 7;
  EXPECT_TRUE(talk_.on_own_hello(mine).ok());
  mine.system_id = 8;
  const Result<void> outcome = talk_.on_own_hello(mine);
  ASSERT_FALSE(outcome.ok());
  EXPECT_EQ(outcome.error().code, Errc::kInvalid);
  EXPECT_TRUE(contains(outcome.error().message, "different database systems"))
      << outcome.error().message;
}

TEST_F(ConversationTest, JudgesAGreetingByTheNewestOfItsOwn) {
  Hello mine = hello(Role::kDaemon, "pgdb1");
  mine.system_id = 8;
  EXPECT_TRUE(talk_.on_own_hello(mine).ok());
  Hello theirs = hello(Role::kReceiver, "pgdb2");
  theirs.system_id = 7;
  EXPECT_FALSE(hear(theirs).ok());
}

TEST_F(ConversationTest, RefusesAnotherClusterAndAnotherRole) {
  Hello other = hello(Role::kReceiver, "pgdb2");
  other.cluster = "other";
  EXPECT_FALSE(hear(other).ok());
  EXPECT_FALSE(hear(hello(Role::kClient, "pgdb2")).ok());
  EXPECT_FALSE(talk_.greeted());
}

TEST_F(ConversationTest, H44ShowsWhatAWrongForcedCommandSays) {
  const Result<void> outcome = hear_text("Last login: Mon on pts/0\n");
  ASSERT_FALSE(outcome.ok());
  EXPECT_TRUE(contains(outcome.error().message, "no pgwalship receiver")) << outcome.error().text();
  EXPECT_TRUE(contains(outcome.error().message, "'Last login: Mon on pts/0'"));
  EXPECT_EQ(outcome.error().hint, "look at authorized_keys");
}

TEST_F(ConversationTest, H44ShowsWhatAForcedCommandSaidThatEndedTooEarlyToBeAFrame) {
  ASSERT_TRUE(hear_text("hello\n").ok());
  const Error error = talk_.on_end({Errc::kRetry, "receiver on h ended (exit status 0)", ""});
  EXPECT_TRUE(contains(error.message, "('hello')")) << error.text();
  EXPECT_TRUE(contains(error.message, "exit status 0")) << error.text();
  EXPECT_EQ(error.hint, "look at authorized_keys");
}

TEST_F(ConversationTest, KeepsTheReasonOfAnEndAfterTheGreeting) {
  greet();
  EXPECT_EQ(talk_.on_end({Errc::kRetry, "connection lost", ""}).message, "connection lost");
}

TEST_F(ConversationTest, BringsUpAFailureWithItsHint) {
  const Result<void> outcome = hear(Failure{{Errc::kNoSpace, "disk full", "make room"}});
  ASSERT_FALSE(outcome.ok());
  EXPECT_EQ(outcome.error().code, Errc::kNoSpace);
  EXPECT_EQ(outcome.error().message, "receiver on pgdb2: disk full");
  EXPECT_EQ(outcome.error().hint, "make room");
}

TEST_F(ConversationTest, EndsTheSessionOfWhoBreaksTheProtocol) {
  EXPECT_EQ(hear(Done{}).error().code, Errc::kProtocol) << "before the greeting";
  greet();
  EXPECT_EQ(hear(hello(Role::kReceiver, "pgdb2")).error().code, Errc::kProtocol) << "a second one";
  EXPECT_EQ(hear(Reconciled{7}).error().code, Errc::kProtocol) << "a request";
}

TEST_F(ConversationTest, PassesAnswersUpInOrder) {
  greet();
  ASSERT_TRUE(hear(done(7)).ok());
  StatResult result;
  result.id = 8;
  ASSERT_TRUE(hear(result).ok());
  ASSERT_EQ(talk_.events().size(), 2U);
  EXPECT_EQ(std::get<Done>(std::get<Message>(talk_.events()[0])).id, 7U);
  EXPECT_EQ(std::get<StatResult>(std::get<Message>(talk_.events()[1])).id, 8U);
}

TEST_F(ConversationTest, ADeclinedOfferIsAnAnswerAndNoBreachOfTheProtocol) {
  greet();
  ASSERT_TRUE(hear(OfferDeclined{7}).ok());
  ASSERT_EQ(talk_.events().size(), 1U);
  EXPECT_EQ(std::get<OfferDeclined>(std::get<Message>(talk_.events()[0])).id, 7U);
}

TEST_F(ConversationTest, PingsWhenItIsTimeAndMeasuresTheRoundTrip) {
  greet();
  talk_.tick(kStart);
  const auto first = said();
  ASSERT_EQ(first.size(), 1U) << "before there is data in its way";
  ASSERT_TRUE(hear(Pong{std::get<Ping>(first[0]).number}, kStart + 12ms).ok());
  EXPECT_EQ(talk_.round_trip(), 12ms);
  talk_.tick(kStart + 2s);
  EXPECT_TRUE(said().empty());
  EXPECT_EQ(talk_.next_wakeup(), kStart + 3s);
  talk_.tick(kStart + 3s);
  const auto second = said();
  ASSERT_EQ(second.size(), 1U);
  ASSERT_TRUE(hear(Pong{std::get<Ping>(second[0]).number}, kStart + 3s + 14ms).ok());
  EXPECT_EQ(talk_.round_trip(), 14ms);
  EXPECT_TRUE(talk_.events().empty()) << "Pong is the link's own business";
}

TEST_F(ConversationTest, H14LosesASilentPeerWithinThreeIntervals) {
  greet();
  talk_.tick(kStart + 3s);
  EXPECT_TRUE(talk_.check_alive(kStart + 8s).ok());
  const Result<void> alive = talk_.check_alive(kStart + 9s);
  ASSERT_FALSE(alive.ok());
  EXPECT_EQ(alive.error().code, Errc::kTimeout);
  EXPECT_EQ(alive.error().message, "receiver on pgdb2 is silent for 9000 ms");
}

TEST_F(ConversationTest, AnAnswerToSomethingElseIsLifeToo) {
  greet();
  talk_.tick(kStart + 3s);
  ASSERT_TRUE(hear(Done{}, kStart + 8s).ok());
  EXPECT_TRUE(talk_.check_alive(kStart + 13s).ok());
}

TEST_F(ConversationTest, H14WaitsForAGreetingOnlySoLong) {
  talk_.tick(kStart + 9s);
  EXPECT_TRUE(talk_.check_alive(kStart + 9s).ok());
  EXPECT_EQ(talk_.next_wakeup(), kStart + 10s);
  const Result<void> alive = talk_.check_alive(kStart + 10s);
  ASSERT_FALSE(alive.ok());
  EXPECT_TRUE(contains(alive.error().message, "does not greet")) << alive.error().text();
  const auto messages = said();
  EXPECT_EQ(messages.size(), 1U) << "no Ping before the greeting";
}

TEST_F(ConversationTest, SendsAFileAndItsChecksum) {
  greet();
  const std::string content(150'000, 'x');
  talk_.add(file(5, content, content.size()));
  const auto messages = said();
  ASSERT_EQ(messages.size(), 5U);
  EXPECT_EQ(std::get<Put>(messages[0]).file_bytes, content.size());
  EXPECT_EQ(std::get<Data>(messages[1]).bytes.size(), kDataBytesMax);
  EXPECT_EQ(std::get<PutEnd>(messages[4]).file_crc32, crc32(0, as_bytes(content)));
}

TEST_F(ConversationTest, AnswersForAFileThatCannotBeRead) {
  greet();
  talk_.add(file(5, "only this", 100'000));
  said();
  ASSERT_EQ(talk_.events().size(), 1U);
  const Done& done = std::get<Done>(std::get<Message>(talk_.events()[0]));
  EXPECT_EQ(done.id, 5U);
  ASSERT_TRUE(done.error);
  EXPECT_EQ(done.error->code, Errc::kIo);
}

TEST_F(ConversationTest, StopsSendingAFileThatIsAnsweredAlready) {
  greet();
  const std::string content(4U << 20, 'x');
  talk_.add(file(5, content, content.size()));
  const std::size_t first = talk_.output().size();
  EXPECT_LT(first, 400'000U) << "only so much is encoded ahead";
  talk_.on_written(first);
  ASSERT_TRUE(hear(done(5)).ok());
  const std::size_t rest = talk_.output().size();
  EXPECT_LT(rest, 100U) << "at most the end of it";
}

TEST_F(ConversationTest, OutputStaysUntilItIsWritten) {
  const ByteView all = talk_.output();
  const Bytes before(all.begin(), all.end());
  talk_.on_written(5);
  const ByteView rest = talk_.output();
  EXPECT_TRUE(std::equal(rest.begin(), rest.end(), before.begin() + 5, before.end()));
}

}  // namespace
}  // namespace pgwalship
