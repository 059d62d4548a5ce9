#include "cmd/corosync_nodes.h"

#include "cmd/config.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace pgwalship {
namespace {

constexpr std::string_view kCorosync = R"(# two nodes
totem {
    version: 2
    interface {
        name: not a node
    }
}
nodelist {
    node {
        name: pgdb1.example.com
        nodeid: 1
        ring0_addr: 10.0.0.1
        ring1_addr: 10.1.0.1
    }
    node {
        ring0_addr: 10.0.0.2
    }
}
)";

TEST(CorosyncNodes, AreThoseOfTheNodelist) {
  const auto nodes = parse_corosync_nodes(kCorosync);
  ASSERT_TRUE(nodes.ok()) << nodes.error().text();
  ASSERT_EQ(nodes.value().size(), 2U);
  EXPECT_EQ(nodes.value()[0].name, "pgdb1.example.com");
  EXPECT_EQ(nodes.value()[0].address, "10.0.0.1");
  EXPECT_EQ(nodes.value()[1].name, "10.0.0.2") << "as crm_node calls it";
}

TEST(CorosyncNodes, WithoutAListOrAnAddressItIsAnError) {
  for (const char* text : {"", "}", "nodelist {\n}\n", "nodelist {\nnode {\nname: a\n}\n}\n"}) {
    EXPECT_FALSE(parse_corosync_nodes(text).ok()) << text;
  }
}

class NodesFromCorosync : public testing::Test {
 protected:
  NodesFromCorosync() {
    std::string name = (std::filesystem::temp_directory_path() / "corosync.XXXXXX").string();
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    directory_ = name;
  }
  ~NodesFromCorosync() override { std::filesystem::remove_all(directory_); }

  Result<Config> parse(const std::string& node_line) const {
    LoadOptions options;
    options.corosync_conf = directory_ / "corosync.conf";
    return parse_config("[cluster]\nname = main\n" + node_line +
                            "\nnode-name = pgdb1.example.com\n[archive]\ndirectory = /archive\n"
                            "[ssh]\nidentity = /id\nknown-hosts = /known_hosts\n",
                        "f", options);
  }

  std::filesystem::path directory_;
};

TEST_F(NodesFromCorosync, AreAsIfTheyWereListed) {
  std::ofstream(directory_ / "corosync.conf") << kCorosync;
  const auto config = parse("node = corosync");
  ASSERT_TRUE(config.ok()) << config.error().message;
  EXPECT_EQ(config.value().nodes.size(), 2U);
  EXPECT_EQ(config.value().nodes.at(0).name, "pgdb1.example.com");
  EXPECT_EQ(config.value().nodes.at(1).address, "10.0.0.2");
}

TEST_F(NodesFromCorosync, WithoutCorosyncTheErrorSaysWhatToDo) {
  const auto config = parse("node = corosync");
  ASSERT_FALSE(config.ok());
  EXPECT_NE(config.error().message.find("f:3: [cluster] node: corosync: "), std::string::npos);
  EXPECT_NE(config.error().message.find("HINT"), std::string::npos) << config.error().message;
}

TEST_F(NodesFromCorosync, TakesNoAttributes) {
  std::ofstream(directory_ / "corosync.conf") << kCorosync;
  EXPECT_FALSE(parse("node = corosync site=a").ok());
}

}  // namespace
}  // namespace pgwalship
