#include "transport/link_set.h"

#include "base/mailbox.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace pgwalship {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr NodeId kPeer = 1;

// A link that does nothing by itself: it counts what is sent, and gives what the test lets come.
class HeldLink final : public PeerLink {
 public:
  void send(Message /*message*/) override { ++messages; }
  void send_file(OutgoingFile /*file*/) override { ++files; }
  void greet_with(Hello mine) override { greeting = std::move(mine); }
  int event_fd() const override { return event_fd_.get(); }
  std::optional<LinkEvent> next_event() override {
    if (events_.empty()) {
      clear_eventfd(event_fd_.get());
      return std::nullopt;
    }
    LinkEvent event = std::move(events_.front());
    events_.pop_front();
    return event;
  }
  LinkCounters counters() const override {
    return {.bytes_sent = 10, .bytes_received = 1, .connects = 1};
  }
  void come(LinkEvent event) {
    events_.push_back(std::move(event));
    signal_eventfd(event_fd_.get());
  }
  bool all_taken() const { return events_.empty(); }

  int messages = 0;
  int files = 0;
  Hello greeting;

 private:
  Fd event_fd_ = make_eventfd();
  std::deque<LinkEvent> events_;
};

class ThreeLinksTest : public testing::Test, public LinkSet::Observer {
 protected:
  void SetUp() override {
    links_.observe(*this);
    loop_->on_turn([this](TimePoint) {
      loop_->stop();
      return kNever;
    });
    for (HeldLink*& each : held_) {
      auto link = std::make_unique<HeldLink>();
      each = link.get();
      ASSERT_TRUE(links_.add(kPeer, std::move(link)).ok());
    }
  }
  void on_up(NodeId /*peer*/, const Hello& theirs) override {
    seen_.push_back("up " + theirs.node);
  }
  void on_down(NodeId /*peer*/, const Error& reason) override {
    seen_.push_back("down " + reason.message);
  }

  void come(std::size_t link, LinkEvent event) {
    held_[link]->come(std::move(event));
    while (!held_[link]->all_taken()) {
      ASSERT_TRUE(loop_->run().ok());
    }
  }
  void up(std::size_t link) {
    Hello theirs;
    theirs.node = "pgdb2 " + std::to_string(link);
    come(link, LinkUp{theirs});
  }
  void down(std::size_t link) { come(link, LinkDown{Error{Errc::kRetry, "cut", ""}}); }
  void answer(std::size_t link, std::uint64_t id) { come(link, Message(Done{id, {}, {}, {}})); }
  std::uint64_t send(std::uint64_t bytes) {
    OutgoingFile file{Put{0, WalName::history_of(2), bytes, {}}, nullptr};
    return links_.send_file(kPeer, std::move(file), [this](const Message& message) {
      const auto& done = std::get<Done>(message);
      answers_.push_back(std::to_string(done.id) + (done.error ? ": " + done.error->message : ""));
    });
  }
  std::array<int, 3> files() const { return {held_[0]->files, held_[1]->files, held_[2]->files}; }

  SystemClock clock_;
  std::unique_ptr<EventLoop> loop_ = EventLoop::create(clock_).value();
  LinkSet links_{*loop_};
  std::array<HeldLink*, 3> held_{};
  std::vector<std::string> seen_;
  std::vector<std::string> answers_;
};

TEST_F(ThreeLinksTest, TheFirstIsThePeer) {
  up(1);
  EXPECT_FALSE(links_.is_up(kPeer));
  up(0);
  EXPECT_TRUE(links_.is_up(kPeer));
  EXPECT_EQ(links_.hello(kPeer)->node, "pgdb2 0");
  EXPECT_EQ(links_.links_of(kPeer).up, 2U);
  EXPECT_EQ(links_.links_of(kPeer).all, 3U);
  down(1);
  EXPECT_TRUE(links_.is_up(kPeer));
  EXPECT_EQ(links_.links_of(kPeer).up, 1U);
  down(0);
  EXPECT_FALSE(links_.is_up(kPeer));
  EXPECT_THAT(seen_, ElementsAre("up pgdb2 0", "down cut"));
}

TEST_F(ThreeLinksTest, QuestionsGoByTheFirstAndFilesByTheOneWithTheLeastToSend) {
  for (const std::size_t link : {0, 1, 2}) {
    up(link);
  }
  links_.request(
      kPeer,
      [](std::uint64_t id) -> Message {
        return Stat{id, WalName::history_of(2), {}};
      },
      [](const Message&) {});
  EXPECT_EQ(held_[0]->messages, 1);
  const std::uint64_t first = send(100);
  send(10);
  send(20);
  EXPECT_EQ(files(), (std::array{1, 1, 1}));
  send(10);  // the second has 10
  send(10);  // the second and the third have 20
  EXPECT_EQ(files(), (std::array{1, 3, 1}));
  answer(0, first);
  send(10);
  EXPECT_EQ(files(), (std::array{2, 3, 1}));
  EXPECT_THAT(answers_, ElementsAre(std::to_string(first)));
}

TEST_F(ThreeLinksTest, OneThatIsDownGetsNothing) {
  up(0);
  up(2);
  for (int i = 0; i < 4; ++i) {
    send(10);
  }
  EXPECT_EQ(files(), (std::array{2, 0, 2}));
}

// The peer is there: what that link had is sent again, by whoever wants it sent.
TEST_F(ThreeLinksTest, FilesOfOneThatIsLostAreAnsweredAndNoOthers) {
  up(0);
  up(1);
  const std::uint64_t kept = send(10);
  const std::uint64_t lost = send(10);
  down(1);
  EXPECT_THAT(answers_, ElementsAre(std::to_string(lost) + ": cut"));
  answer(1, lost);  // too late
  answer(0, kept);
  EXPECT_THAT(answers_, ElementsAre(std::to_string(lost) + ": cut", std::to_string(kept)));
}

TEST_F(ThreeLinksTest, WhenTheFirstIsLostNothingIsAnswered) {
  up(0);
  up(1);
  send(10);
  const std::uint64_t other = send(10);
  down(0);
  answer(1, other);
  down(1);
  EXPECT_THAT(answers_, IsEmpty());
  up(0);
  up(1);
  send(10);
  send(10);
  EXPECT_EQ(files(), (std::array{2, 2, 0})) << "nothing counts that was open then";
}

// A request that waits for more would wait until the link ends.
TEST_F(ThreeLinksTest, WhatIsNoAnswerToTheRequestEndsIt) {
  up(0);
  up(1);
  std::vector<Message> answers;
  const std::uint64_t get = links_.request(
      kPeer,
      [](std::uint64_t id) -> Message {
        return Get{id, WalName::history_of(2), {}};
      },
      [&](const Message& message) { answers.push_back(message); });
  come(0, Message(GetBegin{get, 1, {}}));
  StatResult other;
  other.id = get;
  come(0, Message(other));
  come(0, Message(GetEnd{get, 0}));
  ASSERT_EQ(answers.size(), 2U);
  EXPECT_EQ(std::get<Done>(answers.back()).id, get);
  EXPECT_EQ(std::get<Done>(answers.back()).error->code, Errc::kProtocol);
  const std::uint64_t file = send(10);
  come(0, Message(OfferDeclined{file}));
  EXPECT_THAT(answers_,
              ElementsAre(testing::StartsWith(std::to_string(file) + ": the peer's answer")));
}

TEST_F(ThreeLinksTest, WhatIsForgottenDoesNotCount) {
  up(0);
  up(1);
  links_.forget(kPeer, send(1000));
  send(10);
  EXPECT_EQ(files(), (std::array{2, 0, 0}));
}

TEST_F(ThreeLinksTest, CountsTheBytesOfAllAndGreetsByAll) {
  Hello mine;
  mine.node = "pgdb1";
  links_.greet_with(mine);
  EXPECT_EQ(held_[2]->greeting.node, "pgdb1");
  EXPECT_EQ(links_.counters(kPeer).bytes_sent, 30U);
  EXPECT_EQ(links_.counters(kPeer).connects, 1U);
}

}  // namespace
}  // namespace pgwalship
