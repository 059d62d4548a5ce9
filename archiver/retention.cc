#include "archiver/retention.h"

#include "base/words.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <limits>
#include <set>

namespace pgwalship {
namespace {

constexpr SegmentPosition kEnd = std::numeric_limits<SegmentPosition>::max();

std::string days_text(std::chrono::milliseconds time) {
  const auto hours = std::chrono::duration_cast<std::chrono::hours>(time).count();
  const auto number = static_cast<std::uint64_t>(hours);
  return number % 24 == 0 ? counted(number / 24, "day") : counted(number, "hour");
}

// A file with the time it counts as having: see "Time" in the header.
struct Dated {
  const StoredFile* file;
  WallTime time;
};

struct Backup {
  const KnownBackup* known;
  WallTime time{};      // when it was finished, as Dated has it
  std::string trouble;  // why it does not count, or empty

  SegmentPosition start() const { return known->name.position(); }
  std::string text() const {
    return "'" + known->name.text() + "'" +
           (known->label.empty() ? "" : " (\"" + known->label + "\")");
  }
};

// A timeline, its ancestors, and the backups from which a recovery gets onto it, by position.
struct Line {
  std::uint32_t timeline = 0;
  std::vector<const Backup*> backups;    // that count
  std::vector<const Backup*> uncounted;  // that lie on it and do not
};

class Planner {
 public:
  explicit Planner(const RetentionInputs& inputs) : in_(inputs) {}

  RetentionPlan plan() {
    order_files();
    judge_backups();
    find_lines();
    describe_archive();
    SegmentPosition floor = floor_of_rules();
    floor = std::min(floor, floor_of_needs());
    if (!in_.holds.empty()) {
      floor = 0;
      for (const std::string& hold : in_.holds) {
        say("nothing goes: " + hold);
      }
    }
    finish(floor);
    return std::move(plan_);
  }

 private:
  void say(std::string line) { plan_.reasons.push_back(std::move(line)); }

  void order_files() {
    for (const StoredFile& file : in_.files) {
      total_bytes_ += file.bytes;
      if (file.name.kind() != WalKind::kHistory) {
        dated_.push_back({&file, file.modified});
      }
    }
    std::sort(dated_.begin(), dated_.end(), [](const Dated& a, const Dated& b) {
      const auto x = a.file->name.position();
      const auto y = b.file->name.position();
      return x != y ? x < y : a.file->name < b.file->name;
    });
    WallTime latest{};
    for (Dated& dated : dated_) {
      latest = std::max(latest, dated.time);
      dated.time = latest;
    }
    if (!dated_.empty() && in_.now) {
      reference_ = std::min(*in_.now, latest);
    }
  }

  // The files from `first` to `last`.
  std::span<const Dated> between(SegmentPosition first, SegmentPosition last) const {
    const auto begin = std::partition_point(dated_.begin(), dated_.end(), [&](const Dated& dated) {
      return dated.file->name.position() < first;
    });
    const auto end = std::partition_point(begin, dated_.end(), [&](const Dated& dated) {
      return dated.file->name.position() <= last;
    });
    return {begin, end};
  }

  WallTime time_of(const WalName& name) const {
    for (const Dated& dated : between(name.position(), name.position())) {
      if (dated.file->name == name) {
        return dated.time;
      }
    }
    return WallTime::max();
  }

  // Whether every segment that the backup needs to become consistent is in the archive.
  std::string trouble_of(const KnownBackup& backup) const {
    if (backup.stop == 0) {
      return "its label file cannot be read";
    }
    if (in_.segment_bytes == 0) {
      return "the size of segments is not known";
    }
    const std::uint64_t per_log = (std::uint64_t{1} << 32U) / in_.segment_bytes;
    const auto number = [&](SegmentPosition position) {
      return (position >> 32U) * per_log + (position & 0xFFFFFFFFU);
    };
    const std::uint64_t first = number(backup.name.position());
    const std::uint64_t last = number(backup.stop);
    if (last < first) {
      return "its label file says that it ends before its start";
    }
    std::uint64_t present = 0;
    for (const Dated& dated : between(backup.name.position(), backup.stop)) {
      const WalName& name = dated.file->name;
      const bool is_needed =
          name.kind() == WalKind::kSegment && name.timeline() == backup.name.timeline();
      present += is_needed ? 1 : 0;
    }
    const std::uint64_t needed = last - first + 1;
    return present == needed ? ""
                             : "only " + std::to_string(present) + " of the " +
                                   std::to_string(needed) + " segments that it needs are here";
  }

  void judge_backups() {
    for (const KnownBackup& known : in_.backups) {
      backups_.push_back({&known, time_of(known.name), trouble_of(known)});
    }
    std::sort(backups_.begin(), backups_.end(), [](const Backup& a, const Backup& b) {
      return a.start() != b.start() ? a.start() < b.start() : a.known->name < b.known->name;
    });
  }

  void find_lines() {
    std::set<std::uint32_t> tips;
    std::uint32_t highest = 0;
    for (const StoredFile& file : in_.files) {
      highest = std::max(highest, file.name.timeline());
    }
    if (highest != 0) {
      tips.insert(highest);
    }
    if (in_.server_timeline) {
      tips.insert(*in_.server_timeline);
    }
    for (const std::uint32_t tip : tips) {
      lines_.push_back(line_of(tip));
    }
  }

  Line line_of(std::uint32_t tip) {
    Line line{tip, {}, {}};
    const auto history =
        std::find_if(in_.histories.begin(), in_.histories.end(),
                     [&](const KnownHistory& known) { return known.timeline == tip; });
    for (const Backup& backup : backups_) {
      const std::uint32_t timeline = backup.known->name.timeline();
      if (timeline > tip) {
        continue;
      }
      // Without its history it is not known which backups lead to the timeline: all of them might.
      bool leads = timeline == tip;
      bool may_lead = leads || history == in_.histories.end();
      if (!leads && history != in_.histories.end()) {
        for (const KnownHistory::Ancestor& ancestor : history->ancestors) {
          // The segment of the fork is left out: the backup may end behind the fork in it.
          const SegmentPosition end = std::max(backup.known->stop, backup.start());
          leads = leads || (ancestor.timeline == timeline && end < ancestor.left_at);
        }
        may_lead = leads;
      }
      if (leads && backup.trouble.empty()) {
        line.backups.push_back(&backup);
      } else if (may_lead) {
        line.uncounted.push_back(&backup);
      }
    }
    return line;
  }

  void describe_archive() {
    say("the archive holds " + counted(in_.files.size(), "file") + ", " + bytes_text(total_bytes_) +
        ", " + counted(in_.backups.size(), "backup") +
        (in_.recorded_floor == 0 ? "" : ", floor " + start(in_.recorded_floor)));
    for (const Backup& backup : backups_) {
      if (!backup.trouble.empty()) {
        say("backup " + backup.text() + " does not count: " + backup.trouble);
      }
    }
    for (const Line& line : lines_) {
      for (const Backup* backup : line.uncounted) {
        if (backup->trouble.empty()) {
          say("backup " + backup->text() + " does not count: '" + history_name(line.timeline) +
              "' is not here, so it is not known whether it leads to timeline " +
              std::to_string(line.timeline));
        }
      }
    }
  }

  std::string start(SegmentPosition position) const {
    return start_text(position, in_.segment_bytes);
  }

  static std::string history_name(std::uint32_t timeline) {
    std::array<char, 24> text{};
    std::snprintf(text.data(), text.size(), "%08X.history", timeline);
    return text.data();
  }

  SegmentPosition floor_of_rules() {
    if (!in_.rules.any()) {
      say("no rule is configured in [retention]: nothing goes");
      return 0;
    }
    const SegmentPosition kept = in_.rules.backups ? floor_of_backups() : floor_of_newest_backup();
    SegmentPosition floor = in_.rules.backups || in_.rules.days ? kept : 0;
    if (in_.rules.days) {
      floor = std::min(floor, floor_of_days());
    }
    return in_.rules.size_bytes ? floor_with_size(floor, kept) : floor;
  }

  std::string of_line(const Line& line) const {
    return lines_.size() == 1 ? "" : " of timeline " + std::to_string(line.timeline);
  }

  SegmentPosition floor_of_backups() {
    const std::size_t wanted = *in_.rules.backups;
    const std::string rule = "backups = " + std::to_string(wanted) + ": ";
    if (lines_.empty()) {
      say(rule + "no backup is known: everything stays");
      return 0;
    }
    SegmentPosition floor = kEnd;
    for (const Line& line : lines_) {
      if (line.backups.size() < wanted) {
        say(rule + "only " + counted(line.backups.size(), "whole backup") + of_line(line) +
            (line.backups.size() == 1 ? " is" : " are") + " known: everything stays");
        floor = 0;
        continue;
      }
      const Backup& oldest = *line.backups[line.backups.size() - wanted];
      say(rule + "keeps from " + start(oldest.start()) + " on, the start of backup " +
          oldest.text() + of_line(line));
      floor = std::min(floor, oldest.start());
    }
    return floor;
  }

  // Without the rule `backups` no other rule takes the newest backup of a line away.
  SegmentPosition floor_of_newest_backup() {
    SegmentPosition floor = kEnd;
    for (const Line& line : lines_) {
      const auto& known = line.backups.empty() ? line.uncounted : line.backups;
      if (!known.empty()) {
        say("the newest backup" + of_line(line) + ", " + known.back()->text() + ", keeps from " +
            start(known.back()->start()) + " on");
        floor = std::min(floor, known.back()->start());
      }
    }
    return floor;
  }

  SegmentPosition floor_of_days() {
    const std::string rule = "days = " + days_text(*in_.rules.days) + ": ";
    if (!reference_) {
      say(rule + (in_.now ? "the archive is empty"
                          : "the clock was set while the daemon ran: everything stays for now"));
      return 0;
    }
    const WallTime since = *reference_ - *in_.rules.days;
    SegmentPosition floor = kEnd;
    for (const Line& line : lines_) {
      const Backup* last = nullptr;
      for (const Backup* backup : line.backups) {
        last = backup->time <= since ? backup : last;
      }
      if (last != nullptr) {
        say(rule + "keeps from " + start(last->start()) + " on, the start of backup " +
            last->text() + ", the newest" + of_line(line) + " that is older");
        floor = std::min(floor, last->start());
        continue;
      }
      floor = std::min(floor, first_since(since));
      for (const auto* known : {&line.backups, &line.uncounted}) {
        if (!known->empty()) {
          floor = std::min(floor, known->front()->start());
        }
      }
      say(rule + "keeps from " + start(floor) + " on; no whole backup" + of_line(line) +
          " is older");
    }
    return floor;
  }

  SegmentPosition first_since(WallTime since) const {
    const auto young = std::find_if(dated_.begin(), dated_.end(),
                                    [&](const Dated& dated) { return dated.time > since; });
    return young == dated_.end() ? 0 : young->file->name.position();
  }

  // The lowest position from which on everything fits.
  SegmentPosition floor_that_fits(std::uint64_t limit) const {
    std::uint64_t below = 0;
    for (std::size_t i = 0; i < dated_.size();) {
      const SegmentPosition position = dated_[i].file->name.position();
      if (total_bytes_ - below <= limit) {
        return position;
      }
      for (; i < dated_.size() && dated_[i].file->name.position() == position; ++i) {
        below += dated_[i].file->bytes;
      }
    }
    return kEnd;
  }

  SegmentPosition floor_with_size(SegmentPosition floor, SegmentPosition kept) {
    const std::uint64_t limit = *in_.rules.size_bytes;
    const std::string rule = "size = " + bytes_text(limit) + ": ";
    if (total_bytes_ <= limit) {
      say(rule + "the archive is not larger");
      return floor;
    }
    // The last file is never taken for its size: PostgreSQL may just have archived it.
    const SegmentPosition last = dated_.empty() ? 0 : dated_.back().file->name.position();
    const SegmentPosition wanted = std::min(floor_that_fits(limit), last);
    if (wanted <= floor) {
      say(rule + "the other rules take more");
      return floor;
    }
    if (wanted <= kept) {
      say(rule + "keeps from " + start(wanted) + " on");
      return wanted;
    }
    return std::max(floor, kept);
  }

  SegmentPosition floor_of_needs() {
    SegmentPosition floor = kEnd;
    for (const ServerNeed& need : in_.needs) {
      say(need.who + " needs from " + start(need.position) + " on");
      floor = std::min(floor, need.position);
      if (need.position < in_.recorded_floor) {
        say("WARNING: that is below the recorded floor " + start(in_.recorded_floor) +
            ", and reconciling brings nothing from below it. HINT: after a restore from an older "
            "backup, remove .pgwalship/floor in the archive of every node");
      }
    }
    return floor;
  }

  void finish(SegmentPosition floor) {
    std::uint64_t bytes = 0;
    for (const Dated& dated : dated_) {
      if (dated.file->name.is_below(floor)) {
        plan_.expired.push_back(*dated.file);
        bytes += dated.file->bytes;
      }
    }
    plan_.floor = floor == kEnd ? 0 : floor;
    plan_.segment_bytes = in_.segment_bytes;
    if (plan_.floor == 0) {
      plan_.expired.clear();
      bytes = 0;
    }
    const std::uint64_t left = total_bytes_ - bytes;
    if (in_.rules.size_bytes && left > *in_.rules.size_bytes) {
      plan_.size_unmet = true;
      say("size = " + bytes_text(*in_.rules.size_bytes) + " cannot be met: " + bytes_text(left) +
          " stay, which backups or servers need");
    }
    if (!plan_.expired.empty()) {
      say("may go: " + counted(plan_.expired.size(), "file") + ", " + bytes_text(bytes) +
          ", from '" + plan_.expired.front().name.text() + "' to '" +
          plan_.expired.back().name.text() + "'; everything from " + start(plan_.floor) +
          " on stays");
    } else {
      say("nothing may go");
    }
  }

  const RetentionInputs& in_;
  RetentionPlan plan_;
  std::vector<Dated> dated_;  // by position, without history files
  std::vector<Backup> backups_;
  std::vector<Line> lines_;
  std::uint64_t total_bytes_ = 0;
  std::optional<WallTime> reference_;  // from which ages are counted back
};

}  // namespace

RetentionPlan plan_retention(const RetentionInputs& inputs) {
  return Planner(inputs).plan();
}

std::string start_text(SegmentPosition position, std::uint32_t segment_bytes) {
  return is_segment_size(segment_bytes)
             ? lsn_text((position >> 32U << 32U) + (position & 0xFFFFFFFFU) * segment_bytes)
             : "segment " + position_text(position);
}

std::string bytes_text(std::uint64_t bytes) {
  static constexpr std::array kUnits{"B", "kB", "MB", "GB", "TB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < kUnits.size(); ++unit) {
    value /= 1024;
  }
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), unit == 0 ? "%.0f %s" : "%.1f %s", value, kUnits[unit]);
  return text.data();
}

}  // namespace pgwalship
