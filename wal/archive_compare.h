// How two archives find out what each of them lacks, without sending each other all they hold: the
// two sides of Compare (docs/protocol.md), pure.
//
// The asker sends ranges that cover everything, each with its summary here. The answerer says for
// each: the same; or here are the summaries of its parts; or, when it is small, here is what it
// holds. The asker asks on where the summaries differ. Equal archives take one round trip; a
// difference in a million segments takes four, and bytes for its part alone.
//
// Entries of the same name whose contents are not both known count as equal here: legacy files are
// compared when they are stored, verified or fetched.
#pragma once

#include "wal/archive_index.h"
#include "wal/differences.h"

#include <deque>
#include <optional>
#include <variant>
#include <vector>

namespace pgwalship {

// These bound a message to well under the 256 KiB of a frame, and the work that it causes.
inline constexpr std::size_t kAskedRangesMax = 512;
inline constexpr std::size_t kRangePartsMax = 64;
inline constexpr std::size_t kRangeListedMax = 64;
inline constexpr std::size_t kAnswerItemsMax = 4096;  // parts and listed entries of one answer

struct AskedRange {
  PlaceRange range;
  RangeSummary asker;

  friend bool operator==(const AskedRange&, const AskedRange&) = default;
};
struct CompareQuery {
  SegmentPosition floor = 0;  // nothing below it is compared
  std::vector<AskedRange> ranges;

  friend bool operator==(const CompareQuery&, const CompareQuery&) = default;
};

struct SameRange {
  friend bool operator==(const SameRange&, const SameRange&) = default;
};
struct SplitRange {                 // into parts.size() consecutive parts
  std::vector<ArchivePlace> cuts;   // where each part but the first begins
  std::vector<RangeSummary> parts;  // at least two

  friend bool operator==(const SplitRange&, const SplitRange&) = default;
};
struct ListedRange {  // everything in it, in order
  struct Item {
    ArchivePlace place;
    ContentKey key;

    friend bool operator==(const Item&, const Item&) = default;
  };
  std::vector<Item> items;

  friend bool operator==(const ListedRange&, const ListedRange&) = default;
};
using RangeAnswer = std::variant<SameRange, SplitRange, ListedRange>;

struct CompareAnswer {
  // The higher of the asked floor and the answerer's own: what the answer holds for.
  SegmentPosition floor = 0;
  std::vector<RangeAnswer> ranges;  // of the first so many asked ranges, in order; at least one

  friend bool operator==(const CompareAnswer&, const CompareAnswer&) = default;
};

// REQUIRES: query.ranges is not empty.
CompareAnswer answer_compare(const ArchiveIndex& mine, const CompareQuery& query,
                             SegmentPosition floor);

// The asker's side of one comparison. `mine` may change between the calls: what is found is then
// true of some moment after the comparison began.
class ArchiveComparison {
 public:
  explicit ArchiveComparison(SegmentPosition floor) : floor_(floor) {}

  // What to ask next; nothing when all is known. Ask again only after take().
  std::optional<CompareQuery> next(const ArchiveIndex& mine);
  // kProtocol for what no answerer of ours would say.
  Result<void> take(const ArchiveIndex& mine, const CompareAnswer& answer);

  // Once next() gave nothing. At most kDifferencesMax of each kind; of what is missing `more` says
  // whether that was all.
  Differences result() &&;

 private:
  void begin(const ArchiveIndex& mine);
  Result<void> take_range(const ArchiveIndex& mine, const PlaceRange& range,
                          const RangeAnswer& answer);
  Result<void> take_parts(const ArchiveIndex& mine, const PlaceRange& range,
                          const SplitRange& split);
  Result<void> take_items(const ArchiveIndex& mine, const PlaceRange& range,
                          const ListedRange& listed);
  void add_missing(std::vector<WalName>& list, const ArchivePlace& place);
  bool is_full() const;

  SegmentPosition floor_;
  bool begun_ = false;
  std::size_t rounds_ = 0;
  std::size_t asked_ = 0;             // the first so many of pending_ are being asked
  std::deque<PlaceRange> pending_;    // in order, disjoint
  std::vector<PlaceRange> narrowed_;  // what an answer leaves to ask
  Differences found_;
};

}  // namespace pgwalship
