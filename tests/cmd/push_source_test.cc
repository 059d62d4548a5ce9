#include "cmd/push_source.h"

#include "base/posix_file_system.h"
#include "tests/cmd/program.h"
#include "tests/support/segment_builder.h"
#include "tests/support/temp_dir.h"

#include <gtest/gtest.h>

#include <future>

namespace pgwalship {
namespace {

using Next = PushSource::Next;

class PushSourceTest : public testing::Test {
 protected:
  PushSourceTest() { write_file(path_, build_segment({})); }

  Result<PushSource> open(const WalName& name = name_of({})) {
    return PushSource::open(file_system_,
                            {.path = path_, .name = name, .origin = "pgdb1", .system_id = 0});
  }

  TempDir dir_;
  PosixFileSystem file_system_;
  std::string path_ = dir_.file("segment");
};

using Sink = std::function<Result<Next>(ByteView piece)>;

Result<Next> go_on(ByteView) {
  return Next::kGoOn;
}

PushSource::Measuring measured(const PushSource& source) {
  std::promise<Result<PushSource::Measured>> promise;
  promise.set_value(source.measure());
  return promise.get_future();
}

Result<std::optional<std::uint32_t>> compress(const PushSource& source, const Sink& sink,
                                              PushSource::Measuring measuring) {
  return source.compress(1, std::move(measuring),
                         {.announce = [](const FileFacts&) { return Next::kGoOn; }, .sink = sink});
}

Errc compress_error(const PushSource& source, const Sink& sink, PushSource::Measuring measuring) {
  const auto result = compress(source, sink, std::move(measuring));
  return result.ok() ? Errc::kInvalid : result.error().code;
}

TEST_F(PushSourceTest, DescribesTheSegment) {
  const auto source = open();
  ASSERT_TRUE(source.ok());
  FileFacts announced;
  Bytes file;
  const PushSource::Recipient recipient{.announce =
                                            [&](const FileFacts& facts) {
                                              announced = facts;
                                              return Next::kGoOn;
                                            },
                                        .sink = [&](ByteView piece) -> Result<Next> {
                                          file.insert(file.end(), piece.begin(), piece.end());
                                          return Next::kGoOn;
                                        }};
  ASSERT_TRUE(source.value().compress(1, measured(source.value()), recipient).ok());
  const FileFacts expected = facts_of(name_of({}), build_segment({}), "pgdb1");
  EXPECT_EQ(announced, expected);
  const Result<GzipHeader> header = parse_gzip_header(file);
  ASSERT_TRUE(header.ok());
  EXPECT_EQ(header.value().facts, expected);
  EXPECT_EQ(header.value().file_name, name_of({}).text());
}

// The first segment of a timeline that was promoted in its middle begins with its parent's pages.
// Its name says 2, its header 1: called 2, every failover would look like a split brain.
TEST_F(PushSourceTest, TheFirstSegmentOfATimelineIsBegunOnItsParent) {
  const SegmentSpec spec{.timeline = 2, .header_timeline = 1};
  write_file(path_, build_segment(spec));
  const auto source = open(name_of(spec));
  ASSERT_TRUE(source.ok());
  FileFacts announced;
  const PushSource::Recipient recipient{.announce =
                                            [&](const FileFacts& facts) {
                                              announced = facts;
                                              return Next::kGoOn;
                                            },
                                        .sink = go_on};
  ASSERT_TRUE(source.value().compress(1, measured(source.value()), recipient).ok());
  EXPECT_EQ(announced.timeline, 1U);
}

TEST_F(PushSourceTest, HandsOutPiecesThatFitAFrame) {
  const auto source = open();
  ASSERT_TRUE(source.ok());
  std::size_t largest = 0;
  std::uint32_t crc = 0;
  const auto sent = compress(
      source.value(),
      [&](ByteView piece) -> Result<Next> {
        largest = std::max(largest, piece.size());
        crc = crc32(crc, piece);
        return Next::kGoOn;
      },
      measured(source.value()));
  ASSERT_TRUE(sent.ok());
  EXPECT_EQ(sent.value(), crc);
  EXPECT_EQ(largest, kDataBytesMax);
}

TEST_F(PushSourceTest, SaysNothingBeforeItKnowsTheHash) {
  const auto source = open();
  ASSERT_TRUE(source.ok());
  bool announced = false;
  bool asked = false;
  const PushSource::Recipient recipient{.announce =
                                            [&](const FileFacts&) {
                                              announced = true;
                                              return Next::kGoOn;
                                            },
                                        .sink = [&](ByteView) -> Result<Next> {
                                          EXPECT_TRUE(announced);
                                          return Next::kGoOn;
                                        }};
  // As where there is no thread to measure with: at the end, when nothing else is left to do.
  auto measuring = std::async(std::launch::deferred, [&] {
    EXPECT_FALSE(announced);
    asked = true;
    return source.value().measure();
  });
  ASSERT_TRUE(source.value().compress(1, std::move(measuring), recipient).ok());
  EXPECT_TRUE(asked && announced);
}

TEST_F(PushSourceTest, StopsWhenItIsTold) {
  const auto source = open();
  ASSERT_TRUE(source.ok());
  int pieces = 0;
  const auto sent = compress(
      source.value(),
      [&](ByteView) -> Result<Next> {
        ++pieces;
        return Next::kStop;
      },
      measured(source.value()));
  ASSERT_TRUE(sent.ok());
  EXPECT_EQ(sent.value(), std::nullopt);
  EXPECT_EQ(pieces, 1);
}

TEST_F(PushSourceTest, StopsBeforeTheFirstByteWhenTheFileIsNotWanted) {
  const auto source = open();
  ASSERT_TRUE(source.ok());
  int pieces = 0;
  const PushSource::Recipient recipient{.announce = [](const FileFacts&) { return Next::kStop; },
                                        .sink = [&](ByteView) -> Result<Next> {
                                          ++pieces;
                                          return Next::kGoOn;
                                        }};
  const auto sent = source.value().compress(1, measured(source.value()), recipient);
  ASSERT_TRUE(sent.ok());
  EXPECT_EQ(sent.value(), std::nullopt);
  EXPECT_EQ(pieces, 0);
}

TEST_F(PushSourceTest, H12SeesContentThatChangedBetweenThePasses) {
  const auto source = open();
  ASSERT_TRUE(source.ok());
  auto measuring = measured(source.value());
  Bytes changed = build_segment({});
  changed.back() ^= std::byte{1};
  write_file(path_, changed);
  EXPECT_EQ(compress_error(source.value(), go_on, std::move(measuring)), Errc::kRetry);
}

// The hash may also be the later of the two.
TEST_F(PushSourceTest, H12SeesContentThatChangedBeforeItWasHashed) {
  const auto source = open();
  ASSERT_TRUE(source.ok());
  auto measuring = std::async(std::launch::deferred, [&] {
    Bytes changed = build_segment({});
    changed.back() ^= std::byte{1};
    write_file(path_, changed);
    return source.value().measure();
  });
  EXPECT_EQ(compress_error(source.value(), go_on, std::move(measuring)), Errc::kRetry);
}

TEST_F(PushSourceTest, H12SeesAFileThatGrewOrShrank) {
  for (const int by : {-8192, 8192}) {
    write_file(path_, build_segment({}));
    const auto source = open();
    ASSERT_TRUE(source.ok());
    auto measuring = measured(source.value());
    Bytes changed = build_segment({});
    changed.resize(changed.size() + static_cast<std::size_t>(by));
    write_file(path_, changed);
    EXPECT_EQ(compress_error(source.value(), go_on, std::move(measuring)), Errc::kRetry);
  }
}

TEST_F(PushSourceTest, H12SeesAFileThatShrankWhileItWasHashed) {
  const auto source = open();
  ASSERT_TRUE(source.ok());
  auto measuring = std::async(std::launch::deferred, [&] {
    write_file(path_, "");
    return source.value().measure();
  });
  EXPECT_EQ(compress_error(source.value(), go_on, std::move(measuring)), Errc::kRetry);
}

TEST_F(PushSourceTest, H12SeesAFileThatWasWrittenWithTheSameContent) {
  const auto source = open();
  ASSERT_TRUE(source.ok());
  bool written = false;
  const auto write_once = [&](ByteView) -> Result<Next> {
    if (!std::exchange(written, true)) {
      write_file(path_, build_segment({}));
    }
    return Next::kGoOn;
  };
  EXPECT_EQ(compress_error(source.value(), write_once, measured(source.value())), Errc::kRetry);
}

TEST_F(PushSourceTest, RefusesASmallFileThatIsEmptyOrLarge) {
  const WalName history = WalName::parse("00000002.history").value();
  write_file(path_, "");
  EXPECT_EQ(open(history).error().code, Errc::kInvalid);
  write_file(path_, Bytes(PushSource::kSmallFileBytesMax + 1));
  EXPECT_EQ(open(history).error().code, Errc::kInvalid);
}

TEST_F(PushSourceTest, H9APartialSegmentIsOneOfItsOwn) {
  const WalName partial = WalName::parse(name_of({}).text() + ".partial").value();
  const auto source = open(partial);
  ASSERT_TRUE(source.ok());
  FileFacts announced;
  const PushSource::Recipient recipient{.announce =
                                            [&](const FileFacts& facts) {
                                              announced = facts;
                                              return Next::kGoOn;
                                            },
                                        .sink = go_on};
  ASSERT_TRUE(source.value().compress(1, measured(source.value()), recipient).ok());
  EXPECT_EQ(announced.segment_bytes, kSegmentBytesMin);
}

}  // namespace
}  // namespace pgwalship
