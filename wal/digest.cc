#include "wal/digest.h"

#include "wal/sha256_blocks.h"

#include <isa-l/crc.h>
#include <nettle/sha2.h>

#include <algorithm>

namespace pgwalship {
namespace {

constexpr std::size_t kStepBytesMax = std::size_t{1} << 30;

const std::uint8_t* octets(ByteView data) {
  return reinterpret_cast<const std::uint8_t*>(data.data());
}

}  // namespace

std::string Sha256::hex() const {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size());
  for (const std::byte byte : bytes) {
    text += kDigits[std::to_integer<unsigned>(byte) >> 4];
    text += kDigits[std::to_integer<unsigned>(byte) & 15];
  }
  return text;
}

struct Sha256Hasher::State {
  sha256_ctx context;
};

Sha256Hasher::Sha256Hasher() : state_(std::make_unique<State>()) {
  sha256_init(&state_->context);
}

Sha256Hasher::~Sha256Hasher() = default;

// Whole blocks go the fast way when the CPU has one; what does not fill a block is nettle's.
void Sha256Hasher::update(ByteView data) {
  sha256_ctx& context = state_->context;
  if (has_fast_sha256() && data.size() >= 2 * kSha256BlockBytes) {
    const std::size_t begun = context.index == 0 ? 0 : kSha256BlockBytes - context.index;
    sha256_update(&context, begun, octets(data));
    data = data.subspan(begun);
    const ByteView blocks = data.first(data.size() - data.size() % kSha256BlockBytes);
    fast_sha256_blocks(context.state, blocks);
    context.count += blocks.size() / kSha256BlockBytes;
    data = data.subspan(blocks.size());
  }
  sha256_update(&context, data.size(), octets(data));
}

Sha256 Sha256Hasher::finish() {
  Sha256 digest;
  // nettle starts the context anew by itself.
  sha256_digest(&state_->context, digest.bytes.size(),
                reinterpret_cast<std::uint8_t*>(digest.bytes.data()));
  return digest;
}

Sha256 sha256(ByteView data) {
  Sha256Hasher hasher;
  hasher.update(data);
  return hasher.finish();
}

std::uint32_t crc32(std::uint32_t crc, ByteView data) {
  return crc32_gzip_refl(crc, octets(data), data.size());
}

// The library's function is the bare polynomial: the value is inverted before and after. It counts
// in an int, and wants a pointer to non-const bytes that it does not write to.
std::uint32_t crc32c(std::uint32_t crc, ByteView data) {
  crc = ~crc;
  while (!data.empty()) {
    const ByteView slice = data.first(std::min(data.size(), kStepBytesMax));
    data = data.subspan(slice.size());
    crc =
        crc32_iscsi(const_cast<std::uint8_t*>(octets(slice)), static_cast<int>(slice.size()), crc);
  }
  return ~crc;
}

}  // namespace pgwalship
