#include "archiver/back_fill.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tuple>

namespace pgwalship {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Outcome = FileExamined::Outcome;
using Words = std::vector<std::string>;
using std::chrono::seconds;

WalName segment(std::uint64_t number) {
  return WalName::segment_at(1, number << 24U, 1U << 24U);
}

// Segment 5 is "5"; what comes out: "list", "examine 5", "grown", "info: ...".
class BackFillTest : public testing::Test {
 protected:
  void step(const BackFillEvent& event) {
    for (const BackFillAction& action : back_fill_.step(event, now_)) {
      if (std::holds_alternative<ListPgWal>(action)) {
        out_.emplace_back("list");
      } else if (const auto* examine = std::get_if<ExamineFile>(&action)) {
        out_.push_back("examine " + short_name(examine->name) +
                       (examine->unless_still ? " unless still" : ""));
      } else if (std::holds_alternative<ArchiveHasGrown>(action)) {
        out_.emplace_back("grown");
      } else {
        const auto& report = std::get<Report>(action);
        out_.push_back((report.gravity == Gravity::kInfo      ? "info: "
                        : report.gravity == Gravity::kWarning ? "warning: "
                                                              : "error: ") +
                       report.line);
      }
    }
  }
  static std::string short_name(const WalName& name) {
    return name.kind() == WalKind::kSegment ? std::to_string(name.seg()) : name.text();
  }
  Words out() { return std::exchange(out_, {}); }

  void listed(std::vector<ArchiveMark> marks, bool in_recovery = true) {
    step(BackFillTick{});
    step(PgWalListed{PgWalMarks{in_recovery, std::move(marks)}});
  }
  static ArchiveMark done(std::uint64_t number) {
    return {segment(number), ArchiveMark::Kind::kDone};
  }
  static ArchiveMark ready(std::uint64_t number) {
    return {segment(number), ArchiveMark::Kind::kReady};
  }
  void examined(std::uint64_t number, Outcome outcome) {
    step(FileExamined{segment(number), outcome, {}, {}});
  }
  void failed(std::uint64_t number, Errc code) {
    step(FileExamined{segment(number), Outcome::kFailed, Error{code, "trouble", ""}, {}});
  }
  void after(Duration time) {
    now_ += time;
    step(BackFillTick{});
  }

  BackFill back_fill_;
  TimePoint now_{seconds(100)};
  Words out_;
};

TEST_F(BackFillTest, WhatIsReadyIsLookAheadsWhenThatIsOn) {
  BackFill other(BackFill::Ready::kOthers);
  std::ignore = other.step(BackFillTick{}, now_);
  const BackFillActions actions =
      other.step(PgWalListed{PgWalMarks{true, {ready(5), done(6)}}}, now_);
  ASSERT_EQ(actions.size(), 1U);
  EXPECT_EQ(std::get<ExamineFile>(actions[0]).name, segment(6));
}

TEST_F(BackFillTest, H19LooksThatTakeLongAreFarApart) {
  step(BackFillTick{});
  step(PgWalListed{PgWalMarks{true, {}}, std::chrono::milliseconds(300)});
  out();
  step(PgWalHint{});
  after(seconds(2));
  EXPECT_THAT(out(), IsEmpty());
  after(seconds(1));
  EXPECT_THAT(out(), ElementsAre("list"));
}

TEST_F(BackFillTest, H41ReadsTheOldestFirstTwoAtATimeAndAtOnce) {
  listed({done(5), done(6), done(7)});
  EXPECT_THAT(out(), ElementsAre("list", "examine 5", "examine 6"));
  examined(5, Outcome::kStored);
  EXPECT_THAT(out(), ElementsAre("grown", "examine 7"));
  examined(6, Outcome::kThere);
  examined(7, Outcome::kStored);
  EXPECT_THAT(out(), ElementsAre("grown"));
  EXPECT_EQ(back_fill_.view().stored, 2U);
  EXPECT_EQ(back_fill_.view().waiting, 0U);
}

TEST_F(BackFillTest, ScansEverySecondAndAsksForEachNameOnce) {
  listed({done(5)});
  examined(5, Outcome::kThere);
  out();
  EXPECT_EQ(back_fill_.next_wakeup(), now_ + kPgWalScanInterval);
  after(seconds(1));
  listed({done(5), done(6)});
  EXPECT_THAT(out(), ElementsAre("list", "examine 6"));
}

TEST_F(BackFillTest, AHintBringsTheScanForwardAlsoWhileOneRuns) {
  listed({});
  out();
  step(PgWalHint{});
  EXPECT_THAT(out(), IsEmpty());
  EXPECT_EQ(back_fill_.next_wakeup(), now_ + kHintedScanInterval);
  after(kHintedScanInterval);
  EXPECT_THAT(out(), ElementsAre("list"));
  step(PgWalHint{});
  EXPECT_THAT(out(), IsEmpty());
  step(PgWalListed{PgWalMarks{true, {}}});
  EXPECT_EQ(back_fill_.next_wakeup(), now_ + kHintedScanInterval);
}

TEST_F(BackFillTest, OnAPrimaryWhatIsReadyIsItsArchiversBusiness) {
  listed({ready(5), done(6)}, false);
  EXPECT_THAT(out(), ElementsAre("list", "examine 6"));
}

TEST_F(BackFillTest, H21OnAStandbyThatArchivesItselfReadyCountsToo) {
  listed({ready(5)}, true);
  EXPECT_THAT(out(), ElementsAre("list", "examine 5"));
}

TEST_F(BackFillTest, AnUnfinishedSegmentIsLookedAtAgainWithEachScan) {
  listed({done(5)});
  step(FileExamined{segment(5), Outcome::kUnfinished, {}, FileStat{}});
  out();
  EXPECT_EQ(back_fill_.view().waiting, 0U);
  after(seconds(1));
  listed({done(5)});
  EXPECT_THAT(out(), ElementsAre("list", "examine 5 unless still"));
}

TEST_F(BackFillTest, AFullDiskIsReportedOnceAndTriedAgainLater) {
  listed({done(5), done(6)});
  out();
  failed(5, Errc::kNoSpace);
  EXPECT_THAT(out(), ElementsAre(HasSubstr("error: back-fill")));
  failed(6, Errc::kNoSpace);
  EXPECT_THAT(out(), IsEmpty());
  EXPECT_EQ(back_fill_.view().waiting, 2U);
  after(seconds(2));
  EXPECT_THAT(out(), ElementsAre("list", "examine 5", "examine 6"));
  examined(5, Outcome::kStored);
  EXPECT_EQ(back_fill_.view().last_error, "");
}

TEST_F(BackFillTest, AConflictIsAnAlarmAndNotRepeated) {
  listed({done(5)});
  out();
  failed(5, Errc::kConflict);
  EXPECT_THAT(out(), ElementsAre(HasSubstr("error: back-fill: conflict")));
  after(seconds(40));
  listed({done(5)});
  EXPECT_THAT(out(), ElementsAre("list"));
  EXPECT_EQ(back_fill_.view().conflicts, 1U);
}

TEST_F(BackFillTest, WhatWasRecycledTooEarlyIsSaid) {
  listed({done(5)});
  examined(5, Outcome::kGone);  // before our time
  EXPECT_EQ(back_fill_.view().missed, 0U);
  out();
  after(seconds(1));
  listed({done(5), done(6)});
  examined(6, Outcome::kGone);
  EXPECT_THAT(out(), Contains(HasSubstr("000000010000000000000006 was recycled")));
  EXPECT_EQ(back_fill_.view().missed, 1U);
}

TEST_F(BackFillTest, AMarkThatGoesWhileItsFileIsReadIsForgottenAfterwards) {
  listed({done(5)});
  after(seconds(1));
  listed({});
  out();
  examined(5, Outcome::kStored);
  EXPECT_THAT(out(), ElementsAre("grown"));
  after(seconds(1));
  listed({done(5)});
  EXPECT_THAT(out(), ElementsAre("list", "examine 5"));
}

TEST_F(BackFillTest, APgWalThatCannotBeReadIsReportedOnce) {
  step(BackFillTick{});
  out();
  step(PgWalListed{Error{Errc::kNotFound, "no such directory", ""}});
  EXPECT_THAT(out(), ElementsAre(HasSubstr("warning: back-fill: no such directory")));
  after(seconds(1));
  step(PgWalListed{Error{Errc::kNotFound, "no such directory", ""}});
  EXPECT_THAT(out(), ElementsAre("list"));
  after(seconds(1));
  step(PgWalListed{PgWalMarks{true, {done(5)}}});
  EXPECT_THAT(out(), ElementsAre("list", HasSubstr("info: "), "examine 5"));
}

TEST_F(BackFillTest, H19FiftyThousandMarksCostOneExaminationEach) {
  std::vector<ArchiveMark> marks;
  for (std::uint64_t number = 0; number < 50'000; ++number) {
    marks.push_back(
        {WalName::segment_at(1, (number + 1) << 24U, 1U << 24U), ArchiveMark::Kind::kDone});
  }
  std::size_t examinations = 0;
  BackFillActions actions = back_fill_.step(BackFillTick{}, now_);
  actions = back_fill_.step(PgWalListed{PgWalMarks{true, marks}}, now_);
  while (!actions.empty()) {
    const auto* examine = std::get_if<ExamineFile>(&actions.front());
    ASSERT_NE(examine, nullptr);
    std::vector<WalName> names;
    for (const BackFillAction& action : actions) {
      names.push_back(std::get<ExamineFile>(action).name);
    }
    actions.clear();
    for (const WalName& name : names) {
      ++examinations;
      const auto more = back_fill_.step(FileExamined{name, Outcome::kThere, {}, {}}, now_);
      actions.insert(actions.end(), more.begin(), more.end());
    }
  }
  EXPECT_EQ(examinations, marks.size());
}

}  // namespace
}  // namespace pgwalship
