#include "transport/frame.h"

#include "base/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

namespace pgwalship {
namespace {

Bytes framed(std::uint8_t type, std::string_view payload) {
  Bytes out;
  append_frame(type, as_bytes(payload), out);
  return out;
}

// The frames that come out of one feed, until the decoder wants more or refuses.
std::vector<Frame> drain(FrameDecoder& decoder) {
  std::vector<Frame> frames;
  while (true) {
    auto frame = decoder.next();
    if (!frame.ok() || !frame.value()) {
      return frames;
    }
    frames.push_back(std::move(*frame.value()));
  }
}

Errc refusal_of(const Bytes& bytes) {
  FrameDecoder decoder;
  decoder.feed(bytes);
  const auto frame = decoder.next();
  EXPECT_FALSE(frame.ok());
  return frame.ok() ? Errc::kIo : frame.error().code;
}

TEST(Frame, HasTheLayoutOfTheDocument) {
  const Bytes bytes = framed(7, "ab");
  ByteReader reader(bytes);
  EXPECT_EQ(reader.u32(), 2U);
  EXPECT_EQ(reader.u8(), 7);
  EXPECT_EQ(reader.u8(), 0);
  EXPECT_EQ(reader.u16(), 0);
  EXPECT_EQ(reader.u32(), 0x9E83486DU);  // printf ab | gzip | tail -c8 | od -tx4
  EXPECT_EQ(as_text(reader.raw(2)), "ab");
  EXPECT_TRUE(reader.finished());
}

TEST(FrameDecoder, GivesFramesWhateverTheirPieces) {
  Bytes stream = framed(1, "first");
  append_frame(2, {}, stream);
  append_frame(3, as_bytes(std::string(1000, 'x')), stream);
  for (std::size_t piece = 1; piece <= stream.size(); piece += 7) {
    FrameDecoder decoder;
    std::vector<Frame> frames;
    for (std::size_t at = 0; at < stream.size(); at += piece) {
      decoder.feed(ByteView(stream).subspan(at, std::min(piece, stream.size() - at)));
      std::ranges::move(drain(decoder), std::back_inserter(frames));
    }
    ASSERT_EQ(frames.size(), 3U) << "pieces of " << piece;
    EXPECT_EQ(as_text(frames[0].payload), "first");
    EXPECT_TRUE(frames[1].payload.empty());
    EXPECT_EQ(frames[2].payload.size(), 1000U);
    EXPECT_EQ(frames[2].type, 3);
  }
}

TEST(FrameDecoder, WaitsAtEveryTruncation) {
  const Bytes whole = framed(5, "payload");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    FrameDecoder decoder;
    decoder.feed(ByteView(whole).first(size));
    const auto frame = decoder.next();
    ASSERT_TRUE(frame.ok()) << size;
    EXPECT_FALSE(frame.value().has_value()) << size;
  }
}

TEST(FrameDecoder, TakesTheLargestFrame) {
  FrameDecoder decoder;
  decoder.feed(framed(4, std::string(kFramePayloadMax, 'z')));
  const auto frame = decoder.next();
  ASSERT_TRUE(frame.ok() && frame.value().has_value());
  EXPECT_EQ(frame.value()->payload.size(), kFramePayloadMax);
}

TEST(FrameDecoder, H47RefusesAnOversizedFrameByItsHeaderAlone) {
  for (const std::uint32_t size : {static_cast<std::uint32_t>(kFramePayloadMax) + 1,
                                   std::numeric_limits<std::uint32_t>::max()}) {
    ByteWriter header;
    header.u32(size);
    header.u8(4);
    header.raw(Bytes(7));
    EXPECT_EQ(refusal_of(header.take()), Errc::kProtocol) << size;
  }
}

TEST(FrameDecoder, RefusesEachFlippedBit) {
  const Bytes good = framed(9, "some payload");
  for (std::size_t bit = 0; bit < 8 * good.size(); ++bit) {
    if (bit / 8 < 5) {
      continue;  // the length and the type have no checksum: the message and the next frame tell
    }
    Bytes bad = good;
    bad[bit / 8] ^= std::byte{1} << (bit % 8);
    EXPECT_EQ(refusal_of(bad), Errc::kProtocol) << "bit " << bit;
  }
}

TEST(FrameDecoder, StaysBrokenOnceItRefused) {
  FrameDecoder decoder;
  Bytes bad = framed(1, "x");
  bad.back() ^= std::byte{1};
  decoder.feed(bad);
  EXPECT_FALSE(decoder.next().ok());
  decoder.feed(framed(2, "good"));
  EXPECT_FALSE(decoder.next().ok());
}

TEST(FrameDecoder, H47SurvivesRandomGarbage) {
  Random random(47);
  for (int round = 0; round < 20000; ++round) {
    Bytes stream = framed(static_cast<std::uint8_t>(random.next()), "a frame before it");
    for (std::uint64_t i = random.below(200); i > 0; --i) {
      stream.push_back(static_cast<std::byte>(random.next()));
    }
    if (random.one_in(2)) {
      stream[random.below(stream.size())] ^= static_cast<std::byte>(1U << random.below(8));
    }
    FrameDecoder decoder;
    std::size_t out_bytes = 0;
    for (std::size_t at = 0; at < stream.size();) {
      const std::size_t piece = std::min<std::size_t>(1 + random.below(64), stream.size() - at);
      decoder.feed(ByteView(stream).subspan(at, piece));
      at += piece;
      for (const Frame& frame : drain(decoder)) {
        out_bytes += kFrameHeaderBytes + frame.payload.size();
      }
    }
    ASSERT_LE(out_bytes, stream.size());
  }
}

}  // namespace
}  // namespace pgwalship
