// The contract of base/file_system.h, the same cases on the real disk and on the one in memory.
#include "base/file_system.h"
#include "base/posix_file_system.h"
#include "tests/support/memory_file_system.h"
#include "tests/support/temp_dir.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <thread>

namespace pgwalship {
namespace {

class FileSystemContract : public testing::TestWithParam<std::string> {
 protected:
  FileSystemContract() {
    if (GetParam() == "Memory") {
      file_system_ = std::make_unique<MemoryFileSystem>();
    } else {
      file_system_ = std::make_unique<PosixFileSystem>();
    }
    CHECK(fs().make_directories(path("dir")).ok());
  }

  FileSystem& fs() { return *file_system_; }
  std::string path(const std::string& name) const { return root_.path() + "/" + name; }

  void put(const std::string& name, std::string_view content) {
    auto file = fs().create(path(name));
    ASSERT_TRUE(file.ok()) << file.error().message;
    ASSERT_TRUE(file.value()->write_at(0, as_bytes(content)).ok());
  }

  std::string text_of(const std::string& name) {
    auto file = fs().open(path(name));
    return file.ok() ? text_of(*file.value()) : file.error().message;
  }

  static std::string text_of(const File& file) {
    Bytes bytes(1000);
    const std::size_t size = file.read_at(0, bytes).value();
    return std::string(as_text(ByteView(bytes).first(size)));
  }

  std::vector<std::string> names_in(const std::string& name) {
    auto names = fs().list(path(name)).value();
    std::sort(names.begin(), names.end());
    return names;
  }

 private:
  const TempDir root_;
  std::unique_ptr<FileSystem> file_system_;
};

INSTANTIATE_TEST_SUITE_P(, FileSystemContract, testing::Values("Posix", "Memory"),
                         [](const auto& instance) { return instance.param; });

TEST_P(FileSystemContract, CreatedFileHoldsWhatWasWritten) {
  auto file = fs().create(path("dir/file")).value();
  ASSERT_TRUE(file->write_at(0, as_bytes("hello ")).ok());
  ASSERT_TRUE(file->write_at(6, as_bytes("world")).ok());
  ASSERT_TRUE(file->sync().ok());
  EXPECT_EQ(text_of(*file), "hello world");
  EXPECT_EQ(file->stat().value().size, 11U);
  EXPECT_EQ(text_of("dir/file"), "hello world");
}

TEST_P(FileSystemContract, WritesBeyondTheEndLeaveZeroesBetween) {
  auto file = fs().create(path("dir/file")).value();
  ASSERT_TRUE(file->write_at(3, as_bytes("x")).ok());
  EXPECT_EQ(text_of(*file), std::string("\0\0\0x", 4));
}

TEST_P(FileSystemContract, OverwritesInPlace) {
  auto file = fs().create(path("dir/file")).value();
  ASSERT_TRUE(file->write_at(0, as_bytes("abcdef")).ok());
  ASSERT_TRUE(file->write_at(2, as_bytes("XY")).ok());
  EXPECT_EQ(text_of(*file), "abXYef");
}

TEST_P(FileSystemContract, ReadsLessOnlyAtTheEnd) {
  put("dir/file", "0123456789");
  auto file = fs().open(path("dir/file")).value();
  Bytes bytes(4);
  EXPECT_EQ(file->read_at(2, bytes).value(), 4U);
  EXPECT_EQ(as_text(bytes), "2345");
  EXPECT_EQ(file->read_at(8, bytes).value(), 2U);
  EXPECT_EQ(file->read_at(10, bytes).value(), 0U);
  EXPECT_EQ(file->read_at(1000, bytes).value(), 0U);
}

TEST_P(FileSystemContract, CreateRefusesATakenName) {
  put("dir/file", "first");
  const auto again = fs().create(path("dir/file"));
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().code, Errc::kAlreadyExists);
  EXPECT_EQ(again.error().message, "create '" + path("dir/file") + "': File exists");
  EXPECT_EQ(text_of("dir/file"), "first");
  EXPECT_EQ(fs().create(path("dir")).error().code, Errc::kAlreadyExists);
}

TEST_P(FileSystemContract, CreateNeedsTheDirectory) {
  EXPECT_EQ(fs().create(path("nowhere/file")).error().code, Errc::kNotFound);
  put("dir/file", "x");
  EXPECT_EQ(fs().create(path("dir/file/below")).error().code, Errc::kIo);
}

TEST_P(FileSystemContract, OpenSaysWhatIsMissing) {
  const auto missing = fs().open(path("dir/file"));
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().code, Errc::kNotFound);
  EXPECT_EQ(missing.error().message, "open '" + path("dir/file") + "': No such file or directory");
}

TEST_P(FileSystemContract, OpenRefusesADirectory) {
  EXPECT_EQ(fs().open(path("dir")).error().code, Errc::kInvalid);
}

TEST_P(FileSystemContract, OpenedFileCanBeSyncedButNotWritten) {
  put("dir/file", "x");
  auto file = fs().open(path("dir/file")).value();
  EXPECT_TRUE(file->sync().ok());
  EXPECT_EQ(file->write_at(0, as_bytes("y")).error().code, Errc::kIo);
  EXPECT_EQ(text_of("dir/file"), "x");
}

TEST_P(FileSystemContract, LinkGivesTheSameFileASecondName) {
  put("dir/a", "content");
  ASSERT_TRUE(fs().link(path("dir/a"), path("dir/b")).ok());
  EXPECT_EQ(fs().stat(path("dir/a")).value().inode, fs().stat(path("dir/b")).value().inode);
  ASSERT_TRUE(fs().remove(path("dir/a")).ok());
  EXPECT_EQ(text_of("dir/b"), "content");
}

TEST_P(FileSystemContract, H5LinkNeverReplaces) {
  put("dir/a", "new");
  put("dir/b", "old");
  const auto linked = fs().link(path("dir/a"), path("dir/b"));
  ASSERT_FALSE(linked.ok());
  EXPECT_EQ(linked.error().code, Errc::kAlreadyExists);
  EXPECT_EQ(linked.error().message,
            "link '" + path("dir/a") + "' to '" + path("dir/b") + "': File exists");
  EXPECT_EQ(text_of("dir/b"), "old");
}

TEST_P(FileSystemContract, LinkNeedsBothEnds) {
  put("dir/a", "x");
  EXPECT_EQ(fs().link(path("dir/missing"), path("dir/b")).error().code, Errc::kNotFound);
  EXPECT_EQ(fs().link(path("dir/a"), path("nowhere/b")).error().code, Errc::kNotFound);
}

TEST_P(FileSystemContract, RenameReplaces) {
  put("dir/a", "new");
  put("dir/b", "old");
  ASSERT_TRUE(fs().rename(path("dir/a"), path("dir/b")).ok());
  EXPECT_EQ(names_in("dir"), std::vector<std::string>{"b"});
  EXPECT_EQ(text_of("dir/b"), "new");
}

TEST_P(FileSystemContract, RenameMovesBetweenDirectories) {
  ASSERT_TRUE(fs().make_directories(path("other")).ok());
  put("dir/a", "x");
  ASSERT_TRUE(fs().rename(path("dir/a"), path("other/b")).ok());
  EXPECT_TRUE(names_in("dir").empty());
  EXPECT_EQ(text_of("other/b"), "x");
}

TEST_P(FileSystemContract, RenameOfTwoNamesOfOneFileDoesNothing) {
  put("dir/a", "x");
  ASSERT_TRUE(fs().link(path("dir/a"), path("dir/b")).ok());
  ASSERT_TRUE(fs().rename(path("dir/a"), path("dir/b")).ok());
  EXPECT_EQ(names_in("dir"), (std::vector<std::string>{"a", "b"}));
}

TEST_P(FileSystemContract, RenameNeedsTheOldName) {
  const auto renamed = fs().rename(path("dir/a"), path("dir/b"));
  EXPECT_EQ(renamed.error().code, Errc::kNotFound);
}

TEST_P(FileSystemContract, RemovedFileIsReadableForWhoHasItOpen) {
  put("dir/file", "still here");
  auto file = fs().open(path("dir/file")).value();
  ASSERT_TRUE(fs().remove(path("dir/file")).ok());
  EXPECT_EQ(fs().open(path("dir/file")).error().code, Errc::kNotFound);
  EXPECT_EQ(text_of(*file), "still here");
}

TEST_P(FileSystemContract, RemoveSaysWhatIsMissingAndRefusesADirectory) {
  EXPECT_EQ(fs().remove(path("dir/file")).error().code, Errc::kNotFound);
  EXPECT_EQ(fs().remove(path("dir")).error().code, Errc::kIo);
}

TEST_P(FileSystemContract, DuplicateReadsWhatIsWrittenLaterAndOutlivesTheFirst) {
  auto file = fs().create(path("dir/file")).value();
  auto copy = file->duplicate().value();
  ASSERT_TRUE(file->write_at(0, as_bytes("later")).ok());
  file.reset();
  ASSERT_TRUE(fs().remove(path("dir/file")).ok());
  EXPECT_EQ(text_of(*copy), "later");
}

TEST_P(FileSystemContract, DuplicateServesAnotherThread) {
  put("dir/file", "content");
  auto file = fs().open(path("dir/file")).value();
  std::string got;
  std::thread reader([&, copy = file->duplicate().value()] { got = text_of(*copy); });
  EXPECT_EQ(text_of(*file), "content");
  reader.join();
  EXPECT_EQ(got, "content");
}

TEST_P(FileSystemContract, AbandonedFileIsRemoved) {
  put("dir/file", "x");
  EXPECT_TRUE(fs().remove_abandoned(path("dir/file")).ok());
  EXPECT_TRUE(names_in("dir").empty());
}

TEST_P(FileSystemContract, FileInUseIsNotAbandoned) {
  auto file = fs().create(path("dir/file")).value();
  EXPECT_EQ(fs().remove_abandoned(path("dir/file")).error().code, Errc::kRetry);
  auto copy = file->duplicate().value();
  file.reset();
  EXPECT_EQ(fs().remove_abandoned(path("dir/file")).error().code, Errc::kRetry);
  EXPECT_EQ(names_in("dir"), std::vector<std::string>{"file"});
  copy.reset();
  EXPECT_TRUE(fs().remove_abandoned(path("dir/file")).ok());
}

TEST_P(FileSystemContract, ReaderDoesNotKeepAFileFromBeingAbandoned) {
  put("dir/file", "x");
  auto reader = fs().open(path("dir/file")).value();
  EXPECT_TRUE(fs().remove_abandoned(path("dir/file")).ok());
}

TEST_P(FileSystemContract, NothingIsNotAbandoned) {
  EXPECT_EQ(fs().remove_abandoned(path("dir/file")).error().code, Errc::kNotFound);
}

TEST_P(FileSystemContract, MakeDirectoriesMakesParentsAndAcceptsWhatIsThere) {
  ASSERT_TRUE(fs().make_directories(path("a/b/c")).ok());
  ASSERT_TRUE(fs().make_directories(path("a/b/c/")).ok());
  ASSERT_TRUE(fs().make_directories(path("a/b/d")).ok());
  put("a/b/c/file", "x");
  EXPECT_EQ(names_in("a/b/c"), std::vector<std::string>{"file"});
  EXPECT_TRUE(names_in("a/b").empty()) << "directories are not listed";
}

TEST_P(FileSystemContract, MakeDirectoriesRefusesAFileInTheWay) {
  put("dir/file", "x");
  EXPECT_EQ(fs().make_directories(path("dir/file")).error().code, Errc::kIo);
  EXPECT_EQ(fs().make_directories(path("dir/file/below")).error().code, Errc::kIo);
}

TEST_P(FileSystemContract, ListsEveryFileOnce) {
  put("dir/b", "x");
  put("dir/a", "x");
  put("dir/.hidden", "x");
  EXPECT_EQ(names_in("dir"), (std::vector<std::string>{".hidden", "a", "b"}));
}

TEST_P(FileSystemContract, VisitsEveryFileWithItsStat) {
  put("dir/b", "12345");
  put("dir/a", "x");
  ASSERT_TRUE(fs().make_directories(path("dir/below")).ok());
  std::map<std::string, FileStat> visited;
  const auto result = fs().visit_files(path("dir"), [&](std::string_view name, const FileStat& s) {
    EXPECT_TRUE(visited.emplace(name, s).second) << name;
  });
  ASSERT_TRUE(result.ok());
  ASSERT_EQ(visited.size(), 2U);
  for (const auto& [name, seen] : visited) {
    const FileStat asked = fs().stat(path("dir/" + name)).value();
    EXPECT_EQ(seen.size, asked.size);
    EXPECT_EQ(seen.inode, asked.inode);
    EXPECT_EQ(seen.device, asked.device);
    EXPECT_EQ(seen.modified, asked.modified);
  }
  const auto ignore = [](std::string_view, const FileStat&) {};
  EXPECT_EQ(fs().visit_files(path("nowhere"), ignore).error().code, Errc::kNotFound);
  EXPECT_EQ(fs().visit_files(path("dir/a"), ignore).error().code, Errc::kIo);
}

TEST_P(FileSystemContract, ListAndSyncNeedADirectory) {
  EXPECT_EQ(fs().list(path("nowhere")).error().code, Errc::kNotFound);
  EXPECT_EQ(fs().sync_directory(path("nowhere")).error().code, Errc::kNotFound);
  put("dir/file", "x");
  EXPECT_EQ(fs().list(path("dir/file")).error().code, Errc::kIo);
  EXPECT_EQ(fs().sync_directory(path("dir/file")).error().code, Errc::kIo);
  EXPECT_TRUE(fs().sync_directory(path("dir")).ok());
}

TEST_P(FileSystemContract, StatByNameAndByFileAgree) {
  auto file = fs().create(path("dir/file")).value();
  ASSERT_TRUE(file->write_at(0, as_bytes("12345")).ok());
  const FileStat by_file = file->stat().value();
  const FileStat by_name = fs().stat(path("dir/file")).value();
  EXPECT_EQ(by_name.size, 5U);
  EXPECT_EQ(by_name.inode, by_file.inode);
  EXPECT_EQ(by_name.device, by_file.device);
  EXPECT_EQ(by_name.modified, by_file.modified);
  EXPECT_EQ(fs().stat(path("dir/other")).error().code, Errc::kNotFound);
  EXPECT_TRUE(fs().stat(path("dir")).ok());
}

TEST_P(FileSystemContract, NewFileOfTheSameNameIsAnotherFile) {
  put("dir/file", "x");
  auto held = fs().open(path("dir/file")).value();
  ASSERT_TRUE(fs().remove(path("dir/file")).ok());
  put("dir/file", "x");
  EXPECT_NE(held->stat().value().inode, fs().stat(path("dir/file")).value().inode);
}

TEST_P(FileSystemContract, KnowsItsFreeSpace) {
  EXPECT_GT(fs().free_bytes(path("dir")).value(), 0U);
  EXPECT_EQ(fs().free_bytes(path("nowhere")).error().code, Errc::kNotFound);
}

TEST_P(FileSystemContract, DoubledSlashesMeanOne) {
  put("dir//file", "x");
  EXPECT_EQ(text_of("dir/file"), "x");
}

}  // namespace
}  // namespace pgwalship
