#include "topology/node_list.h"

#include "tests/topology/tables.h"

#include <gtest/gtest.h>

#include <string>

namespace pgwalship {
namespace {

TEST(NodeList, FindsANodeByItsWholeName) {
  const NodeList nodes = make_nodes("pgdb1.example.com pgdb2.example.com");
  EXPECT_EQ(nodes.find("pgdb2.example.com"), NodeId{1});
  EXPECT_EQ(nodes.find("pgdb2"), std::nullopt);
  EXPECT_EQ(nodes.find("PGDB2.example.com"), std::nullopt);
  EXPECT_EQ(nodes.find(""), std::nullopt);
}

TEST(NodeList, AcceptsNamesThatNeedNoQuotes) {
  EXPECT_TRUE(is_valid_name("pgdb1.example.com"));
  EXPECT_TRUE(is_valid_name("PG_db-1"));
  EXPECT_TRUE(is_valid_name(std::string(253, 'a')));
  EXPECT_FALSE(is_valid_name(std::string(254, 'a')));
  for (const char* name : {"", "*", "a b", "site:a", "a,b", "a(b)", "a/b", "a\nb", "\xc3\xa4"}) {
    EXPECT_FALSE(is_valid_name(name)) << name;
  }
}

}  // namespace
}  // namespace pgwalship
