// What a FetchService of a LinkedNode works with.
#pragma once

#include "restorer/fetch_service.h"
#include "tests/transport/linked_node.h"

namespace pgwalship {

inline FetchService::Machine fetch_machine(LinkedNode& node, Spool* spool = nullptr) {
  return {node.loop(),  node.disk(),  node.scans(), {&node.quiet()}, node.quiet(),
          node.links(), node.store(), node.index(), node.log(),      spool};
}

}  // namespace pgwalship
