#include "base/check.h"
#include "wal/gzip_engine.h"

#include <algorithm>
#include <array>
#include <vector>

namespace pgwalship {
namespace {

// The library counts in 32 bits.
constexpr std::size_t kStepBytesMax = std::size_t{1} << 30;
constexpr std::size_t kOutputBytes = std::size_t{64} << 10;

// The library's structures want pointers to non-const input that it does not write to.
std::uint8_t* input_pointer(ByteView data) {
  return const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(data.data()));
}

class IsalDeflate final : public DeflateEngine {
 public:
  IsalDeflate(const Isal& isal, int level) : isal_(isal) {
    static constexpr std::array<std::uint32_t, 4> kLevelBytes = {
        0, ISAL_DEF_LVL1_DEFAULT, ISAL_DEF_LVL2_DEFAULT, ISAL_DEF_LVL3_DEFAULT};
    CHECK(level >= 1 && level <= 3);
    isal_.deflate_init(&stream_);
    level_buffer_.resize(kLevelBytes[static_cast<std::size_t>(level)]);
    stream_.level = static_cast<std::uint32_t>(level);
    stream_.level_buf = level_buffer_.data();
    stream_.level_buf_size = static_cast<std::uint32_t>(level_buffer_.size());
    stream_.gzip_flag = IGZIP_DEFLATE;
    stream_.flush = NO_FLUSH;
  }

  void write(ByteView raw, Bytes& out) override {
    while (!raw.empty()) {
      const ByteView slice = raw.first(std::min(raw.size(), kStepBytesMax));
      raw = raw.subspan(slice.size());
      stream_.next_in = input_pointer(slice);
      stream_.avail_in = static_cast<std::uint32_t>(slice.size());
      run(out);
      CHECK(stream_.avail_in == 0);
    }
  }

  void finish(Bytes& out) override {
    stream_.end_of_stream = 1;
    run(out);
    CHECK(stream_.internal_state.state == ZSTATE_END);
  }

 private:
  void run(Bytes& out) {
    do {
      stream_.next_out = output_.data();
      stream_.avail_out = static_cast<std::uint32_t>(output_.size());
      CHECK(isal_.deflate(&stream_) == COMP_OK);
      const std::size_t ready = output_.size() - stream_.avail_out;
      const auto* begin = reinterpret_cast<const std::byte*>(output_.data());
      out.insert(out.end(), begin, begin + ready);
    } while (stream_.avail_out == 0);
  }

  const Isal& isal_;
  isal_zstream stream_{};
  std::vector<std::uint8_t> level_buffer_;
  std::array<std::uint8_t, kOutputBytes> output_;
};

class IsalInflate final : public InflateEngine {
 public:
  explicit IsalInflate(const Isal& isal) : isal_(isal) { isal_.inflate_init(&state_); }

  Step step(ByteView in, std::span<std::byte> out) override {
    const auto in_bytes = static_cast<std::uint32_t>(std::min(in.size(), kStepBytesMax));
    const auto out_bytes = static_cast<std::uint32_t>(std::min(out.size(), kStepBytesMax));
    state_.next_in = input_pointer(in);
    state_.avail_in = in_bytes;
    state_.next_out = reinterpret_cast<std::uint8_t*>(out.data());
    state_.avail_out = out_bytes;
    const int result = isal_.inflate(&state_);
    // After an error the library's counters may be those of its own look-ahead buffer.
    if (result < 0 || state_.avail_in > in_bytes || state_.avail_out > out_bytes) {
      return Step{State::kBad, 0, 0};
    }
    const bool finished = state_.block_state == ISAL_BLOCK_FINISH;
    return Step{finished ? State::kFinished : State::kMore, in_bytes - state_.avail_in,
                out_bytes - state_.avail_out};
  }

  // The library reads ahead into `read_in`, lowest bits first; what is left of the last byte of
  // the stream is padding.
  Bytes unused() const override {
    Bytes bytes;
    const int bits = state_.read_in_length;
    for (int shift = bits % 8; shift < bits; shift += 8) {
      bytes.push_back(static_cast<std::byte>(state_.read_in >> shift & 0xFF));
    }
    return bytes;
  }

  void reset() override { isal_.inflate_init(&state_); }

 private:
  const Isal& isal_;
  inflate_state state_{};
};

}  // namespace

std::unique_ptr<DeflateEngine> make_isal_deflate(const Isal& isal, int level) {
  return std::make_unique<IsalDeflate>(isal, level);
}

std::unique_ptr<InflateEngine> make_isal_inflate(const Isal& isal) {
  return std::make_unique<IsalInflate>(isal);
}

}  // namespace pgwalship
