#include "transport/send_queue.h"

#include "tests/transport/receiver_session.h"
#include "wal/digest.h"

#include <gtest/gtest.h>

namespace pgwalship {
namespace {

class SendQueueTest : public testing::Test {
 protected:
  OutgoingFile outgoing(std::uint64_t id, Priority priority, std::size_t bytes) {
    const std::string path = "/file" + std::to_string(id);
    Bytes content(bytes);
    for (std::size_t i = 0; i < bytes; ++i) {
      content[i] = static_cast<std::byte>(i * id);
    }
    disk_.plant(path, content);
    return {Put{id, name_, bytes, {}}, disk_.open(path).value(), crc32(0, content), priority};
  }

  // One frame, as the answerer gets it.
  std::optional<Message> next() {
    Bytes out;
    unreadable_ = queue_.next(out);
    FrameDecoder decoder;
    decoder.feed(out);
    const auto frame = decoder.next().value();
    if (!frame) {
      return std::nullopt;
    }
    EXPECT_EQ(out.size(), kFrameHeaderBytes + frame->payload.size());
    return decode(*frame).value();
  }

  // "P1" Put, "D1" Data, "E1" PutEnd of id 1; "p7" Ping of number 7; "" nothing.
  std::string next_word() {
    const std::optional<Message> message = next();
    if (!message) {
      return "";
    }
    if (const auto* put = std::get_if<Put>(&*message)) {
      return "P" + std::to_string(put->id);
    }
    if (const auto* data = std::get_if<Data>(&*message)) {
      return "D" + std::to_string(data->id);
    }
    if (const auto* end = std::get_if<PutEnd>(&*message)) {
      return "E" + std::to_string(end->id);
    }
    return "p" + std::to_string(std::get<Ping>(*message).number);
  }

  std::string words() {
    std::string words;
    for (std::string word = next_word(); !word.empty(); word = next_word()) {
      words += (words.empty() ? "" : " ") + word;
    }
    return words;
  }

  MemoryFileSystem disk_;
  const WalName name_ = wal_name("000000010000000000000001");
  SendQueue queue_;
  std::optional<SendQueue::Unreadable> unreadable_;
};

TEST_F(SendQueueTest, SendsNothingWhenEmpty) {
  EXPECT_TRUE(queue_.empty());
  EXPECT_FALSE(next().has_value());
  EXPECT_FALSE(unreadable_.has_value());
}

TEST_F(SendQueueTest, CutsAFileIntoDataAndEndsWithItsChecksum) {
  queue_.add(outgoing(3, Priority::kFresh, 2 * kDataBytesMax + 5));
  EXPECT_EQ(std::get<Put>(*next()).file_bytes, 2 * kDataBytesMax + 5);
  Bytes sent;
  for (const std::size_t size : {kDataBytesMax, kDataBytesMax, std::size_t{5}}) {
    const Bytes piece = std::get<Data>(*next()).bytes;
    EXPECT_EQ(piece.size(), size);
    sent.insert(sent.end(), piece.begin(), piece.end());
  }
  EXPECT_EQ(sent, disk_.content("/file3"));
  EXPECT_EQ(std::get<PutEnd>(*next()).file_crc32, crc32(0, sent));
  EXPECT_TRUE(queue_.empty());
}

TEST_F(SendQueueTest, SendsMessagesThenFreshThenCatchUp) {
  queue_.add(outgoing(1, Priority::kCatchUp, 3 * kDataBytesMax));
  EXPECT_EQ(next_word(), "P1");
  EXPECT_EQ(next_word(), "D1");
  queue_.add(outgoing(2, Priority::kFresh, kDataBytesMax + 1));
  queue_.add(outgoing(3, Priority::kFresh, 1));
  EXPECT_EQ(next_word(), "P2");
  queue_.add(Ping{9});
  EXPECT_EQ(words(), "p9 D2 D2 E2 P3 D3 E3 D1 D1 E1");
}

TEST_F(SendQueueTest, ClosesAnAnnouncedFileThatIsDropped) {
  queue_.add(outgoing(1, Priority::kFresh, 5 * kDataBytesMax));
  queue_.add(outgoing(2, Priority::kFresh, 1));
  queue_.add(outgoing(3, Priority::kCatchUp, 1));
  EXPECT_EQ(next_word(), "P1");
  EXPECT_EQ(next_word(), "D1");
  queue_.drop_file(1);
  queue_.drop_file(3);
  queue_.drop_file(4);
  EXPECT_EQ(words(), "E1 P2 D2 E2");
}

TEST_F(SendQueueTest, ClearForgetsAll) {
  queue_.add(outgoing(1, Priority::kFresh, 1));
  queue_.add(outgoing(2, Priority::kCatchUp, 1));
  queue_.add(Ping{1});
  EXPECT_FALSE(queue_.empty());
  queue_.clear();
  EXPECT_TRUE(queue_.empty());
  EXPECT_EQ(words(), "");
}

TEST_F(SendQueueTest, ReportsAFileThatCannotBeReadAndGoesOn) {
  queue_.add(outgoing(1, Priority::kFresh, 2 * kDataBytesMax));
  queue_.add(outgoing(2, Priority::kFresh, 1));
  disk_.fail({.operation = MemoryFileSystem::Operation::kRead, .after = 1});
  EXPECT_EQ(next_word(), "P1");
  EXPECT_EQ(next_word(), "D1");
  EXPECT_FALSE(unreadable_.has_value());
  EXPECT_EQ(next_word(), "E1");
  ASSERT_TRUE(unreadable_.has_value());
  EXPECT_EQ(unreadable_->id, 1U);
  EXPECT_EQ(unreadable_->error.code, Errc::kIo);
  EXPECT_NE(unreadable_->error.message.find(name_.text()), std::string::npos);
  EXPECT_EQ(words(), "P2 D2 E2");
}

TEST_F(SendQueueTest, ReportsAFileThatIsShorterThanAnnounced) {
  OutgoingFile file = outgoing(1, Priority::kFresh, 10);
  file.put.file_bytes = 11;
  queue_.add(std::move(file));
  EXPECT_EQ(next_word(), "P1");
  EXPECT_EQ(next_word(), "E1");
  ASSERT_TRUE(unreadable_.has_value());
  EXPECT_EQ(unreadable_->error.code, Errc::kIo);
}

// A disk that rots between the verification and the sending, or a copy in memory that does.
TEST_F(SendQueueTest, AFileThatChangedSinceItWasVerifiedIsToldAndSentWithTheChecksumItHad) {
  OutgoingFile file = outgoing(1, Priority::kFresh, 10);
  const std::uint32_t verified = file.file_crc32;
  disk_.flip_byte("/file1", 3);
  queue_.add(std::move(file));
  EXPECT_EQ(next_word(), "P1");
  EXPECT_EQ(next_word(), "D1");
  const auto end = next();
  ASSERT_TRUE(end.has_value());
  EXPECT_EQ(std::get<PutEnd>(*end).file_crc32, verified);
  ASSERT_TRUE(unreadable_.has_value());
  EXPECT_EQ(unreadable_->error.code, Errc::kCorrupt);
  EXPECT_TRUE(queue_.empty());
}

// Both ends together: what the queue says, the receiver understands.
class QueueToReceiver : public SendQueueTest {
 protected:
  void SetUp() override { session_.greet(); }
  OutgoingFile outgoing_wal(std::uint64_t id, const WalFile& file) {
    const std::string path = "/outgoing/" + std::to_string(id);
    disk_.plant(path, file.bytes);
    return {Put{id, file.name, file.bytes.size(), file.facts}, disk_.open(path).value(),
            crc32(0, file.bytes), id % 2 == 0 ? Priority::kFresh : Priority::kCatchUp};
  }
  std::vector<Message> pump() {
    std::vector<Message> answers;
    while (std::optional<Message> message = next()) {
      for (Message& answer : session_.say(std::move(*message))) {
        if (const auto* done = std::get_if<Done>(&answer)) {
          queue_.drop_file(done->id);
        }
        answers.push_back(std::move(answer));
      }
    }
    return answers;
  }

  ReceiverSession session_{disk_};
};

TEST_F(QueueToReceiver, FilesArriveWhole) {
  for (std::uint32_t i = 1; i <= 6; ++i) {
    queue_.add(outgoing_wal(i, wal_file(i)));
  }
  EXPECT_EQ(pump().size(), 6U);
  for (std::uint32_t i = 1; i <= 6; ++i) {
    EXPECT_TRUE(session_.store().verify(wal_file(i).name).ok());
  }
}

TEST_F(QueueToReceiver, H23ADuplicateCostsThreeFramesHoweverOften) {
  const WalFile file = wal_file(1);
  ASSERT_TRUE(is_done(session_.put(1000, file), 1000, PutOutcome::kStored));
  for (std::uint64_t id = 1; id <= 2 * kOpenPutsMax; ++id) {
    queue_.add(outgoing_wal(id, file));
    EXPECT_TRUE(is_done(pump(), id, PutOutcome::kIdentical)) << id;
  }
}

TEST_F(QueueToReceiver, AnUnreadableFileIsForgottenByBothEnds) {
  const WalFile file = wal_file(1);
  queue_.add(outgoing_wal(1, file));
  disk_.fail(
      {.operation = MemoryFileSystem::Operation::kRead, .after = 1, .path_part = "/outgoing/"});
  const std::vector<Message> answers = pump();
  EXPECT_TRUE(is_refused(answers, 1, Errc::kCorrupt));
  EXPECT_EQ(session_.ask<StatResult>(Stat{2, file.name}).presence, Presence::kAbsent);
  EXPECT_TRUE(disk_.list("/archive/.pgwalship/tmp").value().empty());
}

}  // namespace
}  // namespace pgwalship
