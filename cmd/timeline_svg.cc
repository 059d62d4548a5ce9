// The picture: a lane for each timeline over one axis of LSNs, and below it what each base backup
// is good for. One file without scripts or other files; hovering shows names.
#include "base/words.h"
#include "cmd/timeline_report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace pgwalship {
namespace {

constexpr double kWidth = 1200;
constexpr double kMargin = 32;
constexpr double kLeft = 232;  // where the axis begins: names stand before it
constexpr double kRight = kWidth - 48;
constexpr double kAxisY = 128;
constexpr double kLane = 52;
constexpr double kBar = 16;
constexpr double kBackupRow = 34;
constexpr double kLine = 20;
// More than a person looks at; the text and the JSON have all.
constexpr std::size_t kLanesMax = 60;
constexpr std::size_t kBackupsMax = 40;
constexpr std::size_t kFaultsMax = 12;
constexpr std::size_t kFaultCharactersMax = 150;
constexpr std::size_t kLabelCharactersMax = 26;

constexpr const char* kStyle =
    "text{font-family:system-ui,'Segoe UI','Helvetica Neue','DejaVu Sans',sans-serif;"
    "font-size:13px;fill:#1f2933}"
    ".title{font-size:20px;font-weight:600}.small{font-size:11.5px;fill:#66737f}"
    ".name{font-weight:600}.head{font-size:12px;font-weight:600;fill:#66737f;letter-spacing:.06em}"
    ".good{fill:#1b7f4d}.bad{fill:#c0342b}.chip{font-size:13px;font-weight:600;fill:#fff}"
    ".rail{stroke:#dde3e9;stroke-width:2;stroke-linecap:round}"
    ".grid{stroke:#eef1f4;stroke-width:1}.fork{stroke:#8593a0;stroke-width:1.5;fill:none}"
    ".trunk{fill:#2b6cb0}.branch{fill:#8fa3b8}.beyond{fill:url(#beyond)}"
    ".gap{fill:#fdecea;stroke:#c0342b;stroke-width:1.2;stroke-dasharray:4 3}"
    ".partial{fill:#fff;stroke:#2b6cb0;stroke-width:1.4}"
    ".span{fill:#38a169}.cut{fill:#dd8b2b}.taken{fill:#1b5e3b}.none{fill:#c0342b}"
    ".past{fill:#aab6c1}.taking{stroke:#1b5e3b;stroke-width:2}.look{font-size:12.5px;fill:#9b2c2c}";

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", value);
  return text;
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
    }
  }
  return out;
}

std::string shortened(const std::string& text, std::size_t characters_max) {
  return text.size() <= characters_max ? text : text.substr(0, characters_max - 3) + "...";
}

struct Box {
  double x = 0;
  double y = 0;
  double width = 0;
  double height = 0;
};

// Writes elements; knows nothing of timelines.
class Canvas {
 public:
  void rect(const Box& box, const char* css, double radius, const std::string& title) {
    body_ += "<rect x=\"" + number(box.x) + "\" y=\"" + number(box.y) + "\" width=\"" +
             number(box.width) + "\" height=\"" + number(box.height) + "\" rx=\"" + number(radius) +
             "\" class=\"" + css + "\">" +
             (title.empty() ? "" : "<title>" + escaped(title) + "</title>") + "</rect>\n";
  }
  enum class Anchor { kStart, kMiddle, kEnd };
  void text(double x, double y, const char* css, const std::string& words,
            Anchor anchor = Anchor::kStart) {
    static constexpr const char* kAnchors[] = {"start", "middle", "end"};
    body_ += "<text x=\"" + number(x) + "\" y=\"" + number(y) + "\" class=\"" + css +
             "\" text-anchor=\"" + kAnchors[static_cast<int>(anchor)] + "\">" + escaped(words) +
             "</text>\n";
  }
  void line(double x1, double y1, double x2, double y2, const char* css) {
    body_ += "<line x1=\"" + number(x1) + "\" y1=\"" + number(y1) + "\" x2=\"" + number(x2) +
             "\" y2=\"" + number(y2) + "\" class=\"" + css + "\"/>\n";
  }
  void path(const std::string& data, const char* css) {
    body_ += "<path d=\"" + data + "\" class=\"" + css + "\"/>\n";
  }
  void dot(double x, double y, double radius, const char* css, const std::string& title) {
    body_ += "<circle cx=\"" + number(x) + "\" cy=\"" + number(y) + "\" r=\"" + number(radius) +
             "\" class=\"" + css + "\"><title>" + escaped(title) + "</title></circle>\n";
  }

  std::string document(double height) const {
    const std::string size = "width=\"" + number(kWidth) + "\" height=\"" + number(height) + "\"";
    return "<svg xmlns=\"http://www.w3.org/2000/svg\" " + size + " viewBox=\"0 0 " +
           number(kWidth) + " " + number(height) + "\">\n<style>" + kStyle +
           "</style>\n<defs><pattern id=\"beyond\" width=\"7\" height=\"7\" "
           "patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\">"
           "<rect width=\"7\" height=\"7\" fill=\"#f6c177\"/>"
           "<rect width=\"3\" height=\"7\" fill=\"#dd8b2b\"/></pattern></defs>\n"
           "<rect " +
           size + " fill=\"#ffffff\"/>\n" + body_ + "</svg>\n";
  }

 private:
  std::string body_;
};

class Picture {
 public:
  explicit Picture(const TimelineReport& report)
      : report_(report), graph_(report.graph), bytes_(report.survey.segment_bytes) {
    measure();
    std::vector<DrawnTimeline> order = drawing_order(graph_);
    left_out_ = order.size() - std::min(order.size(), kLanesMax);
    order.erase(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(left_out_));
    lanes_ = std::move(order);
    for (std::size_t i = 0; i < lanes_.size(); ++i) {
      lane_y_[lanes_[i].timeline] = kAxisY + 44 + kLane * static_cast<double>(i);
    }
  }

  std::string render() {
    const double lanes_end = kAxisY + 24 + kLane * static_cast<double>(lanes_.size());
    add_title();
    add_axis(lanes_end);
    for (const DrawnTimeline& lane : lanes_) {
      add_fork(*graph_.find(lane.timeline));
    }
    for (const DrawnTimeline& lane : lanes_) {
      add_lane(lane);
    }
    y_ = lanes_end + 28;
    add_backups();
    add_faults();
    add_legend();
    return canvas_.document(y_ + kMargin - 8);
  }

 private:
  void measure() {
    first_ = TimelineGraph::kNoEnd;
    const auto include = [this](const SegmentRun& run) {
      first_ = std::min(first_, run.first);
      end_ = std::max(end_, run.last + 1);
    };
    for (const auto& [timeline, node] : graph_.timelines()) {
      std::for_each(node.runs.begin(), node.runs.end(), include);
    }
    for (const WalName& partial : report_.coverage.partials) {
      const std::uint64_t at = segment_number(partial, bytes_);
      include({partial.timeline(), at, at});
    }
    if (first_ >= end_) {
      first_ = 0;
      end_ = 1;
    }
  }

  // Of an LSN; what lies outside of the archive stands at its edge.
  double x(std::uint64_t lsn) const {
    const double from = static_cast<double>(first_) * bytes_;
    const double to = static_cast<double>(end_) * bytes_;
    const double at = std::clamp(static_cast<double>(lsn), from, to);
    return kLeft + (at - from) / (to - from) * (kRight - kLeft);
  }
  Box box(std::uint64_t from, std::uint64_t to, double y, double height) const {
    const double left = x(from);
    return {left, y - height / 2, std::max(x(to) - left - 1, 2.0), height};
  }
  Box box(const SegmentRun& run, double y, double height) const {
    return box(segment_lsn(run.first, bytes_), segment_lsn(run.last + 1, bytes_), y, height);
  }

  void add_title() {
    canvas_.text(kMargin, 46, "title",
                 "WAL timelines" + (report_.node.empty() ? "" : " on " + report_.node));
    canvas_.text(kMargin, 68, "small",
                 report_.directory + ", " + counted(report_.files, "file") + ", segments of " +
                     std::to_string(bytes_ >> 20) + " MiB");
    const bool whole = report_.whole();
    std::string words = "whole";
    if (!whole) {
      words = counted(report_.coverage.gaps.size(), "gap") + ", " +
              counted(report_.graph.findings().size(), "contradiction");
    }
    const double width = 24 + 7.6 * static_cast<double>(words.size());
    canvas_.rect({kRight - width, 30, width, 26}, whole ? "good" : "bad", 13, "");
    canvas_.text(kRight - width / 2, 47.5, "chip", words, Canvas::Anchor::kMiddle);
  }

  // Round numbers of segments, at most eight of them.
  void add_axis(double bottom) {
    const std::uint64_t span = end_ - first_;
    std::uint64_t step = 1;
    while (span / step > 8) {
      step *= 2;
    }
    for (std::uint64_t n = (first_ + step - 1) / step * step; n <= end_; n += step) {
      const std::uint64_t lsn = segment_lsn(n, bytes_);
      canvas_.line(x(lsn), kAxisY - 18, x(lsn), bottom, "grid");
      canvas_.text(x(lsn), kAxisY - 24, "small", lsn_text(lsn), Canvas::Anchor::kMiddle);
    }
    canvas_.text(kMargin, kAxisY - 24, "head", "TIMELINES");
  }

  void add_fork(const Timeline& node) {
    const auto from = node.origin ? lane_y_.find(node.origin->parent) : lane_y_.end();
    if (from == lane_y_.end()) {
      return;
    }
    const double at = x(node.origin->lsn);
    const double to = lane_y_.at(node.number);
    const double bend = 10;
    canvas_.path("M" + number(at - bend) + " " + number(from->second) + " q" + number(bend) +
                     " 0 " + number(bend) + " " + number(bend) + " V" + number(to - bend) + " q0 " +
                     number(bend) + " " + number(bend) + " " + number(bend),
                 "fork");
  }

  void add_lane(const DrawnTimeline& lane) {
    const Timeline& node = *graph_.find(lane.timeline);
    const double y = lane_y_.at(node.number);
    std::uint64_t count = 0;
    for (const SegmentRun& run : node.runs) {
      count += run.count();
    }
    canvas_.text(kMargin, y - 2, "name", "Timeline " + std::to_string(node.number));
    canvas_.text(kMargin, y + 14, "small",
                 node.number == graph_.newest() ? counted(count, "segment") + ", newest"
                                                : counted(count, "segment"));
    const std::uint64_t start = node.origin ? node.origin->lsn : 0;
    canvas_.line(x(start), y, node.runs.empty() ? x(start) + 8 : x(end_of(node)), y, "rail");
    add_runs(node, lane.depth == 0 ? "trunk" : "branch", y);
    for (const ArchiveGap& gap : report_.coverage.gaps) {
      if (gap.run.timeline == node.number) {
        canvas_.rect(box(gap.run, y, kBar), "gap", 3, "gap: " + run_text(gap.run, bytes_));
        canvas_.text(
            (x(segment_lsn(gap.run.first, bytes_)) + x(segment_lsn(gap.run.last + 1, bytes_))) / 2,
            y - 13, "small bad", std::to_string(gap.run.count()) + " missing",
            Canvas::Anchor::kMiddle);
      }
    }
    for (const WalName& partial : report_.coverage.partials) {
      if (partial.timeline() == node.number) {
        const std::uint64_t at = segment_number(partial, bytes_);
        canvas_.rect(box({node.number, at, at}, y, kBar - 6), "partial", 3, partial.text());
      }
    }
    if (node.origin) {
      canvas_.dot(x(start), y, 4.5, lane.depth == 0 ? "trunk" : "branch",
                  "left timeline " + std::to_string(node.origin->parent) + " at " +
                      lsn_text(node.origin->lsn) + ": " + node.origin->reason);
      canvas_.text(x(start) + 4, y + 23, "small", lsn_text(node.origin->lsn));
    }
  }

  std::uint64_t end_of(const Timeline& node) const {
    return segment_lsn(node.runs.back().last + 1, bytes_);
  }

  // A timeline's first segment starts with a copy of its parent's part: its own begins at the fork.
  void add_runs(const Timeline& node, const char* css, double y) {
    const std::uint64_t start = node.origin ? node.origin->lsn : 0;
    const std::uint64_t beyond =
        segment_lsn(graph_.first_beyond_fork(node.number).value_or(TimelineGraph::kNoEnd), bytes_);
    for (const SegmentRun& run : node.runs) {
      const std::uint64_t from = segment_lsn(run.first, bytes_);
      const std::uint64_t to = segment_lsn(run.last + 1, bytes_);
      const std::uint64_t own = from < start && to > start ? start : from;
      const std::string title = run_text(run, bytes_);
      if (own < beyond) {
        canvas_.rect(box(own, std::min(to, beyond), y, kBar), to <= start ? "none" : css, 3, title);
      }
      if (to > beyond) {
        canvas_.rect(box(std::max(own, beyond), to, y, kBar), "beyond", 3,
                     "beyond the fork: " + title);
      }
    }
  }

  void add_backups() {
    const auto& backups = report_.coverage.backups;
    if (backups.empty()) {
      return;
    }
    canvas_.text(kMargin, y_, "head", "BASE BACKUPS");
    y_ += 30;
    const std::size_t skipped = backups.size() - std::min(backups.size(), kBackupsMax);
    for (std::size_t i = skipped; i < backups.size(); ++i) {
      add_backup(backups[i]);
      y_ += 8;
    }
    y_ += 4;
  }

  void add_backup(const BackupCoverage& backup) {
    if (!backup.backup.label) {
      canvas_.text(kMargin, y_, "name", shortened(backup.backup.name.text(), kLabelCharactersMax));
      canvas_.text(kLeft, y_, "bad", "its file cannot be read");
      y_ += kBackupRow;
      return;
    }
    const BackupLabel& label = *backup.backup.label;
    canvas_.text(kMargin, y_ - 2, "name",
                 shortened(label.label.empty() ? "(no label)" : label.label, kLabelCharactersMax));
    canvas_.text(kMargin, y_ + 13, "small", shortened(label.start_time, kLabelCharactersMax));
    const double start = x(label.start_lsn);
    for (const RecoverySpan& span : backup.spans) {
      canvas_.rect(box(label.stop_lsn, span.to, y_, 7), span.gap ? "cut" : "span", 3.5,
                   "recoverable from " + lsn_text(label.stop_lsn) + " to " + lsn_text(span.to) +
                       " on timeline " + std::to_string(span.timeline));
      canvas_.line(start, y_, x(label.stop_lsn), y_, "taking");
      canvas_.dot(start, y_, 5.5, "taken",
                  "taken from " + lsn_text(label.start_lsn) + " to " + lsn_text(label.stop_lsn));
      add_span_words(span, start);
      y_ += kBackupRow;
    }
    if (backup.spans.empty()) {
      const bool expired = backup.state == BackupCoverage::State::kExpired;
      canvas_.dot(start, y_, 5.5, expired ? "past" : "none", lsn_text(label.start_lsn));
      canvas_.text(start + 12, y_ + 4.5, expired ? "small" : "small bad",
                   expired ? "expired: its WAL has gone"
                           : "cannot be recovered: WAL that it needs is missing");
      y_ += kBackupRow;
    }
  }

  // Below the bar, where there is always room; at its end as long as that is not the picture's.
  void add_span_words(const RecoverySpan& span, double start) {
    const std::string words = "to " + lsn_text(span.to) + " on timeline " +
                              std::to_string(span.timeline) + (span.gap ? ", then a gap" : "");
    const double width = 6.3 * static_cast<double>(words.size());
    const double end = x(span.to);
    canvas_.text(std::max(end, std::min(start + width, kRight)), y_ + 18,
                 span.gap ? "small bad" : "small", words, Canvas::Anchor::kEnd);
  }

  void add_faults() {
    std::vector<std::string> faults;
    for (const TimelineFinding& finding : graph_.findings()) {
      faults.push_back(finding.text);
    }
    for (const QuarantinedFile& file : report_.quarantine) {
      faults.push_back("in quarantine: " + file.file +
                       (file.history.empty() ? "" : " (came from " + file.history + ")"));
    }
    if (faults.empty()) {
      return;
    }
    canvas_.text(kMargin, y_, "head", "TO LOOK AT");
    y_ += kLine + 2;
    for (std::size_t i = 0; i < std::min(faults.size(), kFaultsMax); ++i) {
      canvas_.text(kMargin, y_, "look", shortened(faults[i], kFaultCharactersMax));
      y_ += kLine;
    }
    if (faults.size() > kFaultsMax) {
      canvas_.text(kMargin, y_, "small",
                   "and " + std::to_string(faults.size() - kFaultsMax) + " more");
      y_ += kLine;
    }
    y_ += 8;
  }

  void add_legend() {
    struct Entry {
      const char* css;
      const char* words;
    };
    double at = kMargin;
    y_ += 8;
    for (const Entry& entry :
         {Entry{"trunk", "leads to the newest timeline"}, Entry{"branch", "another branch"},
          Entry{"beyond", "beyond a fork"}, Entry{"gap", "missing"}, Entry{"partial", ".partial"},
          Entry{"span", "recoverable"}, Entry{"cut", "recoverable up to a gap"}}) {
      canvas_.rect({at, y_ - 10, 20, 11}, entry.css, 3, "");
      canvas_.text(at + 27, y_, "small", entry.words);
      at += 27 + 6.4 * static_cast<double>(std::string_view(entry.words).size()) + 26;
    }
    if (left_out_ > 0) {
      y_ += kLine;
      canvas_.text(kMargin, y_, "small", "left out: " + counted(left_out_, "older timeline"));
    }
  }

  const TimelineReport& report_;
  const TimelineGraph& graph_;
  std::uint32_t bytes_;
  std::uint64_t first_ = 0;  // segment numbers: the axis
  std::uint64_t end_ = 0;
  std::vector<DrawnTimeline> lanes_;
  std::size_t left_out_ = 0;
  std::map<std::uint32_t, double> lane_y_;
  double y_ = 0;  // where the next thing below the lanes goes
  Canvas canvas_;
};

}  // namespace

std::string timeline_svg(const TimelineReport& report) {
  return Picture(report).render();
}

}  // namespace pgwalship
