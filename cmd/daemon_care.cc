#include "cmd/daemon_care.h"

#include <chrono>

namespace pgwalship {

CareFacts care_facts(const Config& config, const Clock& clock, const ScrubService& scrub,
                     const FetchService& fetches) {
  const ScrubMark& mark = scrub.mark();
  CareFacts facts;
  facts.scrubs = config.archive.scrub > std::chrono::milliseconds(0);
  facts.position = mark.position ? mark.position->text() : "";
  facts.read = mark.read;
  facts.bad = mark.bad;
  facts.repaired = mark.repaired;
  if (mark.last_pass) {
    facts.last_pass_age_seconds =
        std::chrono::duration<double>(clock.wall() - *mark.last_pass).count();
  }
  facts.last_bad = mark.last_bad;
  facts.last_repaired = mark.last_repaired;
  facts.fetched_ahead = fetches.files_ahead();
  const FetchService::Totals& fetched = fetches.totals();
  facts.fetches_found = fetched.found;
  facts.fetches_absent = fetched.absent;
  facts.fetches_unanswered = fetched.unanswered;
  facts.fetched_bytes = fetched.pulled_bytes;
  facts.bad_copies = fetched.bad_copies;
  facts.bad_copies_repaired = fetched.repaired;
  return facts;
}

}  // namespace pgwalship
