// Private to wal/gzip*.cc: raw DEFLATE (RFC 1951) streams, one engine per compression library.
// gzip.cc puts the header and the trailer around them.
#pragma once

#include "base/bytes.h"
#include "wal/isal.h"

#include <cstdint>
#include <memory>
#include <span>

namespace pgwalship {

class DeflateEngine {
 public:
  virtual ~DeflateEngine() = default;

  // Appends what is ready to `out`; never much more than came in.
  virtual void write(ByteView raw, Bytes& out) = 0;
  // Ends the stream. Nothing may be written afterwards.
  virtual void finish(Bytes& out) = 0;
};

// ISA-L's igzip. level: 1 to 3, the library's own numbers.
std::unique_ptr<DeflateEngine> make_isal_deflate(const Isal& isal, int level);
// zlib. level: 1 to 9, the library's own numbers.
std::unique_ptr<DeflateEngine> make_zlib_deflate(int level);

class InflateEngine {
 public:
  enum class State {
    kMore,      // wants more input, or more room when it filled `out`
    kFinished,  // the stream has ended
    kBad,       // not a DEFLATE stream
  };
  struct Step {
    State state = State::kMore;
    std::size_t consumed = 0;
    std::size_t produced = 0;
  };

  virtual ~InflateEngine() = default;
  // Takes bytes from the front of `in`, puts raw bytes at the front of `out`.
  virtual Step step(ByteView in, std::span<std::byte> out) = 0;
  // After kFinished: consumed bytes that belong to what follows the stream, at most 8.
  virtual Bytes unused() const = 0;
  virtual void reset() = 0;
};

// For streams of any compressor.
std::unique_ptr<InflateEngine> make_isal_inflate(const Isal& isal);
std::unique_ptr<InflateEngine> make_zlib_inflate();

}  // namespace pgwalship
