#include "cmd/rescue_plan.h"

#include "tests/support/memory_file_system.h"
#include "tests/support/record_builder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pgwalship {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

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
    return words;
  }

  MemoryFileSystem disk_;
  ArchiveStore store_{disk_, {.directory = "/archive"}};
  const DataDirectory directory_{disk_, "/pg"};
  std::vector<std::string> left_out_;
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
  disk_.plant("/archive/" + name.text() + ".gz", build_archive_file(name, build_segment(spec(18))));
  EXPECT_THAT(plan(), IsEmpty());
  EXPECT_THAT(left_out_, ElementsAre(HasSubstr("the archive has it whole")));
}

TEST_F(RescuePlanTest, APartialFileOfPostgresqlStandsForItsSegment) {
  plant(name_of(spec(18)), unfinished(spec(18)));
  plant(WalName::parse(name_of(spec(18)).text() + ".partial").value(), unfinished(spec(18)),
        ".ready");
  EXPECT_THAT(plan(), ElementsAre("000000010000000000000012.partial ready"));
}

TEST_F(RescuePlanTest, FilesOfAnotherClusterEndIt) {
  plant(name_of(spec(17)), build_segment(spec(17)), ".ready");
  EXPECT_THAT(plan(kTestSystemId + 1), ElementsAre(HasSubstr("system identifier")));
}

}  // namespace
}  // namespace pgwalship
