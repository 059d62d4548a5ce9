// The daemon's status report (JSON, made in archiver/status_report.cc) for a person to read in five
// seconds: the verdict in the first line, then what it rests on. Pure. The only place of the client
// that knows nlohmann-json.
#pragma once

#include "base/result.h"

#include <string>
#include <string_view>

namespace pgwalship {

// Fields that are missing are left out, unknown ones ignored: the daemon may be of another version.
// kProtocol when it is no JSON object.
Result<std::string> render_status(std::string_view json);

}  // namespace pgwalship
