#include "transport/offered_files.h"

#include "tests/transport/receiver_session.h"

#include <gtest/gtest.h>

namespace pgwalship {
namespace {

using std::chrono::milliseconds;

class OfferedFilesTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(session_.prepared()); }

  // A segment in the receiver's own pg_wal, with that mark ("" for none).
  void stream(const Bytes& raw, const WalName& name, const std::string& mark = ".done") {
    disk_.plant("/pg/pg_wal/" + name.text(), raw);
    if (!mark.empty()) {
      disk_.plant("/pg/pg_wal/archive_status/" + name.text() + mark, {});
    }
  }
  std::vector<Message> offer(const WalName& name, const FileFacts& facts) {
    session_.greet();
    return session_.say(Offer{7, name, facts});
  }
  std::vector<Message> look_after(milliseconds time) {
    now_ += time;
    session_.receiver().look(now_);
    std::vector<Message> answers;
    while (auto answer = session_.receiver().next_output()) {
      answers.push_back(std::move(*answer));
    }
    return answers;
  }
  static bool is_declined(const std::vector<Message>& answers) {
    return answers.size() == 1 && std::holds_alternative<OfferDeclined>(answers[0]);
  }

  MemoryFileSystem disk_;
  ReceiverSession session_{disk_, OfferedFiles::Options{"/pg", 1}};
  TimePoint now_{std::chrono::seconds(100)};
  const SegmentSpec spec_;
  const WalName name_ = name_of(spec_);
  const Bytes raw_ = build_segment(spec_);
  const FileFacts facts_ = facts_of(name_, raw_, "pgdb1");
};

TEST_F(OfferedFilesTest, MakesItsOwnDurableCopyOfTheSameBytes) {
  EXPECT_EQ(session_.greet().capabilities & kTakesOffers, kTakesOffers);
  stream(raw_, name_);
  EXPECT_TRUE(session_.say(Offer{7, name_, facts_}).empty());
  EXPECT_EQ(session_.receiver().next_look(), TimePoint{});
  EXPECT_TRUE(is_done(look_after(milliseconds(0)), 7, PutOutcome::kStored));
  EXPECT_EQ(session_.store().verify(name_).value(), facts_) << "the origin is who pushed it";
  EXPECT_TRUE(disk_.is_durable("/archive/" + name_.text() + ".gz"));
  EXPECT_EQ(session_.receiver().next_look(), kNever);
}

TEST_F(OfferedFilesTest, DeclinesOtherBytes) {
  SegmentSpec other = spec_;
  other.seed = 2;
  stream(build_segment(other), name_);
  EXPECT_TRUE(offer(name_, facts_).empty());
  EXPECT_TRUE(is_declined(look_after(milliseconds(0))));
  EXPECT_EQ(session_.store().open(name_).error().code, Errc::kNotFound);
}

TEST_F(OfferedFilesTest, WaitsAMomentForTheMark) {
  EXPECT_TRUE(offer(name_, facts_).empty());
  EXPECT_TRUE(look_after(milliseconds(0)).empty());
  EXPECT_EQ(session_.receiver().next_look(), now_ + kOfferLookInterval);
  stream(raw_, name_, "");
  EXPECT_TRUE(look_after(kOfferPatience - milliseconds(1)).empty()) << "not marked";
  disk_.plant("/pg/pg_wal/archive_status/" + name_.text() + ".ready", {});
  EXPECT_TRUE(is_done(look_after(milliseconds(1)), 7, PutOutcome::kStored));
}

TEST_F(OfferedFilesTest, DeclinesWhatDoesNotComeInTime) {
  EXPECT_TRUE(offer(name_, facts_).empty());
  EXPECT_TRUE(look_after(milliseconds(0)).empty());
  EXPECT_TRUE(is_declined(look_after(kOfferPatience)));
  EXPECT_TRUE(look_after(kOfferPatience).empty());
}

TEST_F(OfferedFilesTest, AcknowledgesWhatTheArchiveGotMeanwhile) {
  EXPECT_TRUE(offer(name_, facts_).empty());
  EXPECT_TRUE(look_after(milliseconds(0)).empty());
  session_.put(8, {name_, facts_, build_archive_file(name_, raw_)});
  EXPECT_TRUE(is_done(look_after(kOfferLookInterval), 7, PutOutcome::kIdentical));
}

TEST_F(OfferedFilesTest, AcknowledgesAtOnceWhatTheArchiveHolds) {
  session_.greet();
  session_.put(8, {name_, facts_, build_archive_file(name_, raw_)});
  EXPECT_TRUE(is_done(session_.say(Offer{7, name_, facts_}), 7, PutOutcome::kIdentical));
}

TEST_F(OfferedFilesTest, AnIdIsTakenAsLongAsTheOfferIsOpen) {
  EXPECT_TRUE(offer(name_, facts_).empty());
  EXPECT_TRUE(is_failure(session_.say(Stat{7, name_}), Errc::kProtocol));
  EXPECT_EQ(session_.receiver().next_look(), kNever);
}

TEST_F(OfferedFilesTest, CopiesOneAtATimeSoThatOtherWorkComesInBetween) {
  SegmentSpec next = spec_;
  next.lsn += next.segment_bytes;
  const Bytes raw = build_segment(next);
  stream(raw_, name_);
  stream(raw, name_of(next));
  EXPECT_TRUE(offer(name_, facts_).empty());
  EXPECT_TRUE(session_.say(Offer{8, name_of(next), facts_of(name_of(next), raw)}).empty());
  EXPECT_TRUE(is_done(look_after(milliseconds(0)), 7, PutOutcome::kStored));
  EXPECT_EQ(session_.receiver().next_look(), now_);
  EXPECT_TRUE(is_done(look_after(milliseconds(0)), 8, PutOutcome::kStored));
}

TEST(Offers, AreDeclinedWithoutADataDirectory) {
  MemoryFileSystem disk;
  ReceiverSession session(disk);
  EXPECT_EQ(session.greet().capabilities & kTakesOffers, 0U);
  const WalFile file = wal_file(1);
  const auto answers = session.say(Offer{7, file.name, file.facts});
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_TRUE(std::holds_alternative<OfferDeclined>(answers[0]));
}

}  // namespace
}  // namespace pgwalship
