#include "cmd/push_source.h"

#include "base/posix_file_system.h"
#include "tests/cmd/program.h"
#include "tests/support/segment_builder.h"
#include "tests/support/temp_dir.h"

#include <gtest/gtest.h>

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

Errc compress_error(const PushSource& source, const PushSource::Sink& sink) {
  const auto result = source.compress(1, sink);
  return result.ok() ? Errc::kInvalid : result.error().code;
}

TEST_F(PushSourceTest, DescribesTheSegment) {
  auto source = open();
  ASSERT_TRUE(source.ok());
  ASSERT_TRUE(source.value().measure().ok());
  EXPECT_EQ(source.value().facts(), facts_of(name_of({}), build_segment({}), "pgdb1"));
}

TEST_F(PushSourceTest, HandsOutPiecesThatFitAFrame) {
  auto source = open();
  ASSERT_TRUE(source.ok() && source.value().measure().ok());
  std::size_t largest = 0;
  std::uint32_t crc = 0;
  const auto sent = source.value().compress(1, [&](ByteView piece) -> Result<Next> {
    largest = std::max(largest, piece.size());
    crc = crc32(crc, piece);
    return Next::kGoOn;
  });
  ASSERT_TRUE(sent.ok());
  EXPECT_EQ(sent.value(), crc);
  EXPECT_EQ(largest, kDataBytesMax);
}

TEST_F(PushSourceTest, StopsWhenItIsTold) {
  auto source = open();
  ASSERT_TRUE(source.ok() && source.value().measure().ok());
  int pieces = 0;
  const auto sent = source.value().compress(1, [&](ByteView) -> Result<Next> {
    ++pieces;
    return Next::kStop;
  });
  ASSERT_TRUE(sent.ok());
  EXPECT_EQ(sent.value(), std::nullopt);
  EXPECT_EQ(pieces, 1);
}

TEST_F(PushSourceTest, H12SeesContentThatChangedBetweenThePasses) {
  auto source = open();
  ASSERT_TRUE(source.ok() && source.value().measure().ok());
  Bytes changed = build_segment({});
  changed.back() ^= std::byte{1};
  write_file(path_, changed);
  EXPECT_EQ(compress_error(source.value(), [](ByteView) -> Result<Next> { return Next::kGoOn; }),
            Errc::kRetry);
}

TEST_F(PushSourceTest, H12SeesAFileThatGrewOrShrank) {
  for (const int by : {-8192, 8192}) {
    write_file(path_, build_segment({}));
    auto source = open();
    ASSERT_TRUE(source.ok() && source.value().measure().ok());
    Bytes changed = build_segment({});
    changed.resize(changed.size() + static_cast<std::size_t>(by));
    write_file(path_, changed);
    EXPECT_EQ(compress_error(source.value(), [](ByteView) -> Result<Next> { return Next::kGoOn; }),
              Errc::kRetry);
  }
}

TEST_F(PushSourceTest, H12SeesAFileThatWasWrittenWithTheSameContent) {
  auto source = open();
  ASSERT_TRUE(source.ok() && source.value().measure().ok());
  bool written = false;
  EXPECT_EQ(compress_error(source.value(),
                           [&](ByteView) -> Result<Next> {
                             if (!std::exchange(written, true)) {
                               write_file(path_, build_segment({}));
                             }
                             return Next::kGoOn;
                           }),
            Errc::kRetry);
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
  auto source = open(partial);
  ASSERT_TRUE(source.ok() && source.value().measure().ok());
  EXPECT_EQ(source.value().facts().segment_bytes, kSegmentBytesMin);
}

}  // namespace
}  // namespace pgwalship
