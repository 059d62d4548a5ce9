#include "transport/compare_codec.h"

#include "transport/frame.h"

#include <algorithm>

namespace pgwalship {
namespace {

constexpr std::uint8_t kSame = 0;
constexpr std::uint8_t kSplit = 1;
constexpr std::uint8_t kListed = 2;

constexpr std::size_t kPlaceBytes = 8 + 8 + 1 + 4;
constexpr std::size_t kSummaryBytes = 8 + 8 + 8;
constexpr std::size_t kKeyBytes = 16;
constexpr std::size_t kHeadBytes = 8 + 1 + 8 + 2;
constexpr std::size_t kItemBytes = kPlaceBytes + std::max(kSummaryBytes, kKeyBytes);
static_assert(kHeadBytes + kAskedRangesMax * (2 * kPlaceBytes + kSummaryBytes) <= kFramePayloadMax);
static_assert(kHeadBytes + kAskedRangesMax * 2 + kAnswerItemsMax * kItemBytes <= kFramePayloadMax);

void write(ByteWriter& out, const ArchivePlace& place) {
  out.u64(place.lane);
  out.u64(place.position);
  out.u8(place.kind);
  out.u32(place.offset);
}

void write(ByteWriter& out, const RangeSummary& summary) {
  out.u64(summary.count);
  out.u64(summary.digest_low);
  out.u64(summary.digest_high);
}

ArchivePlace read_place(ByteReader& in) {
  ArchivePlace place;
  place.lane = in.u64();
  place.position = in.u64();
  place.kind = in.u8();
  place.offset = in.u32();
  return place;
}

RangeSummary read_summary(ByteReader& in) {
  RangeSummary summary;
  summary.count = in.u64();
  summary.digest_low = in.u64();
  summary.digest_high = in.u64();
  return summary;
}

void write(ByteWriter& out, const RangeAnswer& answer) {
  if (const auto* split = std::get_if<SplitRange>(&answer)) {
    CHECK(split->parts.size() <= kRangePartsMax && split->cuts.size() + 1 == split->parts.size());
    out.u8(kSplit);
    out.u8(static_cast<std::uint8_t>(split->parts.size()));
    for (const RangeSummary& part : split->parts) {
      write(out, part);
    }
    for (const ArchivePlace& cut : split->cuts) {
      write(out, cut);
    }
  } else if (const auto* listed = std::get_if<ListedRange>(&answer)) {
    CHECK(listed->items.size() <= kRangeListedMax);
    out.u8(kListed);
    out.u8(static_cast<std::uint8_t>(listed->items.size()));
    for (const ListedRange::Item& item : listed->items) {
      write(out, item.place);
      out.raw(item.key.bytes);
    }
  } else {
    out.u8(kSame);
  }
}

std::optional<RangeAnswer> read_answer(ByteReader& in) {
  const std::uint8_t kind = in.u8();
  if (kind == kSame) {
    return SameRange{};
  }
  const std::uint8_t count = in.u8();
  if (kind == kSplit && count >= 2 && count <= kRangePartsMax) {
    SplitRange split;
    for (int i = 0; i < count && in.ok(); ++i) {
      split.parts.push_back(read_summary(in));
    }
    for (int i = 1; i < count && in.ok(); ++i) {
      split.cuts.push_back(read_place(in));
    }
    return split;
  }
  if (kind == kListed && count <= kRangeListedMax) {
    ListedRange listed;
    for (int i = 0; i < count && in.ok(); ++i) {
      ListedRange::Item item{read_place(in), {}};
      const ByteView key = in.raw(kKeyBytes);
      std::copy(key.begin(), key.end(), item.key.bytes.begin());
      listed.items.push_back(item);
    }
    return listed;
  }
  return std::nullopt;
}

}  // namespace

void encode(const CompareQuery& query, ByteWriter& out) {
  CHECK(!query.ranges.empty() && query.ranges.size() <= kAskedRangesMax);
  out.u64(query.floor);
  out.u16(static_cast<std::uint16_t>(query.ranges.size()));
  for (const AskedRange& asked : query.ranges) {
    write(out, asked.range.first);
    write(out, asked.range.last);
    write(out, asked.asker);
  }
}

void encode(const CompareAnswer& answer, ByteWriter& out) {
  CHECK(!answer.ranges.empty() && answer.ranges.size() <= kAskedRangesMax);
  out.u64(answer.floor);
  out.u16(static_cast<std::uint16_t>(answer.ranges.size()));
  for (const RangeAnswer& range : answer.ranges) {
    write(out, range);
  }
}

std::optional<CompareQuery> decode_compare_query(ByteView body) {
  ByteReader in(body);
  CompareQuery query;
  query.floor = in.u64();
  const std::uint16_t count = in.u16();
  if (count == 0 || count > kAskedRangesMax) {
    return std::nullopt;
  }
  for (int i = 0; i < count && in.ok(); ++i) {
    AskedRange asked;
    asked.range.first = read_place(in);
    asked.range.last = read_place(in);
    asked.asker = read_summary(in);
    // In order and disjoint: the work for a question is that for all of the archive, once.
    const bool in_order =
        query.ranges.empty() || query.ranges.back().range.last <= asked.range.first;
    if (!in_order || asked.range.last <= asked.range.first) {
      return std::nullopt;
    }
    query.ranges.push_back(asked);
  }
  return in.finished() ? std::optional(std::move(query)) : std::nullopt;
}

std::optional<CompareAnswer> decode_compare_answer(ByteView body) {
  ByteReader in(body);
  CompareAnswer answer;
  answer.floor = in.u64();
  const std::uint16_t count = in.u16();
  if (count == 0 || count > kAskedRangesMax) {
    return std::nullopt;
  }
  for (int i = 0; i < count && in.ok(); ++i) {
    std::optional<RangeAnswer> range = read_answer(in);
    if (!range) {
      return std::nullopt;
    }
    answer.ranges.push_back(std::move(*range));
  }
  return in.finished() ? std::optional(std::move(answer)) : std::nullopt;
}

}  // namespace pgwalship
