// The daemon's status report (JSON, made in archiver/status_report.cc) for a person to read in five
// seconds: the verdict in the first line, then what it rests on. Pure.
#pragma once

#include "base/result.h"
#include "cmd/terminal.h"

#include <string>
#include <string_view>

namespace pgwalship {

// A report of the same daemon, taken a little earlier: with it there are rates and times to go.
struct EarlierReport {
  std::string json = {};
  double seconds = 0;  // between the two; 0: there is none
};

// Fields that are missing are left out, unknown ones ignored: the daemon may be of another version.
// kProtocol when it is no JSON object.
Result<std::string> render_status(std::string_view json, Colours colours = Colours::kOff,
                                  const EarlierReport& earlier = {});

// Whether files are on their way to a peer or from one, so that rates are worth a second look.
bool shows_traffic(std::string_view json);

}  // namespace pgwalship
