#include "archiver/postgres_facts.h"

#include <utility>

namespace pgwalship {

std::vector<PostgresNews::Line> PostgresNews::take(PostgresFacts facts,
                                                   std::uint64_t archive_system_id) {
  std::vector<Line> lines;
  const bool first = !latest_.has_value();
  const bool was_reachable = !first && latest_->reachable;
  const bool was_elsewhere = !first && latest_->elsewhere;
  const bool seen_before = std::exchange(seen_elsewhere_, facts.reachable && facts.elsewhere);
  facts.elsewhere = seen_before && seen_elsewhere_;
  if (!facts.reachable) {
    if (first || was_reachable) {
      lines.push_back({LogLevel::kWarning, "PostgreSQL cannot be asked: " + facts.error});
    }
    PostgresFacts last = std::move(latest_).value_or(PostgresFacts{});
    last.reachable = false;
    last.elsewhere = false;
    last.error = std::move(facts.error);
    latest_ = std::move(last);
    return lines;
  }
  if (!was_reachable) {
    lines.push_back({LogLevel::kInfo, first ? "PostgreSQL answers" : "PostgreSQL answers again"});
  }
  const bool is_foreign = archive_system_id != 0 && facts.system_id != archive_system_id;
  if (is_foreign) {
    facts.error = "its system identifier " + std::to_string(facts.system_id) +
                  " is not the archive's, " + std::to_string(archive_system_id);
    if (foreign_id_ != facts.system_id) {
      lines.push_back({LogLevel::kError,
                       "PostgreSQL is of another cluster: " + facts.error +
                           ": nothing of it is archived here\nHINT: check [postgres] conninfo and "
                           "[archive] directory; a cluster made anew by initdb needs an archive "
                           "of its own"});
    }
  }
  foreign_id_ = is_foreign ? facts.system_id : 0;
  if (facts.elsewhere && !was_elsewhere) {
    lines.push_back({LogLevel::kWarning,
                     "PostgreSQL answers, but no server runs in [postgres] data-directory\n"
                     "HINT: name the directory that SHOW data_directory prints there, and restart "
                     "pgwalshipd"});
  }
  latest_ = std::move(facts);
  return lines;
}

}  // namespace pgwalship
