#include "cmd/whole_file.h"

#include "base/posix_file_system.h"
#include "tests/support/temp_dir.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sys/stat.h>

namespace pgwalship {
namespace {

class WholeFileTest : public testing::Test {
 protected:
  unsigned mode(const std::string& path) const {
    struct stat found {};
    EXPECT_EQ(::stat(path.c_str(), &found), 0);
    return found.st_mode & 07777;
  }
  std::size_t files() const {
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator(directory_.path()), {}));
  }

  TempDir directory_;
  const std::string path_ = directory_.file("key");
  PosixFileSystem file_system_;
};

TEST_F(WholeFileTest, WritesANewOneForItsOwnerAlone) {
  ASSERT_TRUE(write_new_file(file_system_, {.path = path_, .text = "secret\n"}).ok());
  EXPECT_EQ(read_whole_file(file_system_, path_).value(), "secret\n");
  EXPECT_EQ(mode(path_), 0600U);
  EXPECT_EQ(files(), 1U);
}

TEST_F(WholeFileTest, NeverOverwritesOneThatIsThere) {
  ASSERT_TRUE(write_new_file(file_system_, {.path = path_, .text = "first"}).ok());
  const auto second = write_new_file(file_system_, {.path = path_, .text = "second"});
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, Errc::kAlreadyExists);
  EXPECT_EQ(read_whole_file(file_system_, path_).value(), "first");
  EXPECT_EQ(files(), 1U);
}

TEST_F(WholeFileTest, ReplacesWhenAsked) {
  ASSERT_TRUE(replace_file(file_system_, {.path = path_, .text = "first"}).ok());
  ASSERT_TRUE(replace_file(file_system_, {.path = path_, .text = "second", .mode = 0644}).ok());
  EXPECT_EQ(read_whole_file(file_system_, path_).value(), "second");
  EXPECT_EQ(mode(path_), 0644U);
  EXPECT_EQ(files(), 1U);
}

TEST_F(WholeFileTest, SaysThatThereIsNone) {
  EXPECT_EQ(read_whole_file(file_system_, path_).error().code, Errc::kNotFound);
}

}  // namespace
}  // namespace pgwalship
