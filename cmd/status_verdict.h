// The first lines of `pgwalship status`: would a recovery work, from how many nodes, and what is
// wrong. What is wrong is what `pgwalship check` finds with its usual limits (a lost quorum is bad
// from its first moment on), so that an alarm and the screen never disagree. Pure.
#pragma once

#include "cmd/report_fields.h"
#include "cmd/terminal.h"

#include <string>
#include <vector>

namespace pgwalship {

// PostgreSQL's figures are called old, with their age, from then on.
inline constexpr double kOldSeconds = 3;

// Whose archives hold all that was acknowledged.
struct Recoverability {
  std::size_t nodes = 0;
  std::size_t complete = 0;
  std::vector<std::string> lacking;  // "pgdb3: catching up, 12 files"; the nodes that are not
  std::string last;                  // the newest segment in the archive here; may be empty
};
Recoverability recoverability(const ReportJson& report);
// "recoverable up to 000000010000000000000007 on 2 of 3 nodes (pgdb3: down for 12 s)"
std::string recoverability_text(const Recoverability& facts);
// What a primary has written since, as far as it is known: "not archived yet: 5 MB, ..."; or empty.
std::string unarchived_text(const ReportJson& report);

// The verdict, and a line for each further finding, with its hint.
std::string verdict_text(const ReportJson& report, Colours colours);

}  // namespace pgwalship
