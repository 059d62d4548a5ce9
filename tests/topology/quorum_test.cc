#include "topology/quorum.h"

#include "tests/topology/tables.h"

#include <gtest/gtest.h>

#include <string>

namespace pgwalship {
namespace {

std::string outcome_of_parse(const std::string& expression) {
  const auto quorum = Quorum::parse(expression);
  if (quorum.ok()) {
    return quorum.value().text();
  }
  EXPECT_EQ(quorum.error().code, Errc::kInvalid);
  const std::string at = "at character ";
  EXPECT_EQ(quorum.error().message.substr(0, at.size()), at);
  return "error " + quorum.error().message.substr(at.size());
}

TEST(Quorum, ParsesTheTable) {
  for (const TableLine& line : read_table("parse.txt")) {
    EXPECT_EQ(outcome_of_parse(line.left), line.right) << "parse.txt:" << line.number;
  }
}

TEST(Quorum, NormalFormParsesToItself) {
  for (const TableLine& line : read_table("parse.txt")) {
    if (line.right.rfind("error", 0) != 0) {
      EXPECT_EQ(outcome_of_parse(line.right), line.right) << "parse.txt:" << line.number;
    }
  }
}

TEST(Quorum, CountsThePositionFromTheStartOfTheText) {
  EXPECT_EQ(outcome_of_parse("\t ANY x (*)"), "error 7: a number expected, found 'x'");
}

TEST(Quorum, RefusesNulAndLineBreaks) {
  EXPECT_FALSE(Quorum::parse(std::string_view("NONE\0", 5)).ok());
  EXPECT_FALSE(Quorum::parse("NONE\n").ok());
}

TEST(Quorum, ValidatesTheTable) {
  NodeList nodes;
  for (const TableLine& line : read_table("validate.txt")) {
    if (line.directive == "nodes") {
      nodes = make_nodes(line.left);
      continue;
    }
    const auto valid = make_quorum(line.left).validate(nodes);
    EXPECT_EQ(valid.ok() ? "ok" : "error: " + valid.error().message, line.right)
        << "validate.txt:" << line.number;
    EXPECT_TRUE(valid.ok() || !valid.error().hint.empty()) << "validate.txt:" << line.number;
  }
}

TEST(Quorum, IsSatisfiedAsTheTableSays) {
  NodeList nodes;
  Quorum quorum;
  for (const TableLine& line : read_table("satisfied.txt")) {
    if (line.directive == "nodes") {
      nodes = make_nodes(line.left);
    } else if (line.directive == "quorum") {
      quorum = make_quorum(line.left);
    } else {
      const auto colon = line.left.find(':');
      const auto pusher = nodes.find(trimmed(line.left.substr(0, colon)));
      ASSERT_TRUE(pusher.has_value()) << "satisfied.txt:" << line.number;
      const NodeSet holders = make_set(nodes, line.left.substr(colon + 1));
      EXPECT_EQ(quorum.satisfied(nodes, *pusher, holders) ? "yes" : "no", line.right)
          << "satisfied.txt:" << line.number << " " << quorum.text();
    }
  }
}

TEST(Quorum, DefaultIsNoneAndHoldsWithoutAnyNode) {
  const Quorum quorum;
  EXPECT_TRUE(quorum.is_none());
  EXPECT_EQ(quorum.text(), "NONE");
  EXPECT_TRUE(quorum.satisfied(NodeList{}, 0, {}));
  EXPECT_TRUE(quorum.members(NodeList{}, 0).empty());
}

TEST(Quorum, NamesItsMembersWithoutThePusher) {
  const NodeList nodes = make_nodes("a/east b/east c/west d/west");
  EXPECT_EQ(make_quorum("NONE").members(nodes, 0), make_set(nodes, ""));
  EXPECT_EQ(make_quorum("ANY 1 (*)").members(nodes, 0), make_set(nodes, "b c d"));
  EXPECT_EQ(make_quorum("ALL (site:local)").members(nodes, 3), make_set(nodes, "c"));
  EXPECT_EQ(make_quorum("ANY 1 (a, c) AND ALL (site:local)").members(nodes, 0),
            make_set(nodes, "b c"));
}

// An expression that validate() refuses must not acknowledge anything if it is used all the same.
TEST(Quorum, IsNeverSatisfiedByAnEmptyList) {
  const NodeList nodes = make_nodes("a/east b/east c/west");
  const NodeSet all = make_set(nodes, "a b c");
  EXPECT_FALSE(make_quorum("ALL (site:local)").satisfied(nodes, 2, all));
  EXPECT_FALSE(make_quorum("ALL (elsewhere)").satisfied(nodes, 0, all));
}

TEST(Absence, H25IsProvenAsTheTableSays) {
  NodeList nodes;
  Quorum quorum;
  OnQuorumLoss loss = OnQuorumLoss::kWait;
  for (const TableLine& line : read_table("absence.txt")) {
    if (line.directive == "nodes") {
      nodes = make_nodes(line.left);
    } else if (line.directive == "quorum") {
      quorum = make_quorum(line.left);
    } else if (line.directive == "on-quorum-loss") {
      loss = line.left == "local" ? OnQuorumLoss::kLocal : OnQuorumLoss::kWait;
    } else {
      const NodeSet absent = make_set(nodes, line.left);
      EXPECT_EQ(absence_proven(nodes, quorum, loss, absent) ? "proven" : "doubt", line.right)
          << "absence.txt:" << line.number << " " << quorum.text();
    }
  }
}

}  // namespace
}  // namespace pgwalship
