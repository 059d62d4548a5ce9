// The node list of corosync.conf(5), for `node = corosync`. Pure.
#pragma once

#include "base/result.h"

#include <string>
#include <string_view>
#include <vector>

namespace pgwalship {

struct CorosyncNode {
  std::string name;     // what crm_node calls it; the address when it has no name
  std::string address;  // of its first ring
};

// In the order of the file. kInvalid when it lists none, or one without an address.
Result<std::vector<CorosyncNode>> parse_corosync_nodes(std::string_view text);

}  // namespace pgwalship
