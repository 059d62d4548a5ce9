#include "wal/digest.h"

#include "base/random.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace pgwalship {
namespace {

// FIPS 180-4 examples.
TEST(Digest, Sha256OfTheStandardsExamples) {
  EXPECT_EQ(sha256({}).hex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256(as_bytes("abc")).hex(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256(as_bytes("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")).hex(),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST(Digest, Sha256InPiecesIsTheSameAndStartsAnew) {
  Sha256Hasher hasher;
  for (int round = 0; round < 2; ++round) {
    hasher.update(as_bytes("a"));
    hasher.update({});
    hasher.update(as_bytes("bc"));
    EXPECT_EQ(hasher.finish(), sha256(as_bytes("abc")));
  }
}

TEST(Digest, Sha256IsTheSameHoweverTheBytesCome) {
  Random random(7);
  Bytes bytes(5000);
  for (std::byte& byte : bytes) {
    byte = static_cast<std::byte>(random.next());
  }
  for (const std::size_t size : {0U, 63U, 64U, 65U, 127U, 128U, 191U, 192U, 1000U, 4096U, 5000U}) {
    const ByteView all = ByteView(bytes).first(size);
    Sha256Hasher one_by_one;
    for (std::size_t i = 0; i < size; ++i) {
      one_by_one.update(all.subspan(i, 1));
    }
    const Sha256 expected = one_by_one.finish();
    EXPECT_EQ(sha256(all), expected) << size;
    for (std::size_t cut = 0; cut <= std::min<std::size_t>(size, 300); ++cut) {
      Sha256Hasher cut_once;
      cut_once.update(all.first(cut));
      cut_once.update(all.subspan(cut));
      EXPECT_EQ(cut_once.finish(), expected) << size << " cut at " << cut;
    }
  }
}

// The check value of the catalogue of CRCs for CRC-32/ISO-HDLC, which gzip uses.
TEST(Digest, Crc32IsGzips) {
  EXPECT_EQ(crc32(0, as_bytes("123456789")), 0xCBF43926U);
  EXPECT_EQ(crc32(0, {}), 0U);
}

TEST(Digest, Crc32FollowsANewStart) {
  Bytes bytes(700, std::byte{0x37});
  const Bytes before(bytes.begin(), bytes.begin() + 40);
  for (const std::size_t size : {40U, 41U, 48U, 300U, 700U}) {
    Bytes changed(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    const std::uint32_t crc = crc32(0, changed);
    const Bytes after(40, std::byte{0xC5});
    std::copy(after.begin(), after.end(), changed.begin());
    EXPECT_EQ(crc32_with_start(crc, before, after, size - 40), crc32(0, changed)) << size;
  }
}

TEST(Digest, Crc32ContinuesAtAnyCut) {
  Random random(11);
  Bytes bytes(1000);
  for (std::byte& byte : bytes) {
    byte = static_cast<std::byte>(random.next());
  }
  const std::uint32_t whole = crc32(0, bytes);
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    EXPECT_EQ(crc32(crc32(0, ByteView(bytes).first(cut)), ByteView(bytes).subspan(cut)), whole);
  }
  EXPECT_EQ(crc32(whole, {}), whole);
}

// zlib does the small ones, ISA-L the large ones.
TEST(Digest, Crc32IsTheSameInOneAndInSmallPieces) {
  Random random(12);
  Bytes bytes(200'000);
  std::generate(bytes.begin(), bytes.end(), [&] { return static_cast<std::byte>(random.next()); });
  std::uint32_t crc = 0;
  for (std::size_t at = 0; at < bytes.size(); at += 1000) {
    crc = crc32(crc, ByteView(bytes).subspan(at, 1000));
  }
  EXPECT_EQ(crc, crc32(0, bytes));
}

// RFC 3720 B.4 has the vectors; the first is the usual check value.
TEST(Crc32c, GivesThePublishedValues) {
  EXPECT_EQ(crc32c(0, as_bytes("123456789")), 0xE3069283U);
  EXPECT_EQ(crc32c(0, Bytes(32)), 0x8A9136AAU);
  EXPECT_EQ(crc32c(0, Bytes(32, std::byte{0xFF})), 0x62A8AB43U);
  EXPECT_EQ(crc32c(crc32c(0, as_bytes("1234")), as_bytes("56789")), 0xE3069283U);
  EXPECT_EQ(portable_crc32c(0, as_bytes("123456789")), 0xE3069283U);
  EXPECT_EQ(portable_crc32c(portable_crc32c(0, as_bytes("1234")), as_bytes("56789")), 0xE3069283U);
}

}  // namespace
}  // namespace pgwalship
