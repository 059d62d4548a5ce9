#include "tests/support/memory_inode.h"

#include <algorithm>

namespace pgwalship {

void MemoryInode::write(std::uint64_t offset, ByteView data) {
  if (data.empty()) {
    return;
  }
  const std::uint64_t end = offset + data.size();
  if (end > current_.size()) {
    current_.resize(end);
  }
  std::copy(data.begin(), data.end(), current_.begin() + static_cast<std::ptrdiff_t>(offset));
  for (std::uint64_t sector = offset / kSectorBytes; sector * kSectorBytes < end; ++sector) {
    dirty_.insert(sector);
    lost_.erase(sector);
  }
}

std::size_t MemoryInode::read(std::uint64_t offset, std::span<std::byte> into) const {
  if (offset >= current_.size()) {
    return 0;
  }
  const std::size_t size = std::min<std::size_t>(into.size(), current_.size() - offset);
  std::copy_n(current_.begin() + static_cast<std::ptrdiff_t>(offset), size, into.begin());
  return size;
}

void MemoryInode::sync() {
  for (const std::uint64_t sector : dirty_) {
    keep_sector(sector);
  }
  dirty_.clear();
}

void MemoryInode::fail_sync() {
  lost_.insert(dirty_.begin(), dirty_.end());
  dirty_.clear();
}

void MemoryInode::lose_power(Random& random) {
  if (durable()) {
    return;
  }
  enum class Fate : std::uint64_t { kNothingWritten, kAllWritten, kFirstWritten, kSomeWritten };
  const auto fate = static_cast<Fate>(random.below(4));
  const std::uint64_t first_count = random.below(dirty_.size() + 1);
  std::uint64_t count = 0;
  for (const std::uint64_t sector : dirty_) {
    const bool kept = fate == Fate::kAllWritten ||
                      (fate == Fate::kFirstWritten && count < first_count) ||
                      (fate == Fate::kSomeWritten && random.one_in(2));
    if (kept) {
      keep_sector(sector);
    }
    ++count;
  }
  // The size is metadata and goes its own way: it may be there before the bytes are, as zeroes.
  if (fate == Fate::kSomeWritten && synced_.size() < current_.size() && random.one_in(2)) {
    synced_.resize(synced_.size() + random.below(current_.size() - synced_.size() + 1));
  }
  dirty_.clear();
  lost_.clear();
  current_ = synced_;
}

void MemoryInode::flip_byte(std::uint64_t offset) {
  for (Bytes* content : {&current_, &synced_}) {
    if (offset < content->size()) {
      (*content)[offset] ^= std::byte{0x01};
    }
  }
}

void MemoryInode::keep_sector(std::uint64_t sector) {
  const std::uint64_t begin = sector * kSectorBytes;
  const std::uint64_t end = std::min<std::uint64_t>(begin + kSectorBytes, current_.size());
  if (synced_.size() < end) {
    synced_.resize(end);
  }
  std::copy(current_.begin() + static_cast<std::ptrdiff_t>(begin),
            current_.begin() + static_cast<std::ptrdiff_t>(end),
            synced_.begin() + static_cast<std::ptrdiff_t>(begin));
}

}  // namespace pgwalship
