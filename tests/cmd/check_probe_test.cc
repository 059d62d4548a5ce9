#include "cmd/check_probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pgwalship {
namespace {

using State = ProbeReport::State;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr std::chrono::seconds kPushTimeout{15};

class CheckProbe : public testing::Test {
 protected:
  CheckProbe() { result_.good = "quorum ANY 1 (*) held"; }

  std::string output(const Result<ProbeReport>& report) {
    add_probe(result_, report, kPushTimeout);
    return check_output(result_);
  }

  CheckResult result_;
  ProbeReport report_{
      .id = 1,
      .held = true,
      .elapsed_us = 12'345,
      .nodes = {{"pgdb1", State::kDurable, 9'000, ""}, {"pgdb2", State::kDurable, 12'345, ""}}};
};

TEST_F(CheckProbe, SaysHowLongItTook) {
  EXPECT_EQ(output(report_),
            "PGWALSHIP OK - quorum ANY 1 (*) held, a probe was durable on the quorum after 0.012 s "
            "| 'probe_time'=0.012s;;15;0 'pgdb1_probe_time'=0.009s;;;0 "
            "'pgdb2_probe_time'=0.012s;;;0\n");
}

TEST_F(CheckProbe, ANodeThatDidNotAnswerIsAWarningWhileTheQuorumIsHeld) {
  report_.nodes.push_back({"pgdb3", State::kFailed, 2'000'000, "no answer within 2.0 s"});
  EXPECT_THAT(output(report_), StartsWith("PGWALSHIP WARNING - probe: pgdb3: no answer within 2"));
  EXPECT_THAT(check_output(result_), Not(HasSubstr("pgdb3_probe_time")));
}

TEST_F(CheckProbe, NoQuorumIsCriticalAndFirst) {
  result_.findings.push_back({CheckLevel::kWarning, "something else", ""});
  report_.held = false;
  report_.elapsed_us = 15'000'000;
  report_.nodes[1] = {"pgdb2", State::kNotCounted, 9'000, ""};
  EXPECT_THAT(
      output(report_),
      StartsWith("PGWALSHIP CRITICAL - probe: no quorum made it durable: not on pgdb2 within "
                 "15.000 s"));
  EXPECT_THAT(check_output(result_), HasSubstr("pgdb2 has it, and does not count"));
}

TEST_F(CheckProbe, NamesNoTimeWhenNobodyWasThereToBeWaitedFor) {
  report_.held = false;
  report_.elapsed_us = 20'000;
  report_.nodes[1] = {"pgdb2", State::kFailed, 0, "not connected"};
  EXPECT_THAT(output(report_),
              StartsWith("PGWALSHIP CRITICAL - probe: no quorum made it durable: not on pgdb2 (and "
                         "1 more) |"));
}

TEST_F(CheckProbe, AHintHasALineOfItsOwn) {
  report_.nodes.push_back({"pgdb3", State::kFailed, 0, "no space\nHINT: make room"});
  EXPECT_THAT(output(report_), StartsWith("PGWALSHIP WARNING - probe: pgdb3: no space | "));
  EXPECT_THAT(check_output(result_), HasSubstr("\nWARNING: probe: pgdb3: no space\n  HINT: make "
                                               "room\n"));
}

TEST_F(CheckProbe, NoReportIsCritical) {
  EXPECT_THAT(output(Error{Errc::kTimeout, "the daemon did not answer", "start it"}),
              StartsWith("PGWALSHIP CRITICAL - probe: the daemon did not answer"));
}

}  // namespace
}  // namespace pgwalship
