// The first lines of `pgwalship status`: would a recovery work, from how many nodes, and what is
// wrong. What is wrong is what `pgwalship check` finds with its usual limits (a lost quorum is bad
// from its first moment on), so that an alarm and the screen never disagree. Pure.
#pragma once

#include "cmd/report_fields.h"
#include "cmd/terminal.h"

#include <string>
#include <vector>

namespace pgwalship {

// Whose archives hold all that was acknowledged.
struct Recoverability {
  std::size_t nodes = 0;
  std::size_t complete = 0;
  std::vector<std::string> lacking;  // "pgdb3: catching up, 12 files"; the nodes that are not
  bool to_now = false;               // nothing finished waits to be archived
  std::string last;                  // the last segment that was acknowledged here; may be empty
};
Recoverability recoverability(const ReportJson& report);
// "recoverable to now on 2 of 3 nodes (pgdb3: down for 12 s)"
std::string recoverability_text(const Recoverability& facts);

// The verdict, and a line for each further finding, with its hint.
std::string verdict_text(const ReportJson& report, Colours colours);

}  // namespace pgwalship
