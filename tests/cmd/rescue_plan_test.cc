#include "cmd/rescue_plan.h"

#include "tests/support/memory_file_system.h"
#include "tests/support/record_builder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace pgwalship {
namespace {

using testing::AllOf;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

class RescuePlanTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(store_.prepare().ok());
    disk_.plant("/pg/pg_wal/archive_status/keep", {});
  }

  static SegmentSpec spec(std::uint64_t number) {
    SegmentSpec spec;
    spec.lsn = number * spec.segment_bytes;
    return spec;
  }
  void archive(const WalName& name, const Bytes& content) {
    disk_.plant("/archive/" + name.text() + ".gz", build_archive_file(name, content));
  }
  void plant(const WalName& name, const Bytes& content, const std::string& mark = "") {
    disk_.plant("/pg/pg_wal/" + name.text(), content);
    if (!mark.empty()) {
      disk_.plant("/pg/pg_wal/archive_status/" + name.text() + mark, {});
    }
  }
  static Bytes unfinished(const SegmentSpec& spec) {
    RecordBuilder records({.segment = spec});
    records.add(100, 1);
    return records.build();
  }
  std::vector<std::string> plan(std::uint64_t system_id = kTestSystemId) {
    auto plan = plan_rescue(disk_, directory_, store_, system_id, [](const WalName&) {});
    if (!plan.ok()) {
      return {plan.error().message};
    }
    std::vector<std::string> words;
    for (const RescueFile& file : plan.value().files) {
      words.push_back(file.name.text() + (file.is_ready ? " ready" : ""));
    }
    left_out_ = plan.value().left_out;
    lost_.clear();
    for (const RescueLoss& loss : plan.value().lost) {
      lost_.push_back(loss.name.text() + (loss.is_ready ? " ready: " : ": ") + loss.why);
    }
    return words;
  }

  MemoryFileSystem disk_;
  ArchiveStore store_{disk_, {.directory = "/archive"}};
  const DataDirectory directory_{disk_, "/pg"};
  std::vector<std::string> left_out_;
  std::vector<std::string> lost_;
};

TEST_F(RescuePlanTest, H40ReadyFilesComeFirstAndTheLastSegmentGoesAsPartial) {
  plant(name_of(spec(16)), build_segment(spec(16)), ".done");
  plant(name_of(spec(17)), build_segment(spec(17)), ".ready");
  plant(name_of(spec(18)), unfinished(spec(18)));
  plant(WalName::segment_at(1, spec(19).lsn, kSegmentBytesMin), build_segment(spec(12)));
  plant(WalName::parse("00000002.history").value(), build_history(2, 1), ".ready");
  EXPECT_THAT(plan(), ElementsAre("00000002.history ready", "000000010000000000000011 ready",
                                  "000000010000000000000010", "000000010000000000000012.partial"));
  EXPECT_THAT(left_out_, IsEmpty());
}

TEST_F(RescuePlanTest, AnUnfinishedSegmentThatTheArchiveHasWholeIsLeftOut) {
  const WalName name = name_of(spec(18));
  plant(name, unfinished(spec(18)));
  archive(name, build_segment(spec(18)));
  EXPECT_THAT(plan(), IsEmpty());
  EXPECT_THAT(left_out_, ElementsAre(HasSubstr("the archive has it whole")));
}

TEST_F(RescuePlanTest, APartialFileOfPostgresqlStandsForItsSegment) {
  plant(name_of(spec(18)), unfinished(spec(18)));
  plant(WalName::parse(name_of(spec(18)).text() + ".partial").value(), unfinished(spec(18)),
        ".ready");
  EXPECT_THAT(plan(), ElementsAre("000000010000000000000012.partial ready"));
}

TEST_F(RescuePlanTest, H40WhatIsReadyAndCannotBeReadIsLost) {
  Bytes no_first_page = build_segment(spec(17));
  std::fill_n(no_first_page.begin(), 8192, std::byte{0});
  plant(name_of(spec(16)), build_segment(spec(16)), ".ready");
  plant(name_of(spec(17)), no_first_page, ".ready");
  plant(name_of(spec(18)), build_segment(spec(12)), ".ready");
  plant(name_of(spec(19)), {}, ".ready");
  plant(name_of(spec(20)), no_first_page, ".done");
  plant(name_of(spec(21)), no_first_page);
  EXPECT_THAT(plan(), ElementsAre("000000010000000000000010 ready"));
  EXPECT_THAT(left_out_, IsEmpty());
  EXPECT_THAT(lost_, ElementsAre(StartsWith("000000010000000000000011 ready: "),
                                 StartsWith("000000010000000000000012 ready: "),
                                 StartsWith("000000010000000000000013 ready: ")));
  for (const std::uint64_t number : {17, 18, 19}) {
    archive(name_of(spec(number)), build_segment(spec(number)));
  }
  plan();
  EXPECT_THAT(lost_, IsEmpty());
  EXPECT_THAT(left_out_, Each(HasSubstr("it cannot be read, and the archive has it")));
  EXPECT_EQ(left_out_.size(), 3U);
}

TEST_F(RescuePlanTest, H40AReadyMarkWithoutAFileIsALoss) {
  for (const std::uint64_t number : {15, 16, 17}) {
    disk_.plant("/pg/pg_wal/archive_status/" + name_of(spec(number)).text() + ".ready", {});
  }
  disk_.plant("/pg/pg_wal/archive_status/00000002.history.ready", {});
  archive(name_of(spec(16)), build_segment(spec(16)));
  ASSERT_TRUE(store_.raise_floor(name_of(spec(16)).position()).ok());
  EXPECT_THAT(plan(), IsEmpty());
  EXPECT_THAT(left_out_, ElementsAre(HasSubstr("has expired"), HasSubstr("the archive has it")));
  EXPECT_THAT(lost_, ElementsAre(HasSubstr("00000002.history ready: it is missing in pg_wal"),
                                 HasSubstr("000000010000000000000011 ready: it is missing")));
}

TEST_F(RescuePlanTest, ADiskErrorCostsOneFile) {
  plant(name_of(spec(16)), build_segment(spec(16)), ".done");
  plant(name_of(spec(17)), build_segment(spec(17)), ".ready");
  disk_.fail({.operation = FaultScript::Operation::kRead,
              .after = 1,
              .count = 100,
              .path_part = "/pg/pg_wal/" + name_of(spec(16)).text()});
  EXPECT_THAT(plan(), ElementsAre("000000010000000000000011 ready"));
  EXPECT_THAT(lost_, ElementsAre(AllOf(StartsWith("000000010000000000000010: "),
                                       HasSubstr("Input/output error"))));
}

TEST_F(RescuePlanTest, WhatIsReadyAndWasNeverWrittenIsLeftOut) {
  plant(name_of(spec(18)), build_segment(spec(12)), ".ready");
  const WalName history = WalName::history_of(2);
  const std::string text = "1\t" + lsn_text(spec(18).lsn) + "\tx\n";
  disk_.plant("/archive/" + history.text() + ".gz", build_archive_file(history, as_bytes(text)));
  EXPECT_THAT(plan(), IsEmpty());
  EXPECT_THAT(left_out_, ElementsAre(HasSubstr("nothing to archive: the file was never written")));
  EXPECT_THAT(lost_, IsEmpty());
}

TEST_F(RescuePlanTest, FilesOfAnotherClusterEndIt) {
  plant(name_of(spec(17)), build_segment(spec(17)), ".ready");
  EXPECT_THAT(plan(kTestSystemId + 1), ElementsAre(HasSubstr("system identifier")));
}

}  // namespace
}  // namespace pgwalship
