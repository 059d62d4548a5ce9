// The tables under testdata/: lines of text, '#' starts a comment, "left => right" is a case.
#pragma once

#include "topology/quorum.h"

#include <string>
#include <string_view>
#include <vector>

namespace pgwalship {

struct TableLine {
  int number = 0;
  std::string directive;  // "nodes", "quorum", ...: the first word of a line without "=>"
  std::string left;       // of a case; the rest of the line for a directive
  std::string right;
};

// The lines of testdata/`name` that are not empty; fails the test when there is none.
std::vector<TableLine> read_table(std::string_view name);

std::string trimmed(std::string_view text);
std::vector<std::string> words(std::string_view text);

// "a/east b": names with their sites.
NodeList make_nodes(std::string_view text);
// "a c": the nodes with these names.
NodeSet make_set(const NodeList& nodes, std::string_view names);
Quorum make_quorum(std::string_view expression);

}  // namespace pgwalship
