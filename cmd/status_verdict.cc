#include "cmd/status_verdict.h"

#include "base/words.h"
#include "cmd/check_rules.h"

#include <algorithm>

namespace pgwalship {
namespace {

bool is_held(const ReportJson& report) {
  return report_flag(report_field(report, "quorum"), "held").value_or(false);
}

// No push is acknowledged now.
bool is_refusing(const ReportJson& report) {
  return !is_held(report) || report_flag(report_field(report, "push"), "failing").value_or(false);
}

bool has_gaps(const ReportJson& report) {
  const ReportJson& troubles = report_list(report_field(report, "timelines"), "troubles");
  return std::any_of(troubles.begin(), troubles.end(), [](const ReportJson& trouble) {
    return report_number_or_zero(trouble, "needed_segments") > 0;
  });
}

std::string own_lack(const ReportJson& report) {
  const ReportJson& archive = report_field(report, "archive");
  if (!report_text(archive, "error").empty()) {
    return report_flag(archive, "reading").value_or(false) ? "its archive is still being read"
                                                           : "its archive cannot be read";
  }
  if (!report_flag(archive, "complete").value_or(true)) {
    return "never complete yet";
  }
  if (const double missing = report_number_or_zero(archive, "missing"); missing > 0) {
    return report_words(archive, "missing") + (missing == 1 ? " file" : " files") + " missing";
  }
  if (report_flag(archive, "vanished").value_or(false)) {
    return "files have vanished, and nodes that may hold them are away";
  }
  return has_gaps(report) ? "gaps" : "";
}

std::string peer_lack(const ReportJson& report, const ReportJson& peer) {
  const std::string state = report_text(peer, "state");
  const double backlog = report_number_or_zero(peer, "backlog");
  const std::string files =
      backlog > 0 ? ", lacks " + report_words(peer, "backlog") + (backlog == 1 ? " file" : " files")
                  : "";
  if (state == "down" || state == "behind") {
    const auto since = report_number(peer, "since_seconds");
    return state + (since ? " for " + rounded_time(*since) : "") + files;
  }
  if (backlog > 0 || state == "catching_up") {
    return "catching up" + files;
  }
  if (!report_flag(peer, "counts").value_or(true)) {
    return "not known to be complete";
  }
  // Both held the same when they were compared last; what it had more would be on its way here.
  return state == "current" && has_gaps(report) ? "gaps" : "";
}

Shade shade_of(CheckLevel level) {
  return level == CheckLevel::kOk        ? Shade::kGood
         : level == CheckLevel::kWarning ? Shade::kAttention
                                         : Shade::kBad;
}

std::string finding_line(const CheckFinding& finding, Colours colours) {
  std::string line = shaded("  - ", shade_of(finding.level), colours) + finding.text + "\n";
  if (!finding.hint.empty()) {
    line += shaded("    HINT: " + finding.hint, Shade::kFaint, colours) + "\n";
  }
  return line;
}

}  // namespace

Recoverability recoverability(const ReportJson& report) {
  Recoverability facts;
  const auto count = [&](const std::string& node, const std::string& lack) {
    ++facts.nodes;
    facts.complete += lack.empty() ? 1 : 0;
    if (!lack.empty()) {
      facts.lacking.push_back(node + ": " + lack);
    }
  };
  count(report_text(report, "node"), own_lack(report));
  for (const ReportJson& peer : report_list(report, "peers")) {
    count(report_text(peer, "node"), peer_lack(report, peer));
  }
  facts.last = report_text(report_field(report, "archive"), "last_segment");
  return facts;
}

std::string recoverability_text(const Recoverability& facts) {
  std::string text = "recoverable ";
  text += facts.last.empty() ? "to what is archived" : "up to " + facts.last;
  text += " on " + std::to_string(facts.complete) + " of " + counted(facts.nodes, "node");
  std::string separator = " (";
  for (const std::string& lack : facts.lacking) {
    text += std::exchange(separator, "; ") + lack;
  }
  return text + (facts.lacking.empty() ? "" : ")");
}

std::string unarchived_text(const ReportJson& report) {
  const ReportJson& server = report_field(report, "postgresql");
  const auto bytes = report_number(server, "unarchived_bytes");
  if (report_text(server, "role") == "primary" && report_text(server, "lsn").empty()) {
    return "not archived yet: what the primary is writing; [postgres] conninfo lets status say how "
           "much that is\n";
  }
  if (bytes.value_or(0) == 0) {
    return "";
  }
  std::string text = "not archived yet: " + rounded_size(*bytes) + ", ";
  const bool stopped = report_text(server, "role") == "stopped";
  const std::string there = stopped ? "on this stopped server" : "on the primary";
  if (const auto alone = report_number(server, "alone_bytes"); !alone) {
    text += there + "; the role of [postgres] conninfo may not see what its standbys have";
  } else if (*alone == 0) {
    text += there + " and a standby that " + (stopped ? "streamed" : "streams");
  } else {
    text += (*alone < *bytes ? rounded_size(*alone) + " of it " : "") + there + " alone";
  }
  const double age = report_number_or_zero(server, "age_seconds");
  return text + (age >= kOldSeconds ? ", as of " + rounded_time(age) + " ago" : "") + "\n";
}

std::string verdict_text(const ReportJson& report, Colours colours) {
  CheckLimits limits;
  limits.quorum.critical = limits.quorum.warning;  // an alarm can wait for a restart, this cannot
  CheckResult found = check_report(report.dump(), limits);
  for (CheckFinding& finding : found.findings) {
    finding.text = without_peer_errors(std::move(finding.text), report);
  }
  const std::string expression = report_text(report_field(report, "quorum"), "expression");
  const std::string recovery = recoverability_text(recoverability(report));
  if (found.findings.empty()) {
    return shaded("OK", Shade::kGood, colours) + ": " + recovery + ", quorum " + expression +
           " is held\n" + unarchived_text(report);
  }
  const bool is_bad = found.level == CheckLevel::kCritical || is_refusing(report);
  std::string text =
      shaded(is_bad ? "NOT SAFE" : "ATTENTION", is_bad ? Shade::kBad : Shade::kAttention, colours) +
      ": " + found.findings.front().text + "\n";
  if (const std::string& hint = found.findings.front().hint; !hint.empty()) {
    text += shaded("HINT: " + hint, Shade::kFaint, colours) + "\n";
  }
  for (std::size_t i = 1; i < found.findings.size(); ++i) {
    text += finding_line(found.findings[i], colours);
  }
  return text + (is_held(report) ? "quorum " + expression + " is held, " : "") + recovery + "\n" +
         unarchived_text(report);
}

}  // namespace pgwalship
