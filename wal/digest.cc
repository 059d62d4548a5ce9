#include "wal/digest.h"

// The plain functions, which OpenSSL 3 would replace by EVP: that one looks for its providers
// first, which takes longer than hashing a small file.
#define OPENSSL_SUPPRESS_DEPRECATED

#include "wal/isal.h"

#include <openssl/sha.h>
#include <zlib.h>

#include <algorithm>
#include <array>

namespace pgwalship {
namespace {

constexpr std::size_t kStepBytesMax = std::size_t{1} << 30;
// To load ISA-L takes longer than what less than this takes without it.
constexpr std::size_t kFastBytesMin = std::size_t{16} << 10;

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
constexpr std::uint32_t kCastagnoli = 0x82F63B78;
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
  if (data.empty()) {
    return crc;  // zlib takes a null pointer for a new beginning
  }
  const Isal* fast = data.size() >= kFastBytesMin ? isal() : nullptr;
  if (fast == nullptr) {
    return static_cast<std::uint32_t>(crc32_z(crc, octets(data), data.size()));
  }
  crc = fast->crc32(crc, octets(data), data.size());
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

std::uint32_t portable_crc32c(std::uint32_t crc, ByteView data) {
  static const std::array<std::uint32_t, 256> kTable = [] {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < table.size(); ++i) {
      std::uint32_t remainder = i;
      for (int bit = 0; bit < 8; ++bit) {
        remainder = (remainder >> 1U) ^ ((remainder & 1U) != 0 ? kCastagnoli : 0);
      }
      table[i] = remainder;
    }
    return table;
  }();
  crc = ~crc;
  for (const std::byte byte : data) {
    crc = (crc >> 8U) ^ kTable[(crc ^ std::to_integer<std::uint32_t>(byte)) & 0xFFU];
  }
  return ~crc;
}

// The library's function is the bare polynomial: the value is inverted before and after. It counts
// in an int, and wants a pointer to non-const bytes that it does not write to.
std::uint32_t crc32c(std::uint32_t crc, ByteView data) {
  const Isal* fast = isal();
  if (fast == nullptr) {
    return portable_crc32c(crc, data);
  }
  crc = ~crc;
  while (!data.empty()) {
    const ByteView slice = data.first(std::min(data.size(), kStepBytesMax));
    data = data.subspan(slice.size());
    crc =
        fast->crc32c(const_cast<std::uint8_t*>(octets(slice)), static_cast<int>(slice.size()), crc);
  }
  leave_isal();
  return ~crc;
}

}  // namespace pgwalship
