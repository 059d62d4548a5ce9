#include "cmd/config.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <sys/stat.h>

namespace pgwalship {
namespace {

namespace fs = std::filesystem;

class ConfigFiles : public ::testing::Test {
 protected:
  ConfigFiles() {
    std::string name = (fs::temp_directory_path() / "config_files_test.XXXXXX").string();
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    directory_ = name;
    fs::create_directory(directory_ / "archive");
    make_file("id", 0600);
    make_file("known_hosts", 0644);
  }
  ~ConfigFiles() override { fs::remove_all(directory_); }

  void make_file(const std::string& name, mode_t mode) {
    std::ofstream(directory_ / name) << "content\n";
    EXPECT_EQ(::chmod((directory_ / name).c_str(), mode), 0);
  }

  std::string problems() {
    const std::string path = directory_ / "pgwalship.conf";
    std::ofstream(path) << "[cluster]\nname = main\nnode = a\nnode = b\nnode-name = a\n"
                        << "[archive]\ndirectory = " << (directory_ / "archive").string() << "\n"
                        << "[ssh]\nidentity = " << (directory_ / "id").string() << "\n"
                        << "known-hosts = " << (directory_ / "known_hosts").string() << "\n"
                        << "[daemon]\nsocket = " << (directory_ / "socket").string() << "\n";
    const auto config = load_config(path);
    EXPECT_TRUE(config.ok()) << config.error().message;
    const auto checked = check_files(config.value());
    return checked.ok() ? "" : checked.error().message;
  }

  // What the message says about one key, after FILE:LINE.
  static bool says(const std::string& all, const std::string& line_and_key,
                   const std::string& what) {
    const auto at = all.find("pgwalship.conf:" + line_and_key + ": ");
    return at != std::string::npos &&
           all.substr(at, all.find('\n', at) - at).find(what) != std::string::npos;
  }

  fs::path directory_;
};

TEST_F(ConfigFiles, AreFineWhenAllAreThere) {
  EXPECT_EQ(problems(), "");
}

TEST_F(ConfigFiles, AreAllNamedWhenMissing) {
  fs::remove(directory_ / "archive");
  fs::remove(directory_ / "id");
  fs::remove(directory_ / "known_hosts");
  const std::string all = problems();
  EXPECT_TRUE(says(all, "7: [archive] directory", "No such file")) << all;
  EXPECT_TRUE(says(all, "9: [ssh] identity", "pgwalship keys create")) << all;
  EXPECT_TRUE(says(all, "10: [ssh] known-hosts", "pgwalship keys pin")) << all;
}

TEST_F(ConfigFiles, MustBeOfTheRightKind) {
  fs::remove(directory_ / "archive");
  make_file("archive", 0600);
  fs::remove(directory_ / "known_hosts");
  fs::create_directory(directory_ / "known_hosts");
  const std::string all = problems();
  EXPECT_TRUE(says(all, "7: [archive] directory", "is not a directory")) << all;
  EXPECT_TRUE(says(all, "10: [ssh] known-hosts", "is not a file")) << all;
}

TEST_F(ConfigFiles, PrivateKeyMustBePrivate) {
  make_file("id", 0640);
  const std::string all = problems();
  EXPECT_TRUE(says(all, "9: [ssh] identity", "is open to others")) << all;
  EXPECT_TRUE(says(all, "9: [ssh] identity", "chmod 600")) << all;
}

TEST_F(ConfigFiles, OneNodeNeedsNoKeys) {
  const auto config = parse_config("[archive]\ndirectory = " + (directory_ / "archive").string() +
                                       "\n[daemon]\nsocket = " + (directory_ / "s").string() + "\n",
                                   "f");
  ASSERT_TRUE(config.ok());
  EXPECT_TRUE(check_files(config.value()).ok());
}

TEST_F(ConfigFiles, DirectoryOfTheSocketMustExist) {
  const auto config =
      parse_config("[archive]\ndirectory = " + (directory_ / "archive").string() +
                       "\n[daemon]\nsocket = " + (directory_ / "missing/s").string() + "\n",
                   "f");
  ASSERT_TRUE(config.ok());
  const auto checked = check_files(config.value());
  ASSERT_FALSE(checked.ok());
  EXPECT_EQ(checked.error().message.rfind("f:4: [daemon] socket: ", 0), 0U);
}

TEST_F(ConfigFiles, AFifoIsAnErrorAndDoesNotHang) {
  const std::string path = directory_ / "pipe.conf";
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  const auto config = load_config(path);
  ASSERT_FALSE(config.ok());
  EXPECT_NE(config.error().message.find("not a regular file"), std::string::npos)
      << config.error().message;
}

TEST_F(ConfigFiles, AValueThatIsHugeOrBinaryIsCutAndEscaped) {
  const std::string path = directory_ / "odd.conf";
  std::ofstream(path) << "[cluster]\npush-timeout = " << std::string(100'000, 'x')
                      << "\nquorum = \xC3\xA4\xFF\x1B[31m\n";
  const auto config = load_config(path);
  ASSERT_FALSE(config.ok());
  const std::string& text = config.error().message;
  EXPECT_LT(text.size(), 5'000U);
  EXPECT_NE(text.find("bytes) ..."), std::string::npos) << text;
  EXPECT_NE(text.find("\xC3\xA4\\xff\\x1b[31m"), std::string::npos) << text;
}

}  // namespace
}  // namespace pgwalship
