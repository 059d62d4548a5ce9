#include "wal/digest.h"

// The plain functions, which OpenSSL 3 would replace by EVP: that one looks for its providers
// first, which takes longer than hashing a small file.
#define OPENSSL_SUPPRESS_DEPRECATED

#include <isa-l/crc.h>
#include <openssl/sha.h>

#include <algorithm>

namespace pgwalship {
namespace {

constexpr std::size_t kStepBytesMax = std::size_t{1} << 30;

const std::uint8_t* octets(ByteView data) {
  return reinterpret_cast<const std::uint8_t*>(data.data());
}

// ISA-L 2.30 returns with the upper halves of the vector registers in use. Until they are cleared,
// the CPU's SHA instructions, which are of the old encoding, run a third slower.
#if defined(__x86_64__)
__attribute__((target("avx"))) void clear_upper_halves() {
  __builtin_ia32_vzeroupper();
}

void leave_isal() {
  static const bool has_avx = __builtin_cpu_supports("avx") != 0;
  if (has_avx) {
    clear_upper_halves();
  }
}
#else
void leave_isal() {}
#endif

constexpr std::uint32_t kPolynomial = 0xEDB88320;
constexpr std::uint32_t kX8 = std::uint32_t{1} << (31 - 8);

// Modulo the gzip polynomial.
std::uint32_t multiply(std::uint32_t a, std::uint32_t b) {
  std::uint32_t product = 0;
  for (; a != 0; a <<= 1U) {
    product ^= (a & 0x80000000U) != 0 ? b : 0;
    b = (b >> 1U) ^ ((b & 1U) != 0 ? kPolynomial : 0);
  }
  return product;
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
  SHA256_CTX context;
};

Sha256Hasher::Sha256Hasher() : state_(std::make_unique<State>()) {
  SHA256_Init(&state_->context);
}

Sha256Hasher::~Sha256Hasher() = default;

void Sha256Hasher::update(ByteView data) {
  SHA256_Update(&state_->context, data.data(), data.size());
}

Sha256 Sha256Hasher::finish() {
  Sha256 digest;
  SHA256_Final(reinterpret_cast<unsigned char*>(digest.bytes.data()), &state_->context);
  SHA256_Init(&state_->context);
  return digest;
}

Sha256 sha256(ByteView data) {
  Sha256Hasher hasher;
  hasher.update(data);
  return hasher.finish();
}

std::uint32_t crc32(std::uint32_t crc, ByteView data) {
  crc = crc32_gzip_refl(crc, octets(data), data.size());
  leave_isal();
  return crc;
}

// A CRC is linear: bytes that are changed by XOR change it by the CRC of the change, and each zero
// byte that follows multiplies that by x^8. Polynomials are 32 bits, x^0 in the highest.
std::uint32_t crc32_with_start(std::uint32_t crc, ByteView before, ByteView after,
                               std::uint64_t rest_bytes) {
  std::uint32_t change = crc32(0, before) ^ crc32(0, after);
  std::uint32_t power = kX8;  // x^(8 * 2^n)
  for (; rest_bytes > 0; rest_bytes >>= 1U) {
    change = (rest_bytes & 1U) != 0 ? multiply(change, power) : change;
    power = multiply(power, power);
  }
  return crc ^ change;
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
  leave_isal();
  return ~crc;
}

}  // namespace pgwalship
