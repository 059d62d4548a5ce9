// Digests, each with its job. SHA-256 of the *uncompressed* content is a file's identity: what
// "identical" and "conflict" mean (FIPS 180-4; libcrypto).
// CRC-32 (the gzip polynomial, RFC 1952 section 8) guards bytes on their way. CRC-32C (Castagnoli,
// RFC 3720 appendix B.4) is what PostgreSQL puts into each WAL record. Both CRCs are ISA-L's.
#pragma once

#include "base/bytes.h"

#include <array>
#include <compare>
#include <cstdint>
#include <memory>
#include <string>

namespace pgwalship {

struct Sha256 {
  std::array<std::byte, 32> bytes{};

  std::string hex() const;
  friend auto operator<=>(const Sha256&, const Sha256&) = default;
};

class Sha256Hasher {
 public:
  Sha256Hasher();
  ~Sha256Hasher();
  Sha256Hasher(const Sha256Hasher&) = delete;
  Sha256Hasher& operator=(const Sha256Hasher&) = delete;

  void update(ByteView data);
  // The digest of everything so far; the hasher starts anew.
  Sha256 finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

Sha256 sha256(ByteView data);

// Continues from `crc`, which is 0 at the start.
std::uint32_t crc32(std::uint32_t crc, ByteView data);
std::uint32_t crc32c(std::uint32_t crc, ByteView data);
std::uint32_t portable_crc32c(std::uint32_t crc, ByteView data);  // the same, without ISA-L
// The CRC-32 of what had `crc` and began with `before`, once it begins with `after`, which is as
// long, and goes on for `rest_bytes` as it did: without a look at those.
std::uint32_t crc32_with_start(std::uint32_t crc, ByteView before, ByteView after,
                               std::uint64_t rest_bytes);

}  // namespace pgwalship
