#include "tests/transport/receiver_session.h"

#include <gtest/gtest.h>

namespace pgwalship {
namespace {

class ReadingReceiver : public testing::Test {
 protected:
  void SetUp() override { session_.greet(); }
  static std::string path(const WalFile& file) { return "/archive/" + file.name.text() + ".gz"; }

  MemoryFileSystem disk_;
  ReceiverSession session_{disk_};
  const WalFile file_ = wal_file(1);
};

TEST_F(ReadingReceiver, H28StatReadsTheContentWhenAskedToAndOtherWorkComesFirst) {
  WalFile bad = wal_file(2);
  disk_.plant(path(file_), file_.bytes);
  bad.bytes[bad.bytes.size() / 2] ^= std::byte{1};
  disk_.plant(path(bad), bad.bytes);
  EXPECT_TRUE(session_.say(Stat{1, file_.name, Look::kContent}).empty());
  EXPECT_TRUE(session_.say(Stat{2, bad.name, Look::kContent}).empty());
  EXPECT_EQ(session_.ask<StatResult>(Stat{3, bad.name}).presence, Presence::kPresent)
      << "by its header";
  EXPECT_EQ(session_.receiver().next_look(), TimePoint{});
  for (const Presence expected : {Presence::kPresent, Presence::kCorrupt}) {
    session_.receiver().look(TimePoint{});
    EXPECT_EQ(std::get<StatResult>(*session_.receiver().next_output()).presence, expected);
    EXPECT_FALSE(session_.receiver().next_output());
  }
  EXPECT_EQ(session_.receiver().next_look(), kNever);
}

TEST_F(ReadingReceiver, ReadsNothingWhileAPutIsOpen) {
  EXPECT_TRUE(session_.say(Stat{1, file_.name, Look::kContent}).empty());
  EXPECT_TRUE(session_.say(Put{2, file_.name, file_.bytes.size(), file_.facts}).empty());
  session_.receiver().look(TimePoint{});
  EXPECT_FALSE(session_.receiver().next_output());
  EXPECT_EQ(session_.receiver().next_look(), kNever);
  EXPECT_FALSE(session_.say(PutEnd{2, 0}).empty());
  EXPECT_EQ(session_.receiver().next_look(), TimePoint{});
}

TEST_F(ReadingReceiver, StatsOfContentAreBounded) {
  std::uint64_t id = 0;
  while (id < kOpenReadsMax) {
    EXPECT_TRUE(session_.say(Stat{++id, file_.name, Look::kContent}).empty());
  }
  ++id;
  EXPECT_TRUE(is_refused(session_.say(Stat{id, file_.name, Look::kContent}), id, Errc::kRetry));
  EXPECT_TRUE(is_failure(session_.say(Stat{1, file_.name}), Errc::kProtocol)) << "1 is open";
}

TEST_F(ReadingReceiver, WhatVanishedIsNotJustAbsentUntilTheArchiveIsCalledWholeAgain) {
  disk_.plant(path(file_), file_.bytes);
  EXPECT_EQ(session_.ask<CompareResult>(ask_for_all(1)).vanished_mark, 0U);
  ASSERT_TRUE(disk_.remove(path(file_)).ok());
  EXPECT_EQ(session_.ask<StatResult>(Stat{2, file_.name}).presence, Presence::kVanished)
      << "the index knows it";
  EXPECT_EQ(session_.ask<StatResult>(Stat{3, wal_file(9).name}).presence, Presence::kAbsent);
  ASSERT_TRUE(session_.ask<CompareResult>(ask_for_all(4)).vanished_mark == 0U)
      << "found by this comparison's own look";
  EXPECT_EQ(session_.ask<StatResult>(Stat{5, file_.name}).presence, Presence::kVanished)
      << "the store knows it";
  const auto compared = session_.ask<CompareResult>(ask_for_all(6));
  EXPECT_NE(compared.vanished_mark, 0U);
  EXPECT_TRUE(
      is_done(session_.say(Reconciled{7, 0, compared.vanished_mark - 1}), 7, PutOutcome::kStored));
  EXPECT_EQ(session_.ask<StatResult>(Stat{8, file_.name}).presence, Presence::kVanished);
  EXPECT_TRUE(
      is_done(session_.say(Reconciled{9, 0, compared.vanished_mark}), 9, PutOutcome::kStored));
  EXPECT_EQ(session_.ask<StatResult>(Stat{10, file_.name}).presence, Presence::kAbsent);
}

}  // namespace
}  // namespace pgwalship
