#include "transport/frame.h"

#include "wal/digest.h"

#include <string>

namespace pgwalship {
namespace {

void append(ByteView bytes, Bytes& out) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

Error protocol_error(std::string reason) {
  return Error{Errc::kProtocol, "bad frame: " + std::move(reason), {}};
}

}  // namespace

void append_frame(std::uint8_t type, ByteView payload, Bytes& out) {
  CHECK(payload.size() <= kFramePayloadMax);
  ByteWriter header;
  header.u32(static_cast<std::uint32_t>(payload.size()));
  header.u8(type);
  header.u8(0);
  header.u16(0);
  header.u32(crc32(0, payload));
  CHECK(header.size() == kFrameHeaderBytes);
  append(header.view(), out);
  append(payload, out);
}

void FrameDecoder::feed(ByteView bytes) {
  buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(start_));
  start_ = 0;
  append(bytes, buffer_);
}

Result<std::optional<Frame>> FrameDecoder::next() {
  const ByteView rest = ByteView(buffer_).subspan(start_);
  if (rest.size() < kFrameHeaderBytes) {
    return std::optional<Frame>();
  }
  ByteReader header(rest.first(kFrameHeaderBytes));
  const std::uint32_t payload_bytes = header.u32();
  const std::uint8_t type = header.u8();
  const std::uint8_t zero = header.u8();
  const std::uint16_t zeros = header.u16();
  const std::uint32_t announced_crc32 = header.u32();
  if (payload_bytes > kFramePayloadMax) {
    return protocol_error(std::to_string(payload_bytes) + " bytes, at most " +
                          std::to_string(kFramePayloadMax) + " are allowed");
  }
  if (zero != 0 || zeros != 0) {
    return protocol_error("reserved bytes are not zero");
  }
  if (rest.size() - kFrameHeaderBytes < payload_bytes) {
    return std::optional<Frame>();
  }
  const ByteView payload = rest.subspan(kFrameHeaderBytes, payload_bytes);
  if (crc32(0, payload) != announced_crc32) {
    return protocol_error("the checksum of message type " + std::to_string(type) +
                          " does not match its payload");
  }
  start_ += kFrameHeaderBytes + payload_bytes;
  return std::optional(Frame{type, Bytes(payload.begin(), payload.end())});
}

}  // namespace pgwalship
