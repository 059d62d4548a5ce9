#include "tests/topology/tables.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <utility>

namespace pgwalship {

std::string trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) {
    return "";
  }
  return std::string(text.substr(first, text.find_last_not_of(" \t") - first + 1));
}

std::vector<std::string> words(std::string_view text) {
  std::istringstream stream{std::string(text)};
  std::vector<std::string> all;
  for (std::string word; stream >> word;) {
    all.push_back(word);
  }
  return all;
}

std::vector<TableLine> read_table(std::string_view name) {
  std::ifstream file(PGWALSHIP_TESTDATA "/" + std::string(name));
  std::vector<TableLine> lines;
  int number = 0;
  for (std::string text; std::getline(file, text);) {
    ++number;
    if (trimmed(text).empty() || text.front() == '#') {
      continue;
    }
    TableLine line;
    line.number = number;
    const auto arrow = text.find("=>");
    if (arrow == std::string::npos) {
      line.directive = words(text).front();
      line.left = trimmed(std::string_view(text).substr(line.directive.size()));
    } else {
      line.left = trimmed(std::string_view(text).substr(0, arrow));
      line.right = trimmed(std::string_view(text).substr(arrow + 2));
    }
    lines.push_back(std::move(line));
  }
  EXPECT_FALSE(lines.empty()) << "testdata/" << name << " cannot be read";
  return lines;
}

NodeList make_nodes(std::string_view text) {
  NodeList list;
  for (const std::string& word : words(text)) {
    const auto slash = word.find('/');
    Node node;
    node.name = word.substr(0, slash);
    node.site = slash == std::string::npos ? "" : word.substr(slash + 1);
    node.address = node.name;
    list.nodes.push_back(std::move(node));
  }
  return list;
}

NodeSet make_set(const NodeList& nodes, std::string_view names) {
  NodeSet set(nodes.size(), false);
  for (const std::string& name : words(names)) {
    const auto id = nodes.find(name);
    EXPECT_TRUE(id.has_value()) << "no node '" << name << "'";
    if (id) {
      set[*id] = true;
    }
  }
  return set;
}

Quorum make_quorum(std::string_view expression) {
  auto quorum = Quorum::parse(expression);
  EXPECT_TRUE(quorum.ok()) << expression;
  return quorum.ok() ? quorum.value() : Quorum();
}

}  // namespace pgwalship
