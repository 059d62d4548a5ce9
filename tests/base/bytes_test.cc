#include "base/bytes.h"

#include <gtest/gtest.h>

namespace pgwalship {
namespace {

TEST(ByteWriter, WritesLittleEndian) {
  ByteWriter writer;
  writer.u8(0x01);
  writer.u16(0x0302);
  writer.u32(0x07060504);
  writer.u64(0x0f0e0d0c0b0a0908);
  ASSERT_EQ(writer.size(), 15U);
  for (std::size_t i = 0; i < writer.size(); ++i) {
    EXPECT_EQ(std::to_integer<std::size_t>(writer.view()[i]), i + 1) << "at " << i;
  }
}

TEST(ByteWriter, CutsTextAtTheLengthThatItsPrefixCanHold) {
  ByteWriter writer;
  writer.text(std::string(70'000, 'x'));
  EXPECT_EQ(writer.size(), 2U + 65'535U);
  ByteReader reader(writer.view());
  EXPECT_EQ(reader.text(), std::string(65'535, 'x'));
  EXPECT_TRUE(reader.finished());
}

Bytes one_of_each() {
  ByteWriter writer;
  writer.u8(0xfe);
  writer.u16(0xfedc);
  writer.u32(0xfedcba98);
  writer.u64(0xfedcba9876543210);
  writer.text("name");
  writer.raw(as_bytes("tail"));
  return writer.take();
}

TEST(ByteReader, ReadsWhatTheWriterWrote) {
  const Bytes bytes = one_of_each();
  ByteReader reader(bytes);
  EXPECT_EQ(reader.u8(), 0xfe);
  EXPECT_EQ(reader.u16(), 0xfedc);
  EXPECT_EQ(reader.u32(), 0xfedcba98);
  EXPECT_EQ(reader.u64(), 0xfedcba9876543210);
  EXPECT_EQ(reader.text(), "name");
  EXPECT_FALSE(reader.finished());
  EXPECT_EQ(as_text(reader.raw(4)), "tail");
  EXPECT_TRUE(reader.finished());
}

TEST(ByteReader, NoticesTheMissingEndAtEveryLength) {
  const Bytes bytes = one_of_each();
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    ByteReader reader(ByteView(bytes).first(size));
    reader.u8();
    reader.u16();
    reader.u32();
    reader.u64();
    reader.text();
    reader.raw(4);
    EXPECT_FALSE(reader.ok()) << size;
    EXPECT_FALSE(reader.finished()) << size;
  }
}

TEST(ByteReader, GivesZeroAndNothingAfterTheFirstShortRead) {
  const Bytes bytes(3, std::byte{0xff});
  ByteReader reader(bytes);
  EXPECT_EQ(reader.u32(), 0U);
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(reader.u8(), 0U) << "three bytes are left, but the reader has stopped";
  EXPECT_EQ(reader.text(), "");
  EXPECT_TRUE(reader.raw(0).empty());
}

TEST(ByteReader, RefusesALengthThatWouldOverflow) {
  const Bytes bytes(8);
  ByteReader reader(bytes);
  EXPECT_TRUE(reader.raw(static_cast<std::size_t>(-1)).empty());
  EXPECT_FALSE(reader.ok());
}

}  // namespace
}  // namespace pgwalship
