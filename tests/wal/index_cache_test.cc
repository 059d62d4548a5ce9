#include "wal/index_cache.h"

#include "tests/support/memory_file_system.h"

#include <gtest/gtest.h>

#include <random>

namespace pgwalship {
namespace {

class IndexCacheTest : public testing::Test {
 protected:
  IndexCacheTest() { CHECK(disk_.make_directories(layout_.tmp_directory()).ok()); }

  static ArchiveIndex sample(std::uint64_t entries) {
    std::mt19937_64 random(5);
    ArchiveIndex index;
    index.set_segment_bytes(1U << 20U);
    for (std::uint64_t i = 0; i < entries; ++i) {
      ArchiveIndex::Entry entry;
      entry.stamp = random();
      entry.file_bytes = static_cast<std::uint32_t>(random());
      entry.key.bytes[3] = static_cast<std::byte>(random());
      index.put({2, i, static_cast<std::uint8_t>(i % 3), i % 3 == 1 ? 40U : 0U}, entry);
    }
    return index;
  }
  static void expect_same(const ArchiveIndex& a, const ArchiveIndex& b) {
    EXPECT_EQ(a.size(), b.size());
    EXPECT_EQ(a.file_bytes(), b.file_bytes());
    EXPECT_EQ(a.segment_bytes(), b.segment_bytes());
    EXPECT_EQ(a.summarize({}, 0), b.summarize({}, 0));
    a.visit({}, 0, [&](const ArchivePlace& place, const ArchiveIndex::Entry& entry) {
      EXPECT_EQ(b.find(place), entry);
      return ArchiveIndex::Visit::kGoOn;
    });
  }
  ArchiveIndex load() { return load_index_cache(disk_, layout_); }
  void save(const ArchiveIndex& index) {
    ASSERT_TRUE(save_index_cache(disk_, layout_, index, next_unique_++).ok());
  }
  void write(ByteView content) {
    std::ignore = disk_.remove(layout_.index_file());
    disk_.plant(layout_.index_file(), content);
  }

  std::uint64_t next_unique_ = 1000;  // a crash may leave a temporary file
  MemoryFileSystem disk_;
  ArchiveLayout layout_{"/archive"};
};

TEST_F(IndexCacheTest, GivesBackWhatWasSaved) {
  for (const std::uint64_t entries : {0U, 1U, 16'384U, 40'000U}) {
    save(sample(entries));
    expect_same(load(), sample(entries));
  }
  EXPECT_TRUE(disk_.list(layout_.tmp_directory()).value().empty());
}

TEST_F(IndexCacheTest, IsEmptyWithoutAFile) {
  EXPECT_EQ(load().size(), 0U);
}

TEST_F(IndexCacheTest, ADamagedCacheIsNone) {
  save(sample(20));
  const Bytes whole = disk_.content(layout_.index_file());
  for (std::size_t size = 0; size < whole.size(); ++size) {
    write(ByteView(whole).first(size));
    ASSERT_EQ(load().size(), 0U) << size;
  }
  for (std::size_t at = 0; at < whole.size(); ++at) {
    Bytes damaged = whole;
    damaged[at] ^= std::byte{0x10};
    write(damaged);
    ASSERT_EQ(load().size(), 0U) << at;
  }
  Bytes longer = whole;
  longer.push_back(std::byte{});
  write(longer);
  EXPECT_EQ(load().size(), 0U);
  write(whole);
  EXPECT_EQ(load().size(), 20U);
}

TEST_F(IndexCacheTest, AFailedSaveLeavesTheOldOneAndNothingElse) {
  save(sample(20));
  for (std::uint64_t mutations = 0;; ++mutations) {
    disk_.halt_after(mutations);
    const bool saved = save_index_cache(disk_, layout_, sample(30), 78 + mutations).ok();
    disk_.restart();
    if (saved) {
      break;
    }
    ASSERT_LT(mutations, 20U);
    ASSERT_EQ(load().size(), 20U) << mutations;
  }
  EXPECT_EQ(load().size(), 30U);
}

TEST_F(IndexCacheTest, AfterAPowerFailureItIsOldNewOrNone) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    save(sample(20));
    ASSERT_TRUE(disk_.sync_directory(layout_.state_directory()).ok());
    save(sample(30));
    Random random(seed);
    disk_.crash(random);
    const std::uint64_t size = load().size();
    EXPECT_TRUE(size == 0 || size == 20 || size == 30) << size;
  }
}

}  // namespace
}  // namespace pgwalship
