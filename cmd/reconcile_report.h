// What `pgwalship reconcile` prints. Pure.
#pragma once

#include "transport/report_messages.h"

#include <string>

namespace pgwalship {

// While it goes on: "node2: 3 received, 2 sent, 40 to send; node3: equal".
std::string reconcile_progress(const ReconcileReport& report);
// A line for each peer.
std::string reconcile_text(const ReconcileReport& report);
// docs/json.md has the schema, version 1.
std::string reconcile_json(const ReconcileReport& report);
// 0 all hold the same, 1 a peer could not be compared or caught up, 3 conflicts alone are left.
int reconcile_status(const ReconcileReport& report);

}  // namespace pgwalship
