// How two archives differ: what a comparison of this archive with a peer's comes to. Nothing below
// the common floor, the higher of both floors, is a difference (docs/durability.md, "Retention").
#pragma once

#include "wal/digest.h"
#include "wal/segment_name.h"

#include <cstddef>
#include <vector>

namespace pgwalship {

// Names in one list of a comparison; what is beyond it is found by the next. Bounds memory, and is
// hours of work for a link.
inline constexpr std::size_t kDifferencesMax = 4096;

struct Differences {
  struct Conflict {  // one name, two contents
    WalName name;
    Sha256 mine;
    Sha256 theirs;
  };
  std::vector<WalName> missing_there;  // this archive holds them, the peer lacks them
  std::vector<WalName> missing_here;   // the peer holds them, this archive lacks them
  std::vector<Conflict> conflicting;   // at most kDifferencesMax
  // Contents were compared, not names alone: a name that is not in `conflicting` has one content.
  bool by_content = false;
  bool more = false;          // more is missing, there or here, than the lists say
  SegmentPosition floor = 0;  // the common floor

  // Whether this archive holds every name that the peer holds, down to the floor.
  bool covers_theirs() const { return missing_here.empty() && !more; }
};

// By names alone: contents are not compared. Both in archiving order.
Differences compare_names(const std::vector<WalName>& mine, const std::vector<WalName>& theirs,
                          SegmentPosition floor);

}  // namespace pgwalship
