#include "cmd/timeline_report.h"

#include <algorithm>

namespace pgwalship {
namespace {

class Order {
 public:
  explicit Order(const TimelineGraph& graph) : graph_(graph) {
    // A child's number is above its parent's: from the highest down, every child comes first.
    auto below = graph.timelines().rbegin();
    while (below != graph.timelines().rend()) {
      const auto& [number, node] = *below++;
      std::uint32_t newest = number;
      for (const std::uint32_t child : node.children) {
        newest = std::max(newest, newest_.at(child));
      }
      newest_[number] = newest;
    }
    for (const auto& [number, node] : graph.timelines()) {
      if (!node.origin) {
        add_line(number, 0);
      }
    }
  }

  std::vector<DrawnTimeline> take() { return std::move(drawn_); }

 private:
  // A timeline, the branches that leave it, and so on along the child that leads to the newest.
  // Down the line it is a loop, because lines may be long; only branches recurse, and each of those
  // has at least one timeline more than it is deep.
  void add_line(std::uint32_t timeline, std::size_t depth) {
    while (true) {
      const std::size_t at = drawn_.size();
      drawn_.push_back({timeline, depth});
      std::vector<std::uint32_t> branches = graph_.find(timeline)->children;
      if (branches.empty()) {
        return;
      }
      std::stable_sort(branches.begin(), branches.end(), [this](auto a, auto b) {
        return graph_.find(a)->origin->lsn < graph_.find(b)->origin->lsn;
      });
      const auto heir = std::max_element(branches.begin(), branches.end(), [this](auto a, auto b) {
        return newest_.at(a) < newest_.at(b);
      });
      const std::uint32_t next = *heir;
      branches.erase(heir);
      drawn_[at].trunk_goes_on = true;
      for (const std::uint32_t branch : branches) {
        add_line(branch, depth + 1);
      }
      timeline = next;
    }
  }

  const TimelineGraph& graph_;
  std::map<std::uint32_t, std::uint32_t> newest_;  // the highest number of its descendants
  std::vector<DrawnTimeline> drawn_;
};

}  // namespace

std::uint64_t TimelineReport::missing_segments() const {
  std::uint64_t count = 0;
  for (const ArchiveGap& gap : coverage.gaps) {
    count += gap.run.count();
  }
  return count;
}

std::uint64_t TimelineReport::broken_backups() const {
  return static_cast<std::uint64_t>(std::count_if(
      coverage.backups.begin(), coverage.backups.end(), [](const BackupCoverage& backup) {
        return backup.state == BackupCoverage::State::kBroken ||
               backup.state == BackupCoverage::State::kUnreadable;
      }));
}

bool TimelineReport::whole() const {
  return coverage.gaps.empty() && graph.findings().empty() && broken_backups() == 0 &&
         obstacles.empty() &&
         std::none_of(quarantine.begin(), quarantine.end(),
                      [](const QuarantinedFile& file) { return !file.history.empty(); });
}

std::vector<DrawnTimeline> drawing_order(const TimelineGraph& graph) {
  return Order(graph).take();
}

}  // namespace pgwalship
