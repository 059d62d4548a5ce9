#include "topology/node_list.h"

#include <algorithm>

namespace pgwalship {
namespace {

constexpr std::size_t kNameMax = 253;  // RFC 1035, without the root's dot

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '-' || c == '_';
}

}  // namespace

std::optional<NodeId> NodeList::find(std::string_view name) const {
  const auto found = std::find_if(nodes.begin(), nodes.end(),
                                  [name](const Node& node) { return node.name == name; });
  if (found == nodes.end()) {
    return std::nullopt;
  }
  return static_cast<NodeId>(found - nodes.begin());
}

bool is_valid_name(std::string_view name) {
  return !name.empty() && name.size() <= kNameMax &&
         std::all_of(name.begin(), name.end(), is_name_character);
}

}  // namespace pgwalship
