#include "base/check.h"
#include "wal/gzip_engine.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <new>

namespace pgwalship {
namespace {

constexpr std::size_t kStepBytesMax = std::size_t{1} << 30;
constexpr std::size_t kOutputBytes = std::size_t{64} << 10;
constexpr int kRawWindowBits = -15;  // negative: no zlib header and trailer
constexpr int kMemoryLevel = 8;      // the library's default

class ZlibDeflate final : public DeflateEngine {
 public:
  explicit ZlibDeflate(int level) {
    CHECK(level >= 1 && level <= 9);
    const int result =
        deflateInit2(&stream_, level, Z_DEFLATED, kRawWindowBits, kMemoryLevel, Z_DEFAULT_STRATEGY);
    if (result == Z_MEM_ERROR) {
      throw std::bad_alloc();  // as any other allocation here would
    }
    CHECK(result == Z_OK);
  }
  ~ZlibDeflate() override { deflateEnd(&stream_); }
  ZlibDeflate(const ZlibDeflate&) = delete;
  ZlibDeflate& operator=(const ZlibDeflate&) = delete;

  void write(ByteView raw, Bytes& out) override {
    while (!raw.empty()) {
      const ByteView slice = raw.first(std::min(raw.size(), kStepBytesMax));
      raw = raw.subspan(slice.size());
      // zlib does not write to its input, whatever the type says.
      stream_.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(slice.data()));
      stream_.avail_in = static_cast<uInt>(slice.size());
      run(Z_NO_FLUSH, out);
      CHECK(stream_.avail_in == 0);
    }
  }

  void finish(Bytes& out) override { CHECK(run(Z_FINISH, out) == Z_STREAM_END); }

 private:
  int run(int flush, Bytes& out) {
    int result = Z_OK;
    do {
      stream_.next_out = output_.data();
      stream_.avail_out = static_cast<uInt>(output_.size());
      result = deflate(&stream_, flush);
      // Z_BUF_ERROR: the room was filled exactly and nothing is left to do.
      CHECK(result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR);
      const std::size_t ready = output_.size() - stream_.avail_out;
      const auto* begin = reinterpret_cast<const std::byte*>(output_.data());
      out.insert(out.end(), begin, begin + ready);
    } while (stream_.avail_out == 0);
    return result;
  }

  z_stream stream_{};
  std::array<Bytef, kOutputBytes> output_;
};

class ZlibInflate final : public InflateEngine {
 public:
  ZlibInflate() {
    if (inflateInit2(&stream_, kRawWindowBits) != Z_OK) {
      throw std::bad_alloc();
    }
  }
  ~ZlibInflate() override { inflateEnd(&stream_); }
  ZlibInflate(const ZlibInflate&) = delete;
  ZlibInflate& operator=(const ZlibInflate&) = delete;

  Step step(ByteView in, std::span<std::byte> out) override {
    const auto in_bytes = static_cast<uInt>(std::min(in.size(), kStepBytesMax));
    const auto out_bytes = static_cast<uInt>(std::min(out.size(), kStepBytesMax));
    stream_.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(in.data()));
    stream_.avail_in = in_bytes;
    stream_.next_out = reinterpret_cast<Bytef*>(out.data());
    stream_.avail_out = out_bytes;
    const int result = inflate(&stream_, Z_NO_FLUSH);
    // Z_BUF_ERROR: it can do nothing without more input, or more room.
    if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) {
      return Step{State::kBad, 0, 0};
    }
    return Step{result == Z_STREAM_END ? State::kFinished : State::kMore,
                in_bytes - stream_.avail_in, out_bytes - stream_.avail_out};
  }

  Bytes unused() const override { return {}; }  // it takes no byte too many

  void reset() override { inflateReset(&stream_); }

 private:
  z_stream stream_{};
};

}  // namespace

std::unique_ptr<InflateEngine> make_zlib_inflate() {
  return std::make_unique<ZlibInflate>();
}

std::unique_ptr<DeflateEngine> make_zlib_deflate(int level) {
  return std::make_unique<ZlibDeflate>(level);
}

}  // namespace pgwalship
