#include "transport/receiver.h"

#include "tests/transport/receiver_session.h"

#include <gtest/gtest.h>

namespace pgwalship {
namespace {

using Operation = MemoryFileSystem::Operation;

class ReceiverTest : public testing::Test {
 protected:
  std::vector<std::string> staged_files() const {
    return disk_.list("/archive/.pgwalship/tmp").value();
  }
  std::string path(const WalFile& file) const { return "/archive/" + file.name.text() + ".gz"; }
  std::vector<std::string> quarantined() { return session_.store().quarantined().value(); }

  MemoryFileSystem disk_;
  ReceiverSession session_{disk_};
  const WalFile file_ = wal_file(1);
};

class GreetedReceiver : public ReceiverTest {
 protected:
  void SetUp() override { session_.greet(); }
};

TEST_F(ReceiverTest, GreetsWithWhatTheStoreKnows) {
  const Hello empty = session_.greet();
  EXPECT_EQ(empty.role, Role::kReceiver);
  EXPECT_EQ(empty.node, kReceiverNode);
  EXPECT_EQ(empty.system_id, 0U);
  EXPECT_FALSE(empty.reconciled);
  ASSERT_TRUE(is_done(session_.put(1, file_), 1, PutOutcome::kStored));
  ASSERT_TRUE(is_done(session_.say(Reconciled{2}), 2, PutOutcome::kStored));

  const Hello known = ReceiverSession(disk_, 2).greet();
  EXPECT_EQ(known.system_id, kTestSystemId);
  EXPECT_TRUE(known.reconciled);
}

TEST_F(ReceiverTest, RefusesEverythingBeforeHello) {
  for (const Message& message : sample_messages()) {
    if (std::holds_alternative<Hello>(message) || std::holds_alternative<Failure>(message)) {
      continue;
    }
    ReceiverSession session(disk_);
    EXPECT_TRUE(is_failure(session.say(message), Errc::kProtocol)) << message.index();
    EXPECT_TRUE(session.receiver().ended());
    EXPECT_TRUE(session.say(sender_hello()).empty());
  }
}

TEST_F(ReceiverTest, RefusesAnotherNodesKey) {
  Hello other = sender_hello();
  other.node = "pgdb3.example.com";
  const auto answers = session_.say(other);
  ASSERT_TRUE(is_failure(answers, Errc::kInvalid));
  const Error& error = std::get<Failure>(answers[0]).error;
  EXPECT_NE(error.message.find("'pgdb3.example.com'"), std::string::npos);
  EXPECT_NE(error.hint.find("--from"), std::string::npos);
  EXPECT_TRUE(session_.receiver().ended());
}

TEST_F(ReceiverTest, H11RefusesASenderOfAForeignSystem) {
  session_.greet();
  ASSERT_TRUE(is_done(session_.put(1, file_), 1, PutOutcome::kStored));
  Hello foreign = sender_hello();
  foreign.system_id = kTestSystemId + 1;
  EXPECT_TRUE(is_failure(ReceiverSession(disk_, 2).say(foreign), Errc::kInvalid));
}

TEST_F(ReceiverTest, H45GreetsALaterVersionAndRefusesAForeignOne) {
  Hello later = sender_hello();
  later.version = 2;
  EXPECT_EQ(session_.ask<Hello>(later).version, 1);
  later.version_min = 2;
  const auto answers = ReceiverSession(disk_, 2).say(later);
  ASSERT_TRUE(is_failure(answers, Errc::kInvalid));
  EXPECT_FALSE(std::get<Failure>(answers[0]).error.hint.empty());
}

TEST_F(ReceiverTest, H43GreetsASenderWithAnotherConfiguration) {
  Hello different = sender_hello();
  different.config_digest += 1;
  EXPECT_EQ(session_.ask<Hello>(different).config_digest, receiver_hello().config_digest);
}

TEST_F(ReceiverTest, FailsTheGreetingWhenTheArchiveCannotSayWhoseItIs) {
  disk_.plant("/archive/.pgwalship/system-identifier", as_bytes("nonsense"));
  EXPECT_TRUE(is_failure(session_.say(sender_hello()), Errc::kCorrupt));
}

CompareResult compared() {
  return {1, false, 0, 0, {0, {SameRange{}}}};
}

bool is_same(const CompareResult& result) {
  return result.answer.ranges.size() == 1 &&
         std::holds_alternative<SameRange>(result.answer.ranges[0]);
}

TEST_F(GreetedReceiver, AnswersPing) {
  EXPECT_EQ(session_.ask<Pong>(Ping{77}).number, 77U);
}

TEST_F(GreetedReceiver, EndsOnMessagesThatAreNotASenders) {
  for (const Message& message : std::vector<Message>{
           sender_hello(), Done{}, StatResult{}, GetBegin{}, GetEnd{}, Pong{},
           Fetch{1, file_.name, 0}, FetchResult{}, StatusQuery{}, StatusReport{}, compared()}) {
    ReceiverSession session(disk_);
    session.greet();
    EXPECT_TRUE(is_failure(session.say(message), Errc::kProtocol)) << message.index();
    EXPECT_TRUE(session.receiver().ended());
  }
}

TEST_F(GreetedReceiver, EndsQuietlyWhenTheSenderFails) {
  session_.say(Put{1, file_.name, 0, file_.facts});
  EXPECT_TRUE(session_.say(Failure{}).empty());
  EXPECT_TRUE(session_.receiver().ended());
  EXPECT_TRUE(staged_files().empty());
}

TEST_F(GreetedReceiver, StoresAPutDurablyBeforeItsDone) {
  EXPECT_TRUE(is_done(session_.put(1, file_), 1, PutOutcome::kStored));
  EXPECT_TRUE(disk_.is_durable(path(file_)));
  EXPECT_EQ(disk_.content(path(file_)), file_.bytes);
  EXPECT_TRUE(staged_files().empty());
}

TEST_F(GreetedReceiver, StoresInterleavedPutsOfUnknownSize) {
  const WalFile other = wal_file(2);
  session_.say(Put{1, file_.name, 0, file_.facts});
  session_.say(Put{2, other.name, 0, other.facts});
  for (std::size_t at = 0; at < std::max(file_.bytes.size(), other.bytes.size()); at += 1000) {
    for (const auto& [id, file] : {std::pair(1, &file_), std::pair(2, &other)}) {
      if (at < file->bytes.size()) {
        const ByteView piece =
            ByteView(file->bytes).subspan(at, std::min<std::size_t>(1000, file->bytes.size() - at));
        session_.say(Data{static_cast<std::uint64_t>(id), Bytes(piece.begin(), piece.end())});
      }
    }
  }
  EXPECT_TRUE(is_done(session_.say(PutEnd{2, crc32(0, other.bytes)}), 2, PutOutcome::kStored));
  EXPECT_TRUE(is_done(session_.say(PutEnd{1, crc32(0, file_.bytes)}), 1, PutOutcome::kStored));
}

TEST_F(GreetedReceiver, H23AnswersADuplicateBeforeItsBytesCome) {
  ASSERT_TRUE(is_done(session_.put(1, file_), 1, PutOutcome::kStored));
  disk_.clear_operations();
  EXPECT_TRUE(is_done(session_.say(Put{2, file_.name, file_.bytes.size(), file_.facts}), 2,
                      PutOutcome::kIdentical));
  EXPECT_EQ(disk_.operations(),
            (std::vector<std::string>{"sync " + path(file_), "syncdir /archive"}));
  EXPECT_TRUE(session_.say(Data{2, Bytes(10)}).empty());
  EXPECT_TRUE(session_.say(PutEnd{2, 0}).empty());
  EXPECT_TRUE(is_failure(session_.say(PutEnd{2, 0}), Errc::kProtocol));
}

TEST_F(GreetedReceiver, H23DeliversAgainInALaterSession) {
  ASSERT_TRUE(is_done(session_.put(1, file_), 1, PutOutcome::kStored));
  ReceiverSession again(disk_, 2);
  again.greet();
  EXPECT_TRUE(is_done(again.put(1, file_), 1, PutOutcome::kIdentical));
  EXPECT_EQ(again.store().list().value().size(), 1U);
}

TEST_F(GreetedReceiver, H24AnswersForALegacyCopyOfTheSameContent) {
  SegmentSpec spec;
  spec.lsn = kSegmentBytesMin;
  disk_.plant(path(file_), build_legacy_file(build_segment(spec), {.level = 9, .modified = 1}));
  EXPECT_TRUE(is_done(session_.put(1, file_), 1, PutOutcome::kIdentical));
}

TEST_F(GreetedReceiver, H4WritesACopyAnewThatCannotBeSynced) {
  disk_.plant(path(file_), file_.bytes);
  disk_.fail({.operation = Operation::kSync, .path_part = path(file_)});
  EXPECT_TRUE(is_done(session_.put(1, file_), 1, PutOutcome::kIdentical));
  EXPECT_TRUE(disk_.is_durable(path(file_)));
}

TEST_F(GreetedReceiver, H28ReplacesACorruptCopyInsteadOfTrustingItsHeader) {
  Bytes damaged = file_.bytes;
  damaged[damaged.size() / 2] ^= std::byte{1};
  disk_.plant(path(file_), damaged);
  EXPECT_TRUE(is_done(session_.put(1, file_), 1, PutOutcome::kStored));
  EXPECT_EQ(disk_.content(path(file_)), file_.bytes);
  EXPECT_EQ(quarantined().size(), 1U);
}

TEST_F(GreetedReceiver, H5RefusesOtherContentAndKeepsBoth) {
  ASSERT_TRUE(is_done(session_.put(1, file_), 1, PutOutcome::kStored));
  const WalFile rival = wal_file(1, 99);
  const auto answers = session_.put(2, rival);
  ASSERT_TRUE(is_refused(answers, 2, Errc::kConflict));
  const std::string message = only_done(answers, 2)->error->message;
  EXPECT_NE(message.find(file_.facts.sha256.hex()), std::string::npos);
  EXPECT_NE(message.find(rival.facts.sha256.hex()), std::string::npos);
  EXPECT_EQ(disk_.content(path(file_)), file_.bytes);
  EXPECT_EQ(quarantined().size(), 1U);
  EXPECT_FALSE(session_.receiver().ended());
}

TEST_F(GreetedReceiver, RefusesBytesThatAreNotWhatWasAnnounced) {
  WalFile flipped = file_;
  flipped.bytes[flipped.bytes.size() / 2] ^= std::byte{1};
  session_.say(Put{1, file_.name, file_.bytes.size(), file_.facts});
  for (std::size_t at = 0; at < flipped.bytes.size(); at += kDataBytesMax) {
    const ByteView piece =
        ByteView(flipped.bytes).subspan(at, std::min(kDataBytesMax, flipped.bytes.size() - at));
    session_.say(Data{1, Bytes(piece.begin(), piece.end())});
  }
  EXPECT_TRUE(is_refused(session_.say(PutEnd{1, crc32(0, file_.bytes)}), 1, Errc::kCorrupt));
  EXPECT_TRUE(staged_files().empty());
}

TEST_F(GreetedReceiver, RefusesAFileThatIsShorterOrLongerThanAnnounced) {
  session_.say(Put{1, file_.name, 100, file_.facts});
  session_.say(Data{1, Bytes(99)});
  EXPECT_TRUE(is_refused(session_.say(PutEnd{1, crc32(0, Bytes(99))}), 1, Errc::kCorrupt));
  session_.say(Put{2, file_.name, 100, file_.facts});
  EXPECT_TRUE(is_refused(session_.say(Data{2, Bytes(101)}), 2, Errc::kCorrupt));
  EXPECT_TRUE(session_.say(Data{2, Bytes(101)}).empty());
  EXPECT_TRUE(session_.say(PutEnd{2, 0}).empty());
  EXPECT_TRUE(staged_files().empty());
}

TEST_F(GreetedReceiver, RefusesAFileThatNoSegmentCanBe) {
  EXPECT_TRUE(
      is_refused(session_.say(Put{1, file_.name, kFileBytesMax + 1, {}}), 1, Errc::kInvalid));
  EXPECT_TRUE(session_.say(PutEnd{1, 0}).empty());
}

TEST_F(GreetedReceiver, H16AFullDiskCostsOneRequest) {
  disk_.fail({.operation = Operation::kCreate, .error = {Errc::kNoSpace, "full", ""}});
  EXPECT_TRUE(is_refused(session_.put(1, file_), 1, Errc::kNoSpace));
  disk_.fail({.operation = Operation::kWrite, .error = {Errc::kNoSpace, "full", ""}, .after = 1});
  EXPECT_TRUE(is_refused(session_.put(2, file_), 2, Errc::kNoSpace));
  EXPECT_TRUE(staged_files().empty());
  EXPECT_TRUE(is_done(session_.put(3, file_), 3, PutOutcome::kStored));
}

TEST_F(GreetedReceiver, EndsOnAnIdThatIsOpen) {
  for (const Message& second :
       std::vector<Message>{Put{1, file_.name, 0, {}}, Get{1, file_.name}, Stat{1, file_.name},
                            ask_for_all(1), Reconciled{1}}) {
    ReceiverSession session(disk_);
    session.greet();
    EXPECT_TRUE(session.say(Put{1, file_.name, 0, {}}).empty());
    EXPECT_TRUE(is_failure(session.say(second), Errc::kProtocol)) << second.index();
    EXPECT_TRUE(staged_files().empty());
  }
}

TEST_F(GreetedReceiver, EndsOnDataForAnIdThatIsNotOpen) {
  EXPECT_TRUE(is_failure(session_.say(Data{9, Bytes(1)}), Errc::kProtocol));
}

TEST_F(GreetedReceiver, EndsOnWhatComesAfterPutEnd) {
  for (const Message& late : std::vector<Message>{Data{1, Bytes(1)}, PutEnd{1, 0}}) {
    ReceiverSession session(disk_);
    session.greet();
    EXPECT_FALSE(session.put(1, file_).empty());
    EXPECT_TRUE(is_failure(session.say(late), Errc::kProtocol)) << late.index();
  }
}

TEST_F(GreetedReceiver, EndsOnTooManyOpenPuts) {
  std::uint64_t id = 0;
  while (id < kOpenPutsMax) {
    EXPECT_TRUE(session_.say(Put{++id, file_.name, 0, {}}).empty());
  }
  EXPECT_TRUE(is_failure(session_.say(Put{++id, file_.name, 0, {}}), Errc::kProtocol));
  EXPECT_TRUE(staged_files().empty());
}

TEST_F(GreetedReceiver, StatTellsPresentFromAbsentFromCorrupt) {
  EXPECT_EQ(session_.ask<StatResult>(Stat{1, file_.name}).presence, Presence::kAbsent);
  disk_.plant(path(file_), file_.bytes);
  const auto present = session_.ask<StatResult>(Stat{1, file_.name});
  EXPECT_EQ(present.presence, Presence::kPresent);
  EXPECT_EQ(present.file_bytes, file_.bytes.size());
  EXPECT_EQ(present.facts, file_.facts);
  ASSERT_TRUE(disk_.remove(path(file_)).ok());
  disk_.plant(path(file_), as_bytes("not gzip"));
  EXPECT_EQ(session_.ask<StatResult>(Stat{1, file_.name}).presence, Presence::kCorrupt);
}

TEST_F(GreetedReceiver, StatTellsWhatHasExpiredAndWhatTheServerNeeds) {
  const WalName old = WalName::segment_at(1, 0, kSegmentBytesMin);
  EXPECT_EQ(session_.ask<StatResult>(Stat{1, old}).needs, 0U);
  disk_.plant("/archive/.pgwalship/floor", as_bytes("0000000000000001\n"));
  disk_.plant("/archive/.pgwalship/needs", as_bytes("0000000A000000FF\n"));
  const auto expired = session_.ask<StatResult>(Stat{2, old});
  EXPECT_EQ(expired.presence, Presence::kExpired);
  EXPECT_EQ(expired.needs, 0xA'000000FFU);
}

TEST_F(GreetedReceiver, H25AnUnreadableArchiveIsNoEvidenceOfAbsence) {
  disk_.fail({.operation = Operation::kOpen});
  EXPECT_TRUE(is_refused(session_.say(Stat{1, file_.name}), 1, Errc::kIo));
  disk_.fail({.operation = Operation::kFreeBytes, .error = {Errc::kNotFound, "gone", ""}});
  EXPECT_TRUE(is_refused(session_.say(Stat{2, file_.name}), 2, Errc::kIo));
  disk_.fail({.operation = Operation::kList});
  EXPECT_TRUE(is_refused(session_.say(ask_for_all(3)), 3, Errc::kIo));
}

TEST_F(GreetedReceiver, H25AnArchiveThatWasUnmountedIsNoEvidenceOfAbsence) {
  ASSERT_TRUE(is_done(session_.say(Reconciled{1}), 1, PutOutcome::kStored));
  const auto absent = session_.ask<StatResult>(Stat{2, file_.name});
  EXPECT_EQ(absent.presence, Presence::kAbsent);
  EXPECT_TRUE(absent.reconciled);
  ASSERT_TRUE(disk_.remove("/archive/.pgwalship/reconciled").ok());
  EXPECT_TRUE(is_refused(session_.say(Stat{3, file_.name}), 3, Errc::kIo));
  EXPECT_TRUE(is_refused(session_.say(Get{4, file_.name}), 4, Errc::kIo));
}

TEST_F(GreetedReceiver, GetGivesTheBytesOnDisk) {
  disk_.plant(path(file_), file_.bytes);
  const std::vector<Message> answers = session_.say(Get{5, file_.name});
  const auto& begin = std::get<GetBegin>(answers.front());
  EXPECT_EQ(begin.file_bytes, file_.bytes.size());
  EXPECT_EQ(begin.facts, file_.facts);
  Bytes bytes;
  for (std::size_t i = 1; i + 1 < answers.size(); ++i) {
    const Bytes& piece = std::get<Data>(answers[i]).bytes;
    bytes.insert(bytes.end(), piece.begin(), piece.end());
  }
  EXPECT_EQ(bytes, file_.bytes);
  EXPECT_EQ(std::get<GetEnd>(answers.back()).file_crc32, crc32(0, file_.bytes));
}

TEST_F(GreetedReceiver, GetsTakeTurnsAndOtherAnswersComeFirst) {
  const WalFile other = wal_file(2);
  disk_.plant(path(file_), file_.bytes);
  disk_.plant(path(other), other.bytes);
  Receiver& receiver = session_.receiver();
  receiver.on_message(Get{1, file_.name});
  receiver.on_message(Get{2, other.name});
  EXPECT_TRUE(std::holds_alternative<GetBegin>(*receiver.next_output()));
  EXPECT_TRUE(std::holds_alternative<GetBegin>(*receiver.next_output()));
  EXPECT_EQ(std::get<Data>(*receiver.next_output()).id, 1U);
  EXPECT_EQ(std::get<Data>(*receiver.next_output()).id, 2U);
  receiver.on_message(Ping{3});
  EXPECT_TRUE(std::holds_alternative<Pong>(*receiver.next_output()));
  EXPECT_EQ(std::get<Data>(*receiver.next_output()).id, 1U);
}

TEST_F(GreetedReceiver, WhatIsReadAheadGoesBehindWhatSomebodyWaitsFor) {
  const WalFile other = wal_file(2);
  disk_.plant(path(file_), file_.bytes);
  disk_.plant(path(other), other.bytes);
  Receiver& receiver = session_.receiver();
  receiver.on_message(Get{1, file_.name, Urgency::kAhead});
  std::ignore = receiver.next_output();
  EXPECT_EQ(std::get<Data>(*receiver.next_output()).id, 1U);
  receiver.on_message(Get{2, other.name, Urgency::kWanted});
  std::ignore = receiver.next_output();
  for (std::optional<Message> piece = receiver.next_output();
       piece && std::holds_alternative<Data>(*piece); piece = receiver.next_output()) {
    EXPECT_EQ(std::get<Data>(*piece).id, 2U);
  }
  EXPECT_EQ(std::get<Data>(*receiver.next_output()).id, 1U);
}

TEST_F(GreetedReceiver, AFileThatCannotBeReadCostsItsGetAlone) {
  const WalFile other = wal_file(2);
  disk_.plant(path(file_), file_.bytes);
  disk_.plant(path(other), other.bytes);
  session_.receiver().on_message(Get{1, file_.name});
  session_.receiver().on_message(Get{2, other.name});
  disk_.fail({.operation = Operation::kRead, .path_part = path(file_)});
  const std::vector<Message> rest = session_.say(Ping{0});
  EXPECT_EQ(std::ranges::count_if(rest,
                                  [](const Message& m) {
                                    const auto* done = std::get_if<Done>(&m);
                                    return done && done->id == 1 && done->error &&
                                           done->error->code == Errc::kIo;
                                  }),
            1);
  EXPECT_EQ(std::get<GetEnd>(rest.back()).id, 2U);
}

TEST_F(GreetedReceiver, RefusesAGetOfWhatIsNotThereOrNotReadable) {
  EXPECT_TRUE(is_refused(session_.say(Get{1, file_.name}), 1, Errc::kNotFound));
  disk_.plant(path(file_), as_bytes("not gzip"));
  EXPECT_TRUE(is_refused(session_.say(Get{2, file_.name}), 2, Errc::kCorrupt));
}

TEST_F(GreetedReceiver, PutsOffAGetOverTheLimit) {
  disk_.plant(path(file_), file_.bytes);
  Receiver& receiver = session_.receiver();
  std::uint64_t id = 0;
  while (id < kOpenGetsMax) {
    receiver.on_message(Get{++id, file_.name});
    ASSERT_TRUE(std::holds_alternative<GetBegin>(*receiver.next_output()));
  }
  receiver.on_message(Get{++id, file_.name});
  EXPECT_EQ(std::get<Done>(*receiver.next_output()).error->code, Errc::kRetry);
  EXPECT_FALSE(receiver.ended());
}

TEST_F(GreetedReceiver, ComparesWithWhatTheArchiveHoldsNow) {
  EXPECT_TRUE(is_same(session_.ask<CompareResult>(ask_for_all(1))));
  disk_.plant(path(file_), file_.bytes);
  disk_.plant("/archive/unrelated.txt", {});
  const auto result = session_.ask<CompareResult>(ask_for_all(2));
  EXPECT_EQ(result.id, 2U);
  EXPECT_FALSE(result.reconciled);
  ASSERT_EQ(result.answer.ranges.size(), 1U);
  const auto& listed = std::get<ListedRange>(result.answer.ranges[0]);
  ASSERT_EQ(listed.items.size(), 1U);
  EXPECT_EQ(listed.items[0].place, ArchivePlace::of(file_.name));
  EXPECT_EQ(listed.items[0].key, ContentKey::of(file_.facts.sha256));
  ASSERT_TRUE(disk_.remove(path(file_)).ok());
  EXPECT_TRUE(is_same(session_.ask<CompareResult>(ask_for_all(3))));
}

TEST_F(GreetedReceiver, ComparesAboveItsFloor) {
  disk_.plant(path(file_), file_.bytes);
  ASSERT_TRUE(session_.store().raise_floor(file_.name.position() + 1).ok());
  const auto result = session_.ask<CompareResult>(ask_for_all(1));
  EXPECT_EQ(result.answer.floor, result.evidence_from);
  EXPECT_EQ(result.evidence_from, file_.name.position() + 1);
  EXPECT_TRUE(is_same(result));
}

TEST_F(GreetedReceiver, AnswersOthersWhileAComparisonWaitsForTheIndex) {
  session_.hold_looks();
  EXPECT_TRUE(session_.say(ask_for_all(1)).empty());
  EXPECT_EQ(session_.ask<Pong>(Ping{77}).number, 77U);
  EXPECT_TRUE(is_done(session_.put(2, file_), 2, PutOutcome::kStored));
  session_.let_go();
  const auto answer = session_.receiver().next_output();
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(std::get<CompareResult>(*answer).id, 1U);
}

TEST_F(GreetedReceiver, PutsOffComparisonsOverTheLimitAndForgetsThemAtTheEnd) {
  session_.hold_looks();
  std::uint64_t id = 0;
  while (id < kOpenComparesMax) {
    EXPECT_TRUE(session_.say(ask_for_all(++id)).empty());
  }
  EXPECT_TRUE(is_refused(session_.say(ask_for_all(id + 1)), id + 1, Errc::kRetry));
  EXPECT_TRUE(is_failure(session_.say(ask_for_all(1)), Errc::kProtocol)) << "1 is open";
  session_.let_go();
  EXPECT_FALSE(session_.receiver().next_output().has_value());
}

TEST_F(GreetedReceiver, WhatMayHaveExpiredIsNotJustAbsent) {
  const WalName old = wal_name("000000010000000A00000001");
  const WalName kept = wal_name("000000010000000A00000002");
  bool has_let_it_go = false;
  const auto presence = [&](std::uint64_t id, const WalName& name) {
    const auto result = session_.ask<StatResult>(Stat{id, name});
    has_let_it_go = result.reconciled;
    return result.presence;
  };
  EXPECT_EQ(presence(1, old), Presence::kAbsent);
  ASSERT_TRUE(is_done(session_.say(Reconciled{2, kept.position()}), 2, PutOutcome::kStored));
  EXPECT_EQ(presence(3, old), Presence::kExpired) << "nobody vouched for what is below";
  EXPECT_FALSE(has_let_it_go) << "it may never have had it";
  EXPECT_EQ(presence(4, kept), Presence::kAbsent);
  ASSERT_TRUE(session_.store().raise_floor(kept.position() + 1).ok());
  EXPECT_EQ(presence(5, kept), Presence::kExpired);
  EXPECT_TRUE(has_let_it_go);
  EXPECT_EQ(presence(6, wal_name("00000002.history")), Presence::kAbsent) << "always kept";
}

TEST_F(GreetedReceiver, H42ReconciledIsDurableBeforeItsDone) {
  disk_.fail({.operation = Operation::kSync});
  EXPECT_TRUE(is_refused(session_.say(Reconciled{1}), 1, Errc::kIo));
  EXPECT_TRUE(is_done(session_.say(Reconciled{2}), 2, PutOutcome::kStored));
  EXPECT_TRUE(disk_.is_durable("/archive/.pgwalship/reconciled"));
}

}  // namespace
}  // namespace pgwalship
