// The nodes of the cluster, as every node's configuration lists them, in that order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pgwalship {

struct Node {
  std::string name;     // as `hostname -f` prints it: pgdb1.example.com
  std::string site;     // empty when sites are not used
  std::string address;  // what to connect to: a name or an IP address
  std::uint16_t port = 22;
};

// Index into the NodeList.
using NodeId = std::size_t;

// A set of nodes by index; as large as the list it belongs to.
using NodeSet = std::vector<bool>;

struct NodeList {
  std::vector<Node> nodes;
  NodeId self = 0;  // meaningful only when nodes is not empty

  std::optional<NodeId> find(std::string_view name) const;
  std::size_t size() const { return nodes.size(); }
  const Node& at(NodeId id) const { return nodes.at(id); }
};

// What a node or a site may be called: letters, digits, dot, hyphen, underscore; 1 to 253
// characters, as DNS allows. Nothing that a quorum expression would have to quote.
bool is_valid_name(std::string_view name);

}  // namespace pgwalship
