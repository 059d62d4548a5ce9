// What a file of MemoryFileSystem consists of: the content that programs see, and the content that
// a power failure leaves. In between are the sectors that were written and not synced.
#pragma once

#include "base/bytes.h"
#include "base/clock.h"
#include "base/random.h"

#include <cstdint>
#include <memory>
#include <set>
#include <span>

namespace pgwalship {

// What is written in one piece or not at all; see sector atomicity of disks.
inline constexpr std::uint64_t kSectorBytes = 512;

class MemoryInode {
 public:
  // Held by every File that came from one create(), as flock(2) is by an open file.
  struct Lock {};

  explicit MemoryInode(std::uint64_t inode_number) : number(inode_number) {}

  void write(std::uint64_t offset, ByteView data);
  std::size_t read(std::uint64_t offset, std::span<std::byte> into) const;
  void sync();
  // The dirty sectors are clean now, but nobody wrote them: no later sync() brings them to the
  // disk, only writing them again does.
  void fail_sync();
  // Makes what survives a power failure the content.
  void lose_power(Random& random);
  bool durable() const { return dirty_.empty() && lost_.empty() && synced_ == current_; }
  // Both contents, without a trace: what a decaying disk does.
  void flip_byte(std::uint64_t offset);
  const Bytes& content() const { return current_; }

  const std::uint64_t number;
  WallTime modified{};
  int names = 0;  // in the directories as programs see them
  int open_files = 0;
  std::weak_ptr<Lock> lock;

 private:
  void keep_sector(std::uint64_t sector);

  Bytes current_;
  Bytes synced_;
  std::set<std::uint64_t> dirty_;
  std::set<std::uint64_t> lost_;
};

}  // namespace pgwalship
