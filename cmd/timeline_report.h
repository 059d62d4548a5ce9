// What `pgwalship timeline` shows, and its three ways to show it. All of it is pure; the command
// reads the archive.
#pragma once

#include "wal/archive_coverage.h"
#include "wal/archive_survey.h"

#include <cstdint>
#include <string>
#include <vector>

namespace pgwalship {

struct QuarantinedFile {
  std::string file;            // its name there
  std::uint32_t timeline = 0;  // whose it is; 0: not to be told from its name
  std::string history = {};    // of a refused .history: what it says, in words
};

struct TimelineReport {
  std::string node;
  std::string directory;
  std::uint64_t files = 0;
  ArchiveSurvey survey;
  TimelineGraph graph;
  ArchiveCoverage coverage;
  std::vector<std::string> obstacles;  // names that are taken by what is no file
  std::vector<QuarantinedFile> quarantine;

  // Of what makes the exit status 1.
  std::uint64_t missing_segments() const;
  std::uint64_t broken_backups() const;
  bool whole() const;
};

enum class Drawing { kUnicode, kAscii };

// 80 columns wide as long as names fit.
std::string timeline_text(const TimelineReport& report, Drawing drawing);
// docs/json.md has the schema, version 1.
std::string timeline_json(const TimelineReport& report);
std::string timeline_svg(const TimelineReport& report);

// The order in which timelines are drawn, and how deep. The line that leads to the newest timeline
// of a tree is its trunk and stays at depth 0; at a fork the branches that end come first, the
// oldest first, a step deeper, and then the trunk goes on.
struct DrawnTimeline {
  std::uint32_t timeline = 0;
  std::size_t depth = 0;
  bool trunk_goes_on = false;  // there is more at its depth, further down
};
std::vector<DrawnTimeline> drawing_order(const TimelineGraph& graph);

}  // namespace pgwalship
