#include "cmd/corosync_nodes.h"

#include <algorithm>

namespace pgwalship {
namespace {

constexpr std::string_view kBlanks = " \t\r";

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(kBlanks);
  return first == std::string_view::npos
             ? std::string_view()
             : text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

}  // namespace

// Sections nest in braces, one opening or closing a line; all else is `key: value`.
Result<std::vector<CorosyncNode>> parse_corosync_nodes(std::string_view text) {
  std::vector<CorosyncNode> nodes;
  std::vector<std::string> sections;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = trim(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    const bool in_node = sections == std::vector<std::string>{"nodelist", "node"};
    if (line.empty() || line.front() == '#') {
      continue;
    }
    if (line.back() == '{') {
      sections.emplace_back(trim(line.substr(0, line.size() - 1)));
      if (sections == std::vector<std::string>{"nodelist", "node"}) {
        nodes.emplace_back();
      }
    } else if (line == "}") {
      if (!sections.empty()) {
        sections.pop_back();
      }
    } else if (const auto colon = line.find(':'); in_node && colon != std::string_view::npos) {
      const std::string_view key = trim(line.substr(0, colon));
      const std::string value(trim(line.substr(colon + 1)));
      if (key == "name") {
        nodes.back().name = value;
      } else if (key == "ring0_addr") {
        nodes.back().address = value;
      }
    }
  }
  if (nodes.empty()) {
    return Error{Errc::kInvalid, "it has no nodelist", ""};
  }
  for (CorosyncNode& node : nodes) {
    if (node.address.empty()) {
      return Error{Errc::kInvalid, "node '" + node.name + "' has no ring0_addr", ""};
    }
    node.name = node.name.empty() ? node.address : node.name;
  }
  return nodes;
}

}  // namespace pgwalship
