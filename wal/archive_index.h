// What an archive holds, in memory: every name with the start of its content's SHA-256, the size of
// its file and a stamp by which a change of the file is noticed. About 37 bytes a segment where
// segments are dense (bench/reconcile measures it). Pure: no disk, no clock; one thread.
//
// Entries lie in chunks of 256 neighbouring positions of a timeline. Each chunk carries the sum of
// its entries' digests, so that a change costs its chunk alone, and the summary of any range costs
// one step per chunk. Two archives hold the same in a range when their summaries of it are equal.
#pragma once

#include "wal/archive_place.h"
#include "wal/digest.h"

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace pgwalship {

// The first 16 bytes of the SHA-256 of the raw content: enough to tell contents apart, not to trust
// them. All zero: not known (a legacy file, or one whose header cannot be read).
struct ContentKey {
  std::array<std::byte, 16> bytes{};

  static ContentKey of(const Sha256& sha256);
  bool known() const { return *this != ContentKey{}; }
  // The hash as far as it is known here, the rest zero.
  Sha256 start_of_hash() const;

  friend auto operator<=>(const ContentKey&, const ContentKey&) = default;
};

// A set of entries, as their number and the sum of their digests (docs/protocol.md, Compare).
struct RangeSummary {
  std::uint64_t count = 0;
  std::uint64_t digest_low = 0;
  std::uint64_t digest_high = 0;

  void add(const RangeSummary& other);
  void subtract(const RangeSummary& other);
  friend bool operator==(const RangeSummary&, const RangeSummary&) = default;
};
RangeSummary summary_of(const ArchivePlace& place, const ContentKey& key);

// All places p with first <= p < last.
struct PlaceRange {
  ArchivePlace first;
  ArchivePlace last = kPlacesEnd;

  friend bool operator==(const PlaceRange&, const PlaceRange&) = default;
};

class ArchiveIndex {
 public:
  struct Entry {
    ContentKey key;
    std::uint64_t stamp = 0;       // of the file: its inode, size and time of change, mixed
    std::uint32_t file_bytes = 0;  // at most 4 GiB - 1

    friend bool operator==(const Entry&, const Entry&) = default;
  };
  // Segments of one timeline that follow each other without a gap.
  struct Run {
    std::uint32_t timeline = 0;
    std::string first;
    std::string last;
    std::uint64_t files = 0;

    friend bool operator==(const Run&, const Run&) = default;
  };

  void put(const ArchivePlace& place, const Entry& entry);  // in place of one that is there
  void remove(const ArchivePlace& place);                   // fine when it is not there
  std::optional<Entry> find(const ArchivePlace& place) const;

  std::uint64_t size() const { return size_; }
  std::uint64_t file_bytes() const { return file_bytes_; }
  // What the headers say; 0 before any was read. It is one and the same in a cluster.
  std::uint32_t segment_bytes() const { return segment_bytes_; }
  void set_segment_bytes(std::uint32_t bytes) { segment_bytes_ = bytes; }

  // Without what is below the floor, as all that follow.
  RangeSummary summarize(const PlaceRange& range, SegmentPosition floor) const;
  // The place of the n-th entry of the range, counted from 0.
  std::optional<ArchivePlace> nth(const PlaceRange& range, SegmentPosition floor,
                                  std::uint64_t n) const;
  enum class Visit { kGoOn, kStop };
  using Visitor = std::function<Visit(const ArchivePlace& place, const Entry& entry)>;
  // In archiving order.
  void visit(const PlaceRange& range, SegmentPosition floor, const Visitor& visitor) const;
  // The lanes that hold anything, in order; at most `max`.
  std::vector<std::uint64_t> lanes(std::size_t max) const;

  // 16 MiB segments are assumed as long as segment_bytes() is 0.
  std::vector<Run> runs() const;

 private:
  // Packed to 36 bytes: there may be millions.
  struct Slot {
    ContentKey key;
    std::array<std::uint32_t, 2> stamp{};
    std::uint32_t file_bytes = 0;
    std::uint32_t offset = 0;
    std::uint8_t low = 0;  // the low bits of the position
    std::uint8_t kind = 0;
  };
  struct ChunkKey {
    std::uint64_t lane = 0;
    std::uint64_t block = 0;  // position >> kLowBits

    friend auto operator<=>(const ChunkKey&, const ChunkKey&) = default;
  };
  struct Chunk {
    std::vector<Slot> slots;  // sorted by (low, kind, offset); never empty
    RangeSummary summary;     // of all of them
    std::uint32_t rare = 0;   // those that are no segments
  };
  using Chunks = std::map<ChunkKey, Chunk>;
  enum class Share { kNone, kSome, kAll };

  static constexpr unsigned kLowBits = 8;

  static ChunkKey chunk_key(const ArchivePlace& place);
  static ArchivePlace first_place(const ChunkKey& key);
  static ArchivePlace last_place(const ChunkKey& key);
  static ArchivePlace place_of(const ChunkKey& key, const Slot& slot);
  static Entry entry_of(const Slot& slot);
  static std::vector<Slot>::iterator lower_slot(Chunk& chunk, const ArchivePlace& place);
  static Share share_of(const ChunkKey& key, const PlaceRange& range, SegmentPosition floor);
  static bool covers(const PlaceRange& range, SegmentPosition floor, const ArchivePlace& place);

  Chunks chunks_;
  std::uint64_t size_ = 0;
  std::uint64_t file_bytes_ = 0;
  std::uint32_t segment_bytes_ = 0;
};

}  // namespace pgwalship
