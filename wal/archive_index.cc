#include "wal/archive_index.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <tuple>

namespace pgwalship {
namespace {

constexpr std::uint32_t kDefaultSegmentBytes = 16U << 20U;

// The finaliser of MurmurHash3: every bit of the input reaches every bit of the output.
std::uint64_t mix(std::uint64_t x) {
  x ^= x >> 33U;
  x *= 0xFF51AFD7ED558CCDU;
  x ^= x >> 33U;
  x *= 0xC4CEB9FE1A85EC53U;
  x ^= x >> 33U;
  return x;
}

std::uint64_t little_endian(const std::byte* bytes) {
  std::uint64_t value = 0;
  for (int i = 7; i >= 0; --i) {
    value = value << 8U | std::to_integer<std::uint64_t>(bytes[i]);
  }
  return value;
}

// The place of the segment that follows, on the same timeline.
SegmentPosition next_position(SegmentPosition position, std::uint32_t segment_bytes) {
  const std::uint64_t segments_in_a_log = (std::uint64_t{1} << 32U) / segment_bytes;
  const std::uint64_t seg = position & 0xFFFFFFFFU;
  return seg + 1 < segments_in_a_log ? position + 1 : ((position >> 32U) + 1) << 32U;
}

}  // namespace

ContentKey ContentKey::of(const Sha256& sha256) {
  ContentKey key;
  std::copy_n(sha256.bytes.begin(), key.bytes.size(), key.bytes.begin());
  return key;
}

Sha256 ContentKey::start_of_hash() const {
  Sha256 hash;
  std::copy(bytes.begin(), bytes.end(), hash.bytes.begin());
  return hash;
}

void RangeSummary::add(const RangeSummary& other) {
  count += other.count;
  digest_low += other.digest_low;
  digest_high += other.digest_high;
}

void RangeSummary::subtract(const RangeSummary& other) {
  count -= other.count;
  digest_low -= other.digest_low;
  digest_high -= other.digest_high;
}

// Part of the protocol: both ends must come to the same numbers.
RangeSummary summary_of(const ArchivePlace& place, const ContentKey& key) {
  std::uint64_t low = 0;
  for (const std::uint64_t word :
       {place.lane, place.position, std::uint64_t{place.kind} << 32U | place.offset,
        little_endian(key.bytes.data()), little_endian(key.bytes.data() + 8)}) {
    low = mix(low + word + 0x9E3779B97F4A7C15U);
  }
  // A second half of its own: from the first half alone it would add nothing.
  std::uint64_t high = 0;
  for (const std::uint64_t word :
       {little_endian(key.bytes.data() + 8), little_endian(key.bytes.data()),
        std::uint64_t{place.kind} << 32U | place.offset, place.position, place.lane}) {
    high = mix(high + word + 0xD1B54A32D192ED03U);
  }
  return {1, low, high};
}

// Chunks ---------------------------------------------------------------------------------------

ArchiveIndex::ChunkKey ArchiveIndex::chunk_key(const ArchivePlace& place) {
  return {place.lane, place.position >> kLowBits};
}

ArchivePlace ArchiveIndex::first_place(const ChunkKey& key) {
  return {key.lane, key.block << kLowBits, 0, 0};
}

ArchivePlace ArchiveIndex::last_place(const ChunkKey& key) {
  return {key.lane, (key.block << kLowBits) + ((1U << kLowBits) - 1),
          std::numeric_limits<std::uint8_t>::max(), std::numeric_limits<std::uint32_t>::max()};
}

ArchivePlace ArchiveIndex::place_of(const ChunkKey& key, const Slot& slot) {
  return {key.lane, (key.block << kLowBits) + slot.low, slot.kind, slot.offset};
}

ArchiveIndex::Entry ArchiveIndex::entry_of(const Slot& slot) {
  return {slot.key, std::uint64_t{slot.stamp[1]} << 32U | slot.stamp[0], slot.file_bytes};
}

std::vector<ArchiveIndex::Slot>::iterator ArchiveIndex::lower_slot(Chunk& chunk,
                                                                   const ArchivePlace& place) {
  const auto low = static_cast<std::uint8_t>(place.position);
  return std::lower_bound(chunk.slots.begin(), chunk.slots.end(),
                          std::tuple(low, place.kind, place.offset),
                          [](const Slot& slot, const auto& wanted) {
                            return std::tuple(slot.low, slot.kind, slot.offset) < wanted;
                          });
}

bool ArchiveIndex::covers(const PlaceRange& range, SegmentPosition floor,
                          const ArchivePlace& place) {
  return range.first <= place && place < range.last && !place.is_below(floor);
}

ArchiveIndex::Share ArchiveIndex::share_of(const ChunkKey& key, const PlaceRange& range,
                                           SegmentPosition floor) {
  const ArchivePlace first = first_place(key);
  const ArchivePlace last = last_place(key);
  if (last < range.first || first >= range.last || last.is_below(floor)) {
    return Share::kNone;
  }
  const bool all = range.first <= first && last < range.last && !first.is_below(floor);
  return all ? Share::kAll : Share::kSome;
}

// Entries --------------------------------------------------------------------------------------

void ArchiveIndex::put(const ArchivePlace& place, const Entry& entry) {
  Chunk& chunk = chunks_[chunk_key(place)];
  auto slot = lower_slot(chunk, place);
  const ChunkKey key = chunk_key(place);
  if (slot != chunk.slots.end() && place_of(key, *slot) == place) {
    chunk.summary.subtract(summary_of(place, slot->key));
    file_bytes_ -= slot->file_bytes;
  } else {
    slot = chunk.slots.insert(slot, Slot{});
    chunk.rare += place.kind != 0 ? 1 : 0;
    ++size_;
  }
  *slot = Slot{
      entry.key,
      {static_cast<std::uint32_t>(entry.stamp), static_cast<std::uint32_t>(entry.stamp >> 32U)},
      entry.file_bytes,
      place.offset,
      static_cast<std::uint8_t>(place.position),
      place.kind};
  chunk.summary.add(summary_of(place, entry.key));
  file_bytes_ += entry.file_bytes;
}

void ArchiveIndex::remove(const ArchivePlace& place) {
  const ChunkKey key = chunk_key(place);
  const auto found = chunks_.find(key);
  if (found == chunks_.end()) {
    return;
  }
  Chunk& chunk = found->second;
  const auto slot = lower_slot(chunk, place);
  if (slot == chunk.slots.end() || place_of(key, *slot) != place) {
    return;
  }
  chunk.summary.subtract(summary_of(place, slot->key));
  file_bytes_ -= slot->file_bytes;
  chunk.rare -= place.kind != 0 ? 1 : 0;
  --size_;
  chunk.slots.erase(slot);
  if (chunk.slots.empty()) {
    chunks_.erase(found);
  }
}

std::optional<ArchiveIndex::Entry> ArchiveIndex::find(const ArchivePlace& place) const {
  std::optional<Entry> found;
  const auto chunk = chunks_.find(chunk_key(place));
  if (chunk == chunks_.end()) {
    return found;
  }
  const auto& slots = chunk->second.slots;
  const auto slot = std::lower_bound(
      slots.begin(), slots.end(), place,
      [&](const Slot& s, const ArchivePlace& p) { return place_of(chunk->first, s) < p; });
  if (slot != slots.end() && place_of(chunk->first, *slot) == place) {
    found = entry_of(*slot);
  }
  return found;
}

// Ranges ---------------------------------------------------------------------------------------

RangeSummary ArchiveIndex::summarize(const PlaceRange& range, SegmentPosition floor) const {
  RangeSummary sum;
  for (auto chunk = chunks_.lower_bound(chunk_key(range.first));
       chunk != chunks_.end() && first_place(chunk->first) < range.last; ++chunk) {
    switch (share_of(chunk->first, range, floor)) {
      case Share::kNone:
        break;
      case Share::kAll:
        sum.add(chunk->second.summary);
        break;
      case Share::kSome:
        for (const Slot& slot : chunk->second.slots) {
          const ArchivePlace place = place_of(chunk->first, slot);
          if (covers(range, floor, place)) {
            sum.add(summary_of(place, slot.key));
          }
        }
        break;
    }
  }
  return sum;
}

std::optional<ArchivePlace> ArchiveIndex::nth(const PlaceRange& range, SegmentPosition floor,
                                              std::uint64_t n) const {
  for (auto chunk = chunks_.lower_bound(chunk_key(range.first));
       chunk != chunks_.end() && first_place(chunk->first) < range.last; ++chunk) {
    const Share share = share_of(chunk->first, range, floor);
    const auto& slots = chunk->second.slots;
    if (share == Share::kAll && n >= slots.size()) {
      n -= slots.size();
    } else if (share != Share::kNone) {
      for (const Slot& slot : slots) {
        const ArchivePlace place = place_of(chunk->first, slot);
        if (covers(range, floor, place) && n-- == 0) {
          return place;
        }
      }
    }
  }
  return std::nullopt;
}

void ArchiveIndex::visit(const PlaceRange& range, SegmentPosition floor,
                         const Visitor& visitor) const {
  for (auto chunk = chunks_.lower_bound(chunk_key(range.first));
       chunk != chunks_.end() && first_place(chunk->first) < range.last; ++chunk) {
    if (share_of(chunk->first, range, floor) == Share::kNone) {
      continue;
    }
    for (const Slot& slot : chunk->second.slots) {
      const ArchivePlace place = place_of(chunk->first, slot);
      if (covers(range, floor, place) && visitor(place, entry_of(slot)) == Visit::kStop) {
        return;
      }
    }
  }
}

std::vector<std::uint64_t> ArchiveIndex::lanes(std::size_t max) const {
  std::vector<std::uint64_t> lanes;
  for (auto chunk = chunks_.begin(); chunk != chunks_.end() && lanes.size() < max;
       chunk = chunks_.lower_bound(ChunkKey{lanes.back() + 1, 0})) {
    lanes.push_back(chunk->first.lane);
  }
  return lanes;
}

std::vector<ArchiveIndex::Run> ArchiveIndex::runs() const {
  const std::uint32_t segment_bytes =
      is_segment_size(segment_bytes_) ? segment_bytes_ : kDefaultSegmentBytes;
  struct Span {
    std::uint64_t lane = 0;
    SegmentPosition first = 0;
    SegmentPosition last = 0;
    std::uint64_t files = 0;
  };
  std::vector<Span> spans;
  const auto add = [&](const Span& span) {
    if (!spans.empty() && spans.back().lane == span.lane &&
        next_position(spans.back().last, segment_bytes) == span.first) {
      spans.back().last = span.last;
      spans.back().files += span.files;
    } else {
      spans.push_back(span);
    }
  };
  for (auto chunk = chunks_.lower_bound(ChunkKey{1, 0}); chunk != chunks_.end(); ++chunk) {
    const auto& [key, content] = *chunk;
    const Slot& front = content.slots.front();
    const Slot& back = content.slots.back();
    if (content.rare == 0 && content.slots.size() == std::size_t{back.low} - front.low + 1) {
      // One step where nothing is missing.
      add({key.lane, place_of(key, front).position, place_of(key, back).position,
           content.slots.size()});
      continue;
    }
    for (const Slot& slot : content.slots) {
      if (slot.kind == 0) {
        const SegmentPosition position = place_of(key, slot).position;
        add({key.lane, position, position, 1});
      }
    }
  }
  std::vector<Run> runs;
  runs.reserve(spans.size());
  for (const Span& span : spans) {
    const auto name = [&](SegmentPosition position) {
      return ArchivePlace{span.lane, position, 0, 0}.name().value().text();
    };
    runs.push_back(
        {static_cast<std::uint32_t>(span.lane - 1), name(span.first), name(span.last), span.files});
  }
  return runs;
}

}  // namespace pgwalship
