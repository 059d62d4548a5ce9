#include "wal/differences.h"

namespace pgwalship {

Differences compare_names(const std::vector<WalName>& mine, const std::vector<WalName>& theirs,
                          SegmentPosition floor) {
  Differences differences;
  differences.floor = floor;
  const auto add = [&](std::vector<WalName>& list, const WalName& name) {
    if (name.is_below(floor)) {
      return;
    }
    if (list.size() < kDifferencesMax) {
      list.push_back(name);
    } else {
      differences.more = true;
    }
  };
  auto left = mine.begin();
  auto right = theirs.begin();
  while (left != mine.end() || right != theirs.end()) {
    if (right == theirs.end() || (left != mine.end() && *left < *right)) {
      add(differences.missing_there, *left++);
    } else if (left == mine.end() || *right < *left) {
      add(differences.missing_here, *right++);
    } else {
      ++left;
      ++right;
    }
  }
  return differences;
}

}  // namespace pgwalship
