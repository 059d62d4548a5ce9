// `cmake --install` puts everything in its place.
#include "tests/support/temp_dir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>

namespace pgwalship {
namespace {

class InstallTest : public testing::Test {
 protected:
  InstallTest() {
    const std::string command = "DESTDIR=" + directory_.path() +
                                " " PGWALSHIP_CMAKE " --install " PGWALSHIP_BUILD " >" +
                                directory_.file("log");
    EXPECT_EQ(std::system(command.c_str()), 0);
  }
  std::string installed(const std::string& path) const {
    return directory_.path() + PGWALSHIP_PREFIX + path;
  }
  std::string text(const std::string& path) const {
    std::ifstream file(installed(path));
    return {std::istreambuf_iterator<char>(file), {}};
  }

  TempDir directory_;
};

TEST_F(InstallTest, PutsEverythingInItsPlace) {
  for (const char* path : {"/bin/pgwalship",
                           "/bin/pgwalshipd",
                           "/libexec/pgwalship/pgwalship-setup",
                           "/share/man/man1/pgwalship.1",
                           "/share/man/man5/pgwalship.conf.5",
                           "/share/man/man8/pgwalshipd.8",
                           "/share/doc/pgwalship/LICENSE",
                           "/share/doc/pgwalship/examples/pgwalship.conf",
                           "/share/doc/pgwalship/json.md",
                           "/share/doc/pgwalship/ARCHITECTURE.md",
                           "/share/bash-completion/completions/pgwalship",
                           "/share/bash-completion/completions/pgwalshipd",
                           "/lib/tmpfiles.d/pgwalship.conf",
                           "/lib/systemd/system/postgresql@.service.d/pgwalship.conf",
                           "/lib/systemd/system/pgwalshipd.service",
                           "/bin/pgwalship-cluster",
                           "/share/man/man8/pgwalship-cluster.8",
                           "/share/pgwalship/cluster/pgwalship_cluster/main.py",
                           "/share/pgwalship/ocf/ocf-shellfuncs",
                           "/share/pgwalship/ocf/node-attributes",
                           "/share/pgwalship/alerts/pgwalship-alert",
                           "/lib/ocf/resource.d/pgwalship/pgwalshipd",
                           "/lib/ocf/resource.d/pgwalship/pgsql"}) {
    EXPECT_TRUE(std::filesystem::is_regular_file(installed(path))) << path;
  }
}

TEST_F(InstallTest, TheUnitStartsTheInstalledDaemon) {
  EXPECT_THAT(text("/lib/systemd/system/pgwalshipd.service"),
              testing::HasSubstr("\nExecStart=" PGWALSHIP_PREFIX "/bin/pgwalshipd --foreground\n"));
}

// The lines for authorized_keys are printed by it.
TEST_F(InstallTest, TheClientNamesItselfByItsInstalledPath) {
  FILE* pipe = ::popen((installed("/bin/pgwalship") + " receive --help").c_str(), "r");
  std::string help;
  for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) {
    help += static_cast<char>(c);
  }
  EXPECT_EQ(::pclose(pipe), 0);
  EXPECT_THAT(help, testing::HasSubstr("command=\"" PGWALSHIP_PREFIX "/bin/pgwalship receive"));
}

}  // namespace
}  // namespace pgwalship
