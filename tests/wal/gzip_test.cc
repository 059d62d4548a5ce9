#include "wal/gzip.h"

#include "base/random.h"
#include "tests/support/segment_builder.h"
#include "tests/support/temp_dir.h"
#include "wal/gzip_engine.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

namespace pgwalship {
namespace {

constexpr std::uint64_t kNoLimit = 1ULL << 40;

FileFacts some_facts() {
  FileFacts facts;
  facts.sha256 = sha256(as_bytes("content"));
  facts.raw_bytes = 0x123456789AULL;
  facts.system_id = kTestSystemId;
  facts.timeline = 7;
  facts.lsn = 0xA00000000ULL;
  facts.segment_bytes = 16U << 20;
  facts.origin = "pgdb1.example.com";
  return facts;
}

Bytes bytes_of(std::string_view text) {
  const ByteView view = as_bytes(text);
  return Bytes(view.begin(), view.end());
}

Bytes noise(std::size_t size, std::uint64_t seed) {
  Random random(seed);
  Bytes bytes(size);
  std::generate(bytes.begin(), bytes.end(), [&] { return static_cast<std::byte>(random.next()); });
  return bytes;
}

Bytes joined(Bytes a, ByteView b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

Bytes packed(ByteView raw, int level) {
  Bytes file;
  GzipWriter writer(some_facts(), "NAME", level);
  writer.write(raw, file);
  writer.finish(file);
  return file;
}

struct Unpacked {
  Result<void> result;
  Bytes raw;
};

Unpacked unpacked_by(GzipReader::Engine engine, ByteView file, std::size_t chunk_bytes,
                     std::uint64_t max) {
  Unpacked all;
  GzipReader reader(max, engine);
  while (!file.empty() && all.result.ok()) {
    const ByteView chunk = file.first(std::min(chunk_bytes, file.size()));
    file = file.subspan(chunk.size());
    all.result = reader.write(chunk, all.raw);
  }
  const Result<void> finished = reader.finish();
  if (all.result.ok()) {
    all.result = finished;
  } else {
    EXPECT_FALSE(finished.ok());
  }
  return all;
}

// By both engines. zlib refuses some damage that ISA-L does not meet in what it reads.
Unpacked unpacked(ByteView file, std::size_t chunk_bytes = 65536, std::uint64_t max = kNoLimit) {
  Unpacked all = unpacked_by(GzipReader::Engine::kFastest, file, chunk_bytes, max);
  const Unpacked portable = unpacked_by(GzipReader::Engine::kPortable, file, chunk_bytes, max);
  if (portable.result.ok()) {
    EXPECT_TRUE(all.result.ok());
    EXPECT_EQ(portable.raw, all.raw);
  } else if (all.result.ok()) {
    all.result = portable.result;
  }
  return all;
}

void expect_corrupt(ByteView file, const std::string& what) {
  const Unpacked all = unpacked(file);
  ASSERT_FALSE(all.result.ok()) << what;
  EXPECT_EQ(all.result.error().code, Errc::kCorrupt) << what;
}

class GzipProgram : public testing::Test {
 protected:
  void write(const std::string& name, ByteView bytes) {
    std::ofstream(dir_.file(name), std::ios::binary) << as_text(bytes);
  }
  Bytes read(const std::string& name) {
    std::ifstream in(dir_.file(name), std::ios::binary);
    return bytes_of(std::string(std::istreambuf_iterator<char>(in), {}));
  }
  int run(const std::string& command) {
    return std::system(("cd '" + dir_.path() + "' && " + command).c_str());
  }

  TempDir dir_;
};

TEST_F(GzipProgram, GunzipReadsEveryLevel) {
  const Bytes raw = build_segment({});
  for (int level = 1; level <= 9; ++level) {
    write("segment.gz", packed(raw, level));
    ASSERT_EQ(run("gunzip < segment.gz > segment"), 0) << level;
    EXPECT_EQ(read("segment"), raw) << level;
  }
}

TEST_F(GzipProgram, GunzipReadsTheEmptyAndTheIncompressible) {
  for (const Bytes& raw : {Bytes(), Bytes(1), noise(300000, 3)}) {
    for (const int level : {1, 2, 3, 6}) {
      write("file.gz", packed(raw, level));
      ASSERT_EQ(run("gunzip < file.gz > file"), 0);
      EXPECT_EQ(read("file"), raw);
    }
  }
}

TEST_F(GzipProgram, GunzipRestoresTheName) {
  write("x.gz", packed(bytes_of("text"), 1));
  ASSERT_EQ(run("gunzip -N x.gz"), 0);
  EXPECT_EQ(read("NAME"), bytes_of("text"));
}

TEST_F(GzipProgram, H24ReadsWhatGzipWrites) {
  const Bytes raw = build_segment({.seed = 5});
  write("segment", raw);
  for (const std::string option : {"-1", "-6", "-9", "-9 -n"}) {
    ASSERT_EQ(run("gzip " + option + " -c segment > segment.gz"), 0);
    const Bytes file = read("segment.gz");
    EXPECT_FALSE(parse_gzip_header(file).value().facts.has_value());
    const Unpacked all = unpacked(file);
    ASSERT_TRUE(all.result.ok()) << all.result.error().message;
    EXPECT_EQ(all.raw, raw);
  }
}

TEST_F(GzipProgram, ReadsSeveralMembersAsGunzipDoes) {
  write("a", bytes_of("first "));
  write("b", build_segment({}));
  ASSERT_EQ(run("(gzip -c a; gzip -9c b; gzip -c a) > both.gz && cat a b a > both"), 0);
  for (const std::size_t chunk : {97U, 65536U}) {
    const Unpacked all = unpacked(read("both.gz"), chunk);
    ASSERT_TRUE(all.result.ok()) << all.result.error().message;
    EXPECT_EQ(all.raw, read("both"));
  }
}

TEST(Gzip, GivesBackWhatWasWrittenInAnyPieces) {
  const Bytes raw = joined(build_segment({.seed = 9}), noise(100001, 9));
  for (const int level : {1, 2, 3, 4, 9}) {
    Bytes file;
    GzipWriter writer(some_facts(), "NAME", level);
    Random random(static_cast<std::uint64_t>(level));
    for (ByteView rest = raw; !rest.empty();) {
      const ByteView piece = rest.first(std::min<std::size_t>(random.below(50000), rest.size()));
      rest = rest.subspan(piece.size());
      writer.write(piece, file);
    }
    EXPECT_EQ(writer.raw_crc32(), crc32(0, raw));
    writer.finish(file);
    for (const std::size_t chunk : {509U, 4096U, 1U << 24}) {
      const Unpacked all = unpacked(file, chunk);
      ASSERT_TRUE(all.result.ok()) << all.result.error().message;
      EXPECT_EQ(all.raw, raw);
    }
  }
}

TEST(Gzip, GivesBackASmallFileFedByteByByte) {
  const Bytes raw = joined(build_backup_label(name_of({}), 1), noise(2000, 2));
  for (int level = 1; level <= 9; ++level) {
    const Unpacked all = unpacked(packed(raw, level), 1);
    ASSERT_TRUE(all.result.ok()) << all.result.error().message;
    EXPECT_EQ(all.raw, raw);
  }
}

TEST(Gzip, HighLevelsAreSmaller) {
  const Bytes raw = build_segment({});
  EXPECT_LT(packed(raw, 1).size(), raw.size() / 2);
  EXPECT_LT(packed(raw, 9).size(), packed(raw, 1).size());
}

TEST(Gzip, BothEnginesWriteStreamsForEveryLevelTheyHave) {
  const Bytes raw = build_segment({.seed = 2});
  ASSERT_NE(isal(), nullptr);
  for (int level = 1; level <= 9; ++level) {
    for (const bool fast : {true, false}) {
      if (fast && level > 3) {
        continue;
      }
      Bytes stream;
      const auto engine = fast ? make_isal_deflate(*isal(), level) : make_zlib_deflate(level);
      engine->write(raw, stream);
      engine->finish(stream);
      ByteWriter file;
      file.raw(make_gzip_header(some_facts(), "NAME"));
      file.raw(stream);
      file.u32(crc32(0, raw));
      file.u32(static_cast<std::uint32_t>(raw.size()));
      const Unpacked all = unpacked(file.view());
      ASSERT_TRUE(all.result.ok()) << level;
      EXPECT_EQ(all.raw, raw);
    }
  }
}

TEST(Gzip, HeaderCarriesTheFacts) {
  const Bytes bytes = make_gzip_header(some_facts(), "000000010000000000000001");
  EXPECT_LE(bytes.size(), kGzipHeaderBytesMax);
  const GzipHeader header = parse_gzip_header(bytes).value();
  EXPECT_EQ(header.facts, some_facts());
  EXPECT_EQ(header.file_name, "000000010000000000000001");
  EXPECT_EQ(header.header_bytes, bytes.size());
}

TEST(Gzip, HeaderWithTheLongestOriginFits) {
  FileFacts facts = some_facts();
  facts.origin = std::string(255, 'x');
  const Bytes bytes = make_gzip_header(facts, std::string(64, 'N'));
  EXPECT_LE(bytes.size(), kGzipHeaderBytesMax);
  EXPECT_EQ(parse_gzip_header(bytes).value().facts, facts);
}

TEST(Gzip, HeaderOfAnotherLengthIsCorrupt) {
  const Bytes bytes = make_gzip_header(some_facts(), "NAME");
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto result = parse_gzip_header(ByteView(bytes).first(size));
    ASSERT_FALSE(result.ok()) << size;
    EXPECT_EQ(result.error().code, Errc::kCorrupt);
  }
}

// 10 bytes of fixed header, 2 of XLEN, 2 of identifier, 2 of length come before the data.
constexpr std::size_t kFactsOffset = 16;

TEST(Gzip, ANewerDescriptionIsReadAsFarAsVersionOneGoes) {
  Bytes bytes = make_gzip_header(some_facts(), "NAME");
  const std::size_t data_bytes = std::to_integer<std::size_t>(bytes[14]);
  bytes[kFactsOffset] = std::byte{2};
  bytes.insert(bytes.begin() + kFactsOffset + static_cast<std::ptrdiff_t>(data_bytes), 3,
               std::byte{0xEE});
  bytes[10] = static_cast<std::byte>(data_bytes + 4 + 3);
  bytes[14] = static_cast<std::byte>(data_bytes + 3);
  const GzipHeader header = parse_gzip_header(bytes).value();
  EXPECT_EQ(header.facts, some_facts());
  EXPECT_EQ(header.file_name, "NAME");
}

TEST(Gzip, ADamagedDescriptionIsCorrupt) {
  Bytes version_zero = make_gzip_header(some_facts(), "NAME");
  version_zero[kFactsOffset] = std::byte{0};
  EXPECT_FALSE(parse_gzip_header(version_zero).ok());
  ByteWriter short_data;
  short_data.u32(0x04088B1F);  // FEXTRA
  short_data.raw(Bytes(6));
  short_data.u16(4 + 3);
  short_data.raw(as_bytes("WS"));
  short_data.u16(3);
  short_data.raw(as_bytes("\x01xx"));
  EXPECT_EQ(parse_gzip_header(short_data.view()).error().code, Errc::kCorrupt);
}

TEST(Gzip, H24ReadsEveryOptionalHeaderField) {
  ByteWriter header;
  header.u32(0x1E088B1F);  // FHCRC, FEXTRA, FNAME, FCOMMENT
  header.raw(Bytes(6));
  header.u16(4 + 5);
  header.raw(as_bytes("AB"));
  header.u16(5);
  header.raw(as_bytes("other"));
  header.raw(as_bytes(std::string_view("name\0comment\0", 13)));
  header.u16(static_cast<std::uint16_t>(crc32(0, header.view())));
  const GzipHeader read = parse_gzip_header(header.view()).value();
  EXPECT_EQ(read.file_name, "name");
  EXPECT_FALSE(read.facts.has_value());
  EXPECT_EQ(read.header_bytes, header.size());
  Bytes wrong = header.take();
  wrong[5] ^= std::byte{1};
  EXPECT_EQ(parse_gzip_header(wrong).error().code, Errc::kCorrupt);
}

TEST(Gzip, EveryTruncationIsCorrupt) {
  for (const int level : {1, 6}) {
    const Bytes file =
        packed(joined(bytes_of("a small file, a small file "), noise(300, 1)), level);
    for (std::size_t size = 0; size < file.size(); ++size) {
      expect_corrupt(ByteView(file).first(size), "cut at " + std::to_string(size));
    }
    EXPECT_TRUE(unpacked(file).result.ok());
  }
}

// A few bits of a stream carry nothing: padding, the order of equal code lengths.
TEST(Gzip, NoChangedBitChangesTheContent) {
  const Bytes raw = bytes_of("a small file, a small file, a small file, indeed");
  const Bytes file = packed(raw, 1);
  const std::size_t start = parse_gzip_header(file).value().header_bytes;
  std::size_t harmless = 0;
  for (std::size_t bit = start * 8; bit < file.size() * 8; ++bit) {
    Bytes changed = file;
    changed[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
    const Unpacked all = unpacked(changed, 1);
    EXPECT_TRUE(!all.result.ok() || all.raw == raw) << bit;
    harmless += all.result.ok() ? 1 : 0;
  }
  EXPECT_LE(harmless, 16U);
}

TEST(Gzip, GarbageBehindIsCorruptAndZeroPaddingIsNot) {
  const Bytes file = packed(bytes_of("text"), 1);
  expect_corrupt(joined(file, as_bytes("x")), "one byte");
  expect_corrupt(joined(file, noise(100, 4)), "noise");
  expect_corrupt(joined(file, as_bytes("\x1f")), "start of a member");
  expect_corrupt(joined(joined(file, Bytes(512)), as_bytes("x")), "after the padding");
  for (const std::size_t chunk : {1U, 65536U}) {
    EXPECT_TRUE(unpacked(joined(file, Bytes(512)), chunk).result.ok());
  }
}

TEST(Gzip, ADamagedSecondMemberIsCorrupt) {
  const Bytes file = packed(bytes_of("text"), 1);
  Bytes both = joined(file, file);
  both.back() ^= std::byte{1};
  expect_corrupt(both, "length");
  both = joined(file, file);
  both[both.size() - 6] ^= std::byte{1};
  expect_corrupt(both, "checksum");
}

TEST(Gzip, AnErrorStays) {
  GzipReader reader(kNoLimit);
  Bytes out;
  ASSERT_FALSE(reader.write(as_bytes("no gzip"), out).ok());
  EXPECT_FALSE(reader.write(packed(bytes_of("text"), 1), out).ok());
  EXPECT_FALSE(reader.finish().ok());
  EXPECT_TRUE(out.empty());
}

TEST(Gzip, UnpacksNoMoreThanAllowed) {
  const Bytes bomb = packed(Bytes(64 << 20), 9);
  ASSERT_LT(bomb.size(), 100000U);
  const Unpacked all = unpacked(bomb, 65536, 1 << 20);
  ASSERT_FALSE(all.result.ok());
  EXPECT_EQ(all.result.error().code, Errc::kCorrupt);
  EXPECT_LE(all.raw.size(), 1U << 20);
  EXPECT_TRUE(unpacked(packed(Bytes(1 << 20), 1), 65536, 1 << 20).result.ok());
  EXPECT_FALSE(unpacked(packed(Bytes((1 << 20) + 1), 1), 65536, 1 << 20).result.ok());
}

TEST(Gzip, TheLimitCountsAllMembers) {
  const Bytes file = packed(Bytes(1000), 1);
  EXPECT_TRUE(unpacked(joined(file, file), 65536, 2000).result.ok());
  EXPECT_FALSE(unpacked(joined(file, file), 65536, 1999).result.ok());
}

TEST(Gzip, RandomGarbageNeverDoesHarm) {
  const Bytes header = make_gzip_header(some_facts(), "NAME");
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    Random random(seed);
    const Bytes garbage = noise(random.below(3000), seed);
    const Bytes file = random.one_in(4) ? garbage : joined(header, garbage);
    const Unpacked all = unpacked(file, 1 + random.below(600), 1 << 20);
    EXPECT_FALSE(all.result.ok()) << seed;
    EXPECT_LE(all.raw.size(), 1U << 20) << seed;
  }
}

TEST(Gzip, RandomDamageIsCorruptOrHarmless) {
  const Bytes raw = joined(build_backup_label(name_of({}), 1), noise(2000, 2));
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    Random random(seed);
    Bytes file = packed(raw, random.one_in(2) ? 1 : 6);
    const std::size_t start = parse_gzip_header(file).value().header_bytes;
    for (std::uint64_t count = 1 + random.below(4); count > 0; --count) {
      file[start + random.below(file.size() - start)] = static_cast<std::byte>(random.next());
    }
    const Unpacked all = unpacked(file, 1 + random.below(600), 1 << 20);
    EXPECT_TRUE(!all.result.ok() || all.raw == raw) << seed;
  }
}

}  // namespace
}  // namespace pgwalship
