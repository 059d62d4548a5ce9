#include "wal/archive_compare.h"

#include <algorithm>
#include <utility>

namespace pgwalship {
namespace {

// A range is cut into parts of about so many entries, as far as kRangePartsMax allows: the next
// answer then lists them.
constexpr std::size_t kPartEntries = kRangeListedMax / 2;
// The first question has a range for each timeline, up to this many.
constexpr std::size_t kFirstRangesMax = 256;
// Four make a comparison with few differences; to find kDifferencesMax of each kind among millions
// takes hundreds. What goes on longer is no comparison.
constexpr std::size_t kRoundsMax = 4096;

Error protocol_error(std::string_view reason) {
  return Error{Errc::kProtocol, "compare: " + std::string(reason), {}};
}

std::size_t items_of(const RangeAnswer& answer) {
  if (const auto* split = std::get_if<SplitRange>(&answer)) {
    return split->parts.size();
  }
  const auto* listed = std::get_if<ListedRange>(&answer);
  return listed != nullptr ? listed->items.size() : 0;
}

RangeAnswer answer_range(const ArchiveIndex& mine, const AskedRange& asked, SegmentPosition floor) {
  const RangeSummary summary = mine.summarize(asked.range, floor);
  if (summary == asked.asker) {
    return SameRange{};
  }
  if (summary.count <= kRangeListedMax) {
    ListedRange listed;
    listed.items.reserve(static_cast<std::size_t>(summary.count));
    mine.visit(asked.range, floor,
               [&](const ArchivePlace& place, const ArchiveIndex::Entry& entry) {
                 listed.items.push_back({place, entry.key});
                 return ArchiveIndex::Visit::kGoOn;
               });
    return listed;
  }
  const std::uint64_t parts =
      std::min<std::uint64_t>(kRangePartsMax, (summary.count + kPartEntries - 1) / kPartEntries);
  SplitRange split;
  PlaceRange part{asked.range.first, asked.range.last};
  for (std::uint64_t i = 1; i <= parts; ++i) {
    const auto cut = i < parts ? mine.nth(asked.range, floor, i * summary.count / parts)
                               : std::optional(asked.range.last);
    CHECK(cut.has_value());
    part.last = *cut;
    split.parts.push_back(mine.summarize(part, floor));
    if (i < parts) {
      split.cuts.push_back(*cut);
    }
    part.first = *cut;
  }
  return split;
}

}  // namespace

CompareAnswer answer_compare(const ArchiveIndex& mine, const CompareQuery& query,
                             SegmentPosition floor) {
  CHECK(!query.ranges.empty());
  CompareAnswer answer;
  answer.floor = std::max(query.floor, floor);
  std::size_t items = 0;
  for (const AskedRange& asked : query.ranges) {
    RangeAnswer next = answer_range(mine, asked, answer.floor);
    items += items_of(next);
    if (items > kAnswerItemsMax) {
      break;  // asked again; a single range always fits
    }
    answer.ranges.push_back(std::move(next));
  }
  return answer;
}

// The asker ------------------------------------------------------------------------------------

void ArchiveComparison::begin(const ArchiveIndex& mine) {
  pending_.clear();
  found_ = Differences{};
  found_.floor = floor_;
  PlaceRange range;
  for (const std::uint64_t lane : mine.lanes(kFirstRangesMax)) {
    if (lane != 0) {
      range.last = ArchivePlace{.lane = lane};
      pending_.push_back(range);
      range.first = range.last;
    }
  }
  range.last = kPlacesEnd;
  pending_.push_back(range);
}

std::optional<CompareQuery> ArchiveComparison::next(const ArchiveIndex& mine) {
  if (!std::exchange(begun_, true)) {
    begin(mine);
  }
  if (pending_.empty()) {
    return std::nullopt;
  }
  CompareQuery query;
  query.floor = floor_;
  asked_ = std::min(pending_.size(), kAskedRangesMax);
  for (std::size_t i = 0; i < asked_; ++i) {
    query.ranges.push_back({pending_[i], mine.summarize(pending_[i], floor_)});
  }
  return query;
}

Result<void> ArchiveComparison::take(const ArchiveIndex& mine, const CompareAnswer& answer) {
  if (answer.ranges.empty() || answer.ranges.size() > asked_ || answer.floor < floor_) {
    return protocol_error("an answer to something else");
  }
  if (++rounds_ > kRoundsMax) {
    return protocol_error("it does not come to an end");
  }
  if (answer.floor > floor_) {  // its retention has gone on: what we asked about is not the same
    floor_ = answer.floor;
    begin(mine);
    return {};
  }
  narrowed_.clear();
  for (std::size_t i = 0; i < answer.ranges.size(); ++i) {
    TRY(take_range(mine, pending_[i], answer.ranges[i]));
  }
  pending_.erase(pending_.begin(),
                 pending_.begin() + static_cast<std::ptrdiff_t>(answer.ranges.size()));
  pending_.insert(pending_.begin(), narrowed_.begin(), narrowed_.end());
  if (is_full() && !pending_.empty()) {
    found_.more = true;
    pending_.clear();
  }
  return {};
}

Result<void> ArchiveComparison::take_range(const ArchiveIndex& mine, const PlaceRange& range,
                                           const RangeAnswer& answer) {
  if (const auto* split = std::get_if<SplitRange>(&answer)) {
    return take_parts(mine, range, *split);
  }
  if (const auto* listed = std::get_if<ListedRange>(&answer)) {
    return take_items(mine, range, *listed);
  }
  return {};
}

Result<void> ArchiveComparison::take_parts(const ArchiveIndex& mine, const PlaceRange& range,
                                           const SplitRange& split) {
  if (split.parts.size() < 2 || split.parts.size() > kRangePartsMax ||
      split.cuts.size() != split.parts.size() - 1) {
    return protocol_error("a range in " + std::to_string(split.parts.size()) + " parts");
  }
  PlaceRange part{range.first, range.last};
  for (std::size_t i = 0; i < split.parts.size(); ++i) {
    part.last = i < split.cuts.size() ? split.cuts[i] : range.last;
    if (part.last <= part.first) {
      return protocol_error("parts out of order");
    }
    const RangeSummary ours = mine.summarize(part, floor_);
    if (split.parts[i].count == 0) {
      mine.visit(part, floor_, [&](const ArchivePlace& place, const ArchiveIndex::Entry&) {
        add_missing(found_.missing_there, place);
        return found_.missing_there.size() < kDifferencesMax || !found_.more
                   ? ArchiveIndex::Visit::kGoOn
                   : ArchiveIndex::Visit::kStop;
      });
    } else if (ours.count == 0 && found_.missing_here.size() >= kDifferencesMax) {
      found_.more = true;
    } else if (ours != split.parts[i]) {
      narrowed_.push_back(part);
    }
    part.first = part.last;
  }
  return {};
}

Result<void> ArchiveComparison::take_items(const ArchiveIndex& mine, const PlaceRange& range,
                                           const ListedRange& listed) {
  if (listed.items.size() > kRangeListedMax) {
    return protocol_error("a list of " + std::to_string(listed.items.size()));
  }
  for (std::size_t i = 0; i < listed.items.size(); ++i) {
    const ArchivePlace& place = listed.items[i].place;
    const bool in_order = i == 0 || listed.items[i - 1].place < place;
    if (!in_order || place < range.first || place >= range.last || place.is_below(floor_) ||
        !place.name().has_value()) {
      return protocol_error("a name that has no place in the list");
    }
  }
  auto theirs = listed.items.begin();
  mine.visit(range, floor_, [&](const ArchivePlace& place, const ArchiveIndex::Entry& entry) {
    for (; theirs != listed.items.end() && theirs->place < place; ++theirs) {
      add_missing(found_.missing_here, theirs->place);
    }
    if (theirs == listed.items.end() || place < theirs->place) {
      add_missing(found_.missing_there, place);
      return ArchiveIndex::Visit::kGoOn;
    }
    if (entry.key.known() && theirs->key.known() && entry.key != theirs->key &&
        found_.conflicting.size() < kDifferencesMax) {
      found_.conflicting.push_back(
          {*place.name(), entry.key.start_of_hash(), theirs->key.start_of_hash()});
    }
    ++theirs;
    return ArchiveIndex::Visit::kGoOn;
  });
  for (; theirs != listed.items.end(); ++theirs) {
    add_missing(found_.missing_here, theirs->place);
  }
  return {};
}

void ArchiveComparison::add_missing(std::vector<WalName>& list, const ArchivePlace& place) {
  if (list.size() < kDifferencesMax) {
    list.push_back(*place.name());
  } else {
    found_.more = true;
  }
}

bool ArchiveComparison::is_full() const {
  return found_.missing_there.size() >= kDifferencesMax &&
         found_.missing_here.size() >= kDifferencesMax;
}

// Parts that are known at once are found before those that have to be asked about.
Differences ArchiveComparison::result() && {
  found_.by_content = true;
  std::sort(found_.missing_there.begin(), found_.missing_there.end());
  std::sort(found_.missing_here.begin(), found_.missing_here.end());
  return std::move(found_);
}

}  // namespace pgwalship
