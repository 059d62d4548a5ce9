// Bytes and their little-endian encoding: ByteWriter appends, ByteReader takes apart.
// ByteReader is total: it never reads past the end; after the first short read everything it
// returns is zero or empty and ok() stays false, so a decoder checks once, at its end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pgwalship {

using Bytes = std::vector<std::byte>;
using ByteView = std::span<const std::byte>;

ByteView as_bytes(std::string_view text);
std::string_view as_text(ByteView bytes);

class ByteWriter {
 public:
  void u8(std::uint8_t value);
  void u16(std::uint16_t value);
  void u32(std::uint32_t value);
  void u64(std::uint64_t value);
  void raw(ByteView bytes);
  // u16 length, then the bytes. Text over 65,535 bytes is cut at that length.
  void text(std::string_view value);

  std::size_t size() const { return bytes_.size(); }
  ByteView view() const { return bytes_; }
  Bytes take() { return std::move(bytes_); }

 private:
  Bytes bytes_;
};

class ByteReader {
 public:
  explicit ByteReader(ByteView bytes) : rest_(bytes) {}

  std::uint8_t u8();
  std::uint16_t u16();
  std::uint32_t u32();
  std::uint64_t u64();
  ByteView raw(std::size_t size);
  std::string text();

  bool ok() const { return ok_; }
  std::size_t remaining() const { return rest_.size(); }
  // True when nothing was short and nothing is left over.
  bool finished() const { return ok_ && rest_.empty(); }

 private:
  ByteView rest_;
  bool ok_ = true;
};

}  // namespace pgwalship
