// Private to wal/digest.cc: SHA-256's compression function (FIPS 180-4, 6.2.2) over many blocks in
// one go. nettle 3.8 calls its own once per 64 bytes, and spends a third of the time on that.
#pragma once

#include "base/bytes.h"

#include <cstdint>
#include <span>

namespace pgwalship {

inline constexpr std::size_t kSha256BlockBytes = 64;

// Whether this CPU has the instructions (SHA, SSSE3, SSE4.1).
bool has_fast_sha256();
// REQUIRES: has_fast_sha256(), and blocks.size() is a multiple of kSha256BlockBytes.
void fast_sha256_blocks(std::span<std::uint32_t, 8> state, ByteView blocks);

}  // namespace pgwalship
