#include "wal/digest.h"

#include <isa-l/crc.h>
#include <nettle/sha2.h>

namespace pgwalship {
namespace {

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

void Sha256Hasher::update(ByteView data) {
  sha256_update(&state_->context, data.size(), octets(data));
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

}  // namespace pgwalship
