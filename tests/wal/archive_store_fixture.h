// An ArchiveStore on a real disk, and the words its tests are written in.
#pragma once

#include "base/posix_file_system.h"
#include "tests/support/segment_builder.h"
#include "tests/support/temp_dir.h"
#include "wal/archive_store.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace pgwalship {

inline ArchiveStore::Expected announced(ByteView file) {
  return {.file_bytes = file.size(), .file_crc32 = crc32(0, file)};
}

inline Result<PutOutcome> put_announced(ArchiveStore& store, const WalName& name, ByteView file,
                                        const ArchiveStore::Expected& expected) {
  TRY_ASSIGN(const auto staged, store.stage(name));
  TRY(staged->append(file.first(file.size() / 2)));
  TRY(staged->append(file.subspan(file.size() / 2)));
  return store.commit(*staged, expected);
}

inline Result<PutOutcome> put(ArchiveStore& store, const WalName& name, ByteView file) {
  return put_announced(store, name, file, announced(file));
}

class ArchiveStoreTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(store_.prepare().ok()); }

  std::string archive_path(const std::string& file) const { return dir_.file("archive/" + file); }
  std::string path(const WalName& name) const { return archive_path(name.text() + ".gz"); }

  static Bytes read(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    const std::string text(std::istreambuf_iterator<char>(in), {});
    const ByteView view = as_bytes(text);
    return Bytes(view.begin(), view.end());
  }
  static void write(const std::string& path, ByteView content) {
    std::ofstream(path, std::ios::binary) << as_text(content);
  }

  std::vector<std::string> files_in(const std::string& directory) const {
    std::vector<std::string> files;
    for (const auto& entry : std::filesystem::directory_iterator(archive_path(directory))) {
      files.push_back(entry.path().filename());
    }
    std::sort(files.begin(), files.end());
    return files;
  }
  void expect_nothing_staged() const {
    EXPECT_EQ(files_in(".pgwalship/tmp"), std::vector<std::string>{});
  }
  std::string expect_error(const Result<PutOutcome>& result, Errc code) const {
    EXPECT_FALSE(result.ok());
    if (result.ok()) {
      return "";
    }
    EXPECT_EQ(result.error().code, code) << result.error().message;
    expect_nothing_staged();
    return result.error().text();
  }

  TempDir dir_;
  PosixFileSystem file_system_;
  ArchiveStore store_{file_system_, {.directory = dir_.file("archive"), .seed = 1}};
  SegmentSpec spec_;
  WalName name_ = name_of(spec_);
  Bytes raw_ = build_segment(spec_);
  Bytes file_ = build_archive_file(name_, raw_);
};

}  // namespace pgwalship
