// Frames on the wire: docs/protocol.md section 2. FrameDecoder takes bytes as they come, in any
// pieces; it never throws, never reads past what it was given, and allocates at most one frame.
#pragma once

#include "base/bytes.h"
#include "base/result.h"

#include <cstdint>
#include <optional>

namespace pgwalship {

inline constexpr std::size_t kFrameHeaderBytes = 12;
inline constexpr std::size_t kFramePayloadMax = 256 * 1024;
inline constexpr std::size_t kDataBytesMax = 64 * 1024;

struct Frame {
  std::uint8_t type = 0;
  Bytes payload;
};

// REQUIRES: payload.size() <= kFramePayloadMax.
void append_frame(std::uint8_t type, ByteView payload, Bytes& out);

class FrameDecoder {
 public:
  void feed(ByteView bytes);
  // The next whole frame; nothing when more bytes are needed; kProtocol when the bytes are not
  // frames (the decoder is then unusable: end the session).
  Result<std::optional<Frame>> next();

 private:
  Bytes buffer_;
  std::size_t start_ = 0;
};

}  // namespace pgwalship
