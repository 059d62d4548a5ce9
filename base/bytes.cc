#include "base/bytes.h"

#include <algorithm>
#include <limits>

namespace pgwalship {

namespace {

template <typename Integer>
void append_little_endian(Bytes& bytes, Integer value) {
  for (std::size_t i = 0; i < sizeof(Integer); ++i) {
    bytes.push_back(static_cast<std::byte>(static_cast<std::uint64_t>(value) >> (8 * i)));
  }
}

template <typename Integer>
Integer from_little_endian(ByteView bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    value |= std::to_integer<std::uint64_t>(bytes[i]) << (8 * i);
  }
  return static_cast<Integer>(value);
}

}  // namespace

ByteView as_bytes(std::string_view text) {
  return std::as_bytes(std::span<const char>(text.data(), text.size()));
}

std::string_view as_text(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void ByteWriter::u8(std::uint8_t value) {
  append_little_endian(bytes_, value);
}
void ByteWriter::u16(std::uint16_t value) {
  append_little_endian(bytes_, value);
}
void ByteWriter::u32(std::uint32_t value) {
  append_little_endian(bytes_, value);
}
void ByteWriter::u64(std::uint64_t value) {
  append_little_endian(bytes_, value);
}

void ByteWriter::raw(ByteView bytes) {
  bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
}

void ByteWriter::text(std::string_view value) {
  const std::string_view kept = value.substr(0, std::numeric_limits<std::uint16_t>::max());
  u16(static_cast<std::uint16_t>(kept.size()));
  raw(as_bytes(kept));
}

std::uint8_t ByteReader::u8() {
  return from_little_endian<std::uint8_t>(raw(1));
}
std::uint16_t ByteReader::u16() {
  return from_little_endian<std::uint16_t>(raw(2));
}
std::uint32_t ByteReader::u32() {
  return from_little_endian<std::uint32_t>(raw(4));
}
std::uint64_t ByteReader::u64() {
  return from_little_endian<std::uint64_t>(raw(8));
}

ByteView ByteReader::raw(std::size_t size) {
  if (!ok_ || size > rest_.size()) {
    ok_ = false;
    return {};
  }
  const ByteView taken = rest_.first(size);
  rest_ = rest_.subspan(size);
  return taken;
}

std::string ByteReader::text() {
  const std::uint16_t size = u16();
  return std::string(as_text(raw(size)));
}

}  // namespace pgwalship
