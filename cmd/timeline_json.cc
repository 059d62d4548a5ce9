#include "cmd/timeline_report.h"

#include <nlohmann/json.hpp>

namespace pgwalship {
namespace {

using Json = nlohmann::ordered_json;

class Writer {
 public:
  explicit Writer(const TimelineReport& report)
      : report_(report), bytes_(report.survey.segment_bytes) {}

  Json report() const {
    Json timelines = Json::array();
    for (const auto& [number, node] : report_.graph.timelines()) {
      timelines.push_back(timeline(node));
    }
    Json contradictions = Json::array();
    for (const TimelineFinding& finding : report_.graph.findings()) {
      contradictions.push_back(contradiction(finding));
    }
    Json backups = Json::array();
    for (const BackupCoverage& covered : report_.coverage.backups) {
      backups.push_back(backup(covered));
    }
    Json quarantine = Json::array();
    for (const QuarantinedFile& file : report_.quarantine) {
      Json entry{{"file", file.file}};
      if (!file.history.empty()) {
        entry["history"] = file.history;
      }
      quarantine.push_back(std::move(entry));
    }
    return Json{{"version", 1},
                {"node", report_.node},
                {"archive", report_.directory},
                {"whole", report_.whole()},
                {"files", report_.files},
                {"segment_bytes", bytes_},
                {"newest_timeline", report_.graph.newest()},
                {"timelines", std::move(timelines)},
                {"contradictions", std::move(contradictions)},
                {"backups", std::move(backups)},
                {"obstacles", report_.obstacles},
                {"quarantine", std::move(quarantine)}};
  }

 private:
  Json run(const SegmentRun& run) const {
    return Json{{"timeline", run.timeline},
                {"first", segment_text(run.timeline, run.first, bytes_)},
                {"last", segment_text(run.timeline, run.last, bytes_)},
                {"segments", run.count()},
                {"start_lsn", lsn_text(segment_lsn(run.first, bytes_))},
                {"end_lsn", lsn_text(segment_lsn(run.last + 1, bytes_))}};
  }

  Json timeline(const Timeline& node) const {
    Json entry{{"timeline", node.number}};
    switch (node.known) {
      case Timeline::Origin::kNone:
        entry["origin"] = "unknown";
        break;
      case Timeline::Origin::kHistory:
        entry["origin"] = "history";
        break;
      case Timeline::Origin::kHearsay:
        entry["origin"] = "hearsay";
        break;
    }
    if (node.number == 1) {
      entry["origin"] = "first";
    }
    if (node.origin) {
      entry["parent"] = node.origin->parent;
      entry["fork_lsn"] = lsn_text(node.origin->lsn);
      entry["reason"] = node.origin->reason;
    }
    entry["children"] = node.children;
    entry["ranges"] = Json::array();
    for (const SegmentRun& range : node.runs) {
      entry["ranges"].push_back(run(range));
    }
    entry["gaps"] = Json::array();
    for (const ArchiveGap& gap : report_.coverage.gaps) {
      if (gap.run.timeline == node.number) {
        Json hole = run(gap.run);
        hole["branch"] = gap.branch == ArchiveGap::Branch::kNeeded ? "needed" : "abandoned";
        entry["gaps"].push_back(std::move(hole));
      }
    }
    entry["partials"] = Json::array();
    for (const WalName& partial : report_.coverage.partials) {
      if (partial.timeline() == node.number) {
        entry["partials"].push_back(partial.text());
      }
    }
    return entry;
  }

  Json contradiction(const TimelineFinding& finding) const {
    Json entry{{"kind", to_word(finding.kind)}, {"timeline", finding.timeline}};
    if (finding.other != 0) {
      entry["other_timeline"] = finding.other;
    }
    if (finding.run) {
      entry["segments"] = run(*finding.run);
    }
    entry["text"] = finding.text;
    return entry;
  }

  Json backup(const BackupCoverage& covered) const {
    Json entry{{"name", covered.backup.name.text()}, {"state", to_word(covered.state)}};
    if (!covered.backup.label) {
      entry["error"] = covered.backup.unreadable;
      return entry;
    }
    const BackupLabel& label = *covered.backup.label;
    entry["label"] = label.label;
    entry["start_time"] = label.start_time;
    entry["stop_time"] = label.stop_time;
    entry["timeline"] = label.start_timeline;
    entry["start_lsn"] = lsn_text(label.start_lsn);
    entry["stop_lsn"] = lsn_text(label.stop_lsn);
    entry["spans"] = Json::array();
    for (const RecoverySpan& span : covered.spans) {
      Json along{{"timeline", span.timeline},
                 {"from_lsn", lsn_text(label.stop_lsn)},
                 {"to_lsn", lsn_text(span.to)},
                 {"reached_timeline", span.reached},
                 {"only_partial", span.only_partial}};
      if (span.gap) {
        along["gap"] = run(*span.gap);
      }
      entry["spans"].push_back(std::move(along));
    }
    entry["missing"] = Json::array();
    for (const SegmentRun& hole : covered.missing) {
      entry["missing"].push_back(run(hole));
    }
    entry["latest_timeline"] = covered.latest;
    entry["latest_descends"] = covered.latest_descends;
    return entry;
  }

  const TimelineReport& report_;
  std::uint32_t bytes_;
};

}  // namespace

std::string timeline_json(const TimelineReport& report) {
  return Writer(report).report().dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace pgwalship
