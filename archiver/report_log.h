// A line that a decision gave to be logged.
#pragma once

#include "archiver/shipper_events.h"
#include "base/log.h"

namespace pgwalship {

inline void log_report(Log& log, const Report& report) {
  switch (report.gravity) {
    case Gravity::kInfo:
      log.info(report.line);
      return;
    case Gravity::kWarning:
      log.warning(report.line);
      return;
    case Gravity::kError:
      log.error(report.line);
      return;
  }
}

}  // namespace pgwalship
