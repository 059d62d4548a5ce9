// What the status report says of the scrub and of fetches. It joins the two, because `archiver`,
// which makes the report, does not know `restorer`.
#pragma once

#include "archiver/status_report.h"
#include "cmd/config.h"
#include "restorer/fetch_service.h"
#include "restorer/scrub_service.h"

namespace pgwalship {

CareFacts care_facts(const Config& config, const Clock& clock, const ScrubService& scrub,
                     const FetchService& fetches);

}  // namespace pgwalship
