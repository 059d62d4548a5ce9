// Two contents that claim one name: what is the difference, in WAL's own terms? Then in words: who,
// where, why probably, and what to do. Pure; memory does not grow with a segment.
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "wal/gzip.h"
#include "wal/record_walk.h"
#include "wal/segment_name.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace pgwalship {

enum class Side { kKept, kRefused };  // the archive's content, and the other

struct Difference {
  enum class Kind {
    kIdentical,
    kSameRecords,  // equal up to `lsn`, where the records of both end: recovery does the same
    kPrefix,       // equal up to `lsn`, where those of `shorter` end; the other has more
    kDiverged,     // the record at `lsn` differs: two histories
    kText,         // history files and backup labels: `line` differs
    kUnknown,      // none of that can be told; `first_byte` differs
  };
  Kind kind = Kind::kUnknown;
  std::uint64_t first_byte = 0;  // offset of the first that differs; kIdentical: the size
  std::uint64_t lsn = 0;
  Side shorter = Side::kKept;
  // kDiverged: it began in the segment before, so `lsn` is only where this segment starts.
  bool began_before = false;
  // kDiverged: in one of the two the record is not whole: it goes on in the next segment, or was
  // given up after a crash.
  bool unfinished = false;
  RecordWalk::End kept_end = RecordWalk::End::kNotYet;
  RecordWalk::End refused_end = RecordWalk::End::kNotYet;
  std::size_t line = 0;  // kText: from 1
  std::string kept_line;
  std::string refused_line;
  // History files: where each leaves its parent.
  struct Fork {
    std::uint32_t parent = 0;
    std::string lsn;
    friend bool operator==(const Fork&, const Fork&) = default;
  };
  std::optional<Fork> kept_fork;
  std::optional<Fork> refused_fork;
};

class ContentComparison {
 public:
  explicit ContentComparison(const WalName& name) : is_wal_(name.is_wal()), kind_(name.kind()) {}

  // The next bytes of both. REQUIRES: equally many.
  void write(ByteView kept, ByteView refused);
  // One is longer: what it has beyond the other's end. After the last write().
  void write_rest(Side side, ByteView bytes);
  Difference finish();

 private:
  void differ_here();
  void feed(Side side, ByteView bytes);
  Difference judge_records() const;
  Difference judge_text() const;

  const bool is_wal_;
  const WalKind kind_;
  std::uint64_t equal_bytes_ = 0;
  bool differ_ = false;
  RecordWalk::Place place_;  // of the first byte that differs
  RecordWalk kept_walk_;
  RecordWalk refused_walk_;
  std::string kept_text_;
  std::string refused_text_;
};

// The next piece of a content; empty at its end.
using PieceSource = std::function<Result<ByteView>()>;
// Errors are those of the sources. A piece stays valid until its source is asked again.
Result<Difference> compare_contents(const WalName& name, const PieceSource& kept,
                                    const PieceSource& refused);

struct DifferenceWords {
  std::string verdict;  // one line: "diverged at 0/30001A8: ..."
  std::string cause;    // the likely one
  std::string next;     // what the operator can do
};
DifferenceWords describe(const WalName& name, const Difference& difference, const FileFacts& kept,
                         const FileFacts& refused);
// The kind as one word, for JSON: "same_records".
std::string_view to_word(Difference::Kind kind);

}  // namespace pgwalship
