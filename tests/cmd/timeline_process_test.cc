// `pgwalship timeline` as a person runs it, without a daemon.
#include "tests/cmd/node_directory.h"

#include <gtest/gtest.h>

#include <filesystem>

namespace pgwalship {
namespace {

// Segments of 1 MiB: number 1 starts at 0/100000.
void put_segment(const NodeDirectory& node, std::uint32_t timeline, std::uint64_t number) {
  const SegmentSpec spec{.timeline = timeline, .lsn = number << 20};
  const WalName name = name_of(spec);
  node.put_in_archive(name, build_archive_file(name, build_segment(spec)));
}

void put_history(const NodeDirectory& node, std::uint32_t timeline, std::string_view text) {
  const WalName name = WalName::history_of(timeline);
  node.put_in_archive(name, build_archive_file(name, as_bytes(text)));
}

TEST(TimelineProcess, SaysThatTheArchiveIsWhole) {
  const NodeDirectory node;
  put_segment(node, 1, 1);
  put_segment(node, 1, 2);
  put_history(node, 2, "1\t0/300060\tx\n");
  put_segment(node, 2, 3);
  const ProgramEnd end = node.run({"timeline"});
  EXPECT_EQ(end.status, 0) << end.out << end.err;
  EXPECT_TRUE(end.out.starts_with("WHOLE: ")) << end.out;
  EXPECT_NE(end.out.find("on 2 timelines"), std::string::npos) << end.out;
}

TEST(TimelineProcess, EndsWithOneWhenSomethingIsMissing) {
  const NodeDirectory node;
  put_segment(node, 1, 1);
  put_segment(node, 1, 3);
  const std::string picture = node.in_data("picture.svg");
  const ProgramEnd end = node.run({"timeline", "--json", "--svg", picture});
  EXPECT_EQ(end.status, 1) << end.out << end.err;
  EXPECT_NE(end.out.find("\"first\": \"000000010000000000000002\""), std::string::npos) << end.out;
  EXPECT_GT(std::filesystem::file_size(picture), 1000U);
}

TEST(TimelineProcess, ReadsTheSegmentSizeFromLegacyFiles) {
  const NodeDirectory node;
  const SegmentSpec spec{.lsn = 1U << 20};
  node.put_in_archive(name_of(spec), build_legacy_file(build_segment(spec), {}));
  const ProgramEnd end = node.run({"timeline", "--json"});
  EXPECT_NE(end.out.find("\"segment_bytes\": 1048576,"), std::string::npos) << end.out;
}

TEST(TimelineProcess, ADamagedHistoryIsAFindingNotAnEnd) {
  const NodeDirectory node;
  put_segment(node, 1, 1);
  node.put_in_archive(WalName::history_of(2), as_bytes("garbage"));
  const ProgramEnd end = node.run({"timeline"});
  EXPECT_EQ(end.status, 1);
  EXPECT_NE(end.out.find("! history of timeline 2:"), std::string::npos) << end.out;
}

TEST(TimelineProcess, TellsUsageFromFailure) {
  const NodeDirectory node;
  EXPECT_EQ(node.run({"timeline", "--jsno"}).status, 2);
  EXPECT_EQ(node.run({"timeline", "--svg", node.in_data("none/picture.svg")}).status, 3);
  std::filesystem::remove_all(node.archive());
  EXPECT_EQ(node.run({"timeline"}).status, 3);
}

}  // namespace
}  // namespace pgwalship
