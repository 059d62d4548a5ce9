#include "wal/segment_difference.h"

#include "base/check.h"

#include <algorithm>
#include <charconv>

namespace pgwalship {
namespace {

// A history of 10,000 timelines, and many times a backup label.
constexpr std::size_t kTextBytesMax = std::size_t{1} << 20;
// Enough to see what a line is; a reason in a history file can be any text.
constexpr std::size_t kShownLineMax = 160;

std::string_view next_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

std::string printable(std::string_view line) {
  std::string shown(line.substr(0, kShownLineMax));
  std::replace_if(
      shown.begin(), shown.end(),
      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }, ' ');
  return shown;
}

// The last line that says something: "parent <tab> LSN <tab> reason".
std::optional<Difference::Fork> last_fork(std::string_view text) {
  std::optional<Difference::Fork> fork;
  while (!text.empty()) {
    const std::string_view line = next_line(text);
    std::uint32_t parent = 0;
    const auto [rest, failure] = std::from_chars(line.data(), line.data() + line.size(), parent);
    if (failure != std::errc()) {
      continue;
    }
    std::string_view after(rest, static_cast<std::size_t>(line.data() + line.size() - rest));
    after.remove_prefix(std::min(after.find_first_not_of(" \t"), after.size()));
    fork = Difference::Fork{parent, printable(after.substr(0, after.find_first_of(" \t")))};
  }
  return fork;
}

}  // namespace

void ContentComparison::write(ByteView kept, ByteView refused) {
  CHECK(kept.size() == refused.size());
  if (!differ_) {
    const auto [at, other] = std::mismatch(kept.begin(), kept.end(), refused.begin());
    const auto equal = static_cast<std::size_t>(at - kept.begin());
    feed(Side::kKept, kept.first(equal));
    feed(Side::kRefused, kept.first(equal));
    equal_bytes_ += equal;
    if (equal == kept.size()) {
      return;
    }
    differ_here();
    kept = kept.subspan(equal);
    refused = refused.subspan(equal);
  }
  feed(Side::kKept, kept);
  feed(Side::kRefused, refused);
}

void ContentComparison::write_rest(Side side, ByteView bytes) {
  if (!differ_ && !bytes.empty()) {
    differ_here();
  }
  feed(side, bytes);
}

void ContentComparison::differ_here() {
  differ_ = true;
  place_ = kept_walk_.place();  // up to here both walks are the same
}

void ContentComparison::feed(Side side, ByteView bytes) {
  if (is_wal_) {
    (side == Side::kKept ? kept_walk_ : refused_walk_).write(bytes);
    return;
  }
  std::string& text = side == Side::kKept ? kept_text_ : refused_text_;
  text += as_text(bytes.first(std::min(bytes.size(), kTextBytesMax - text.size())));
}

Difference ContentComparison::finish() {
  Difference difference;
  if (!differ_) {
    difference.kind = Difference::Kind::kIdentical;
  } else if (is_wal_) {
    kept_walk_.finish();
    refused_walk_.finish();
    difference = judge_records();
    difference.kept_end = kept_walk_.end();
    difference.refused_end = refused_walk_.end();
  } else {
    difference = judge_text();
  }
  difference.first_byte = equal_bytes_;
  return difference;
}

Difference ContentComparison::judge_records() const {
  using Kind = RecordWalk::Place::Kind;
  Difference difference;
  // Where a record must be for the differing byte to matter.
  const std::uint64_t start = kept_walk_.start_lsn();
  const std::uint64_t at = place_.kind == Kind::kBefore ? start
                           : place_.record != 0         ? place_.record
                                                        : start + equal_bytes_;
  const std::uint64_t kept_end = kept_walk_.records_end();
  const std::uint64_t refused_end = refused_walk_.records_end();
  const bool kept_goes_on = place_.kind != Kind::kUnused && kept_end > at;
  const bool refused_goes_on = place_.kind != Kind::kUnused && refused_end > at;
  const std::uint64_t common_end = std::min(kept_end, refused_end);
  if (kept_goes_on && refused_goes_on) {
    // Where one goes on with the record, the other may have given it up.
    const bool given_up = place_.record != 0 && (kept_walk_.given_up_record() == place_.record ||
                                                 refused_walk_.given_up_record() == place_.record);
    if (place_.kind == Kind::kRecord || place_.kind == Kind::kBefore || given_up) {
      difference.kind = Difference::Kind::kDiverged;
      difference.lsn = at;
      difference.began_before = place_.kind == Kind::kBefore;
      difference.unfinished =
          given_up || (place_.kind == Kind::kRecord && (kept_walk_.continued_record() == at ||
                                                        refused_walk_.continued_record() == at));
    }
    return difference;
  }
  // Content in which no record can be read proves nothing.
  if (common_end == start) {
    return difference;
  }
  difference.lsn = common_end;
  if (kept_goes_on || refused_goes_on) {
    difference.kind = Difference::Kind::kPrefix;
    difference.shorter = kept_goes_on ? Side::kRefused : Side::kKept;
  } else if (kept_walk_.records() > 0 && start + equal_bytes_ >= common_end) {
    difference.kind = Difference::Kind::kSameRecords;
  }
  return difference;
}

Difference ContentComparison::judge_text() const {
  Difference difference;
  std::string_view kept = kept_text_;
  std::string_view refused = refused_text_;
  if (kept == refused) {
    return difference;  // only beyond what any such file has
  }
  difference.kind = Difference::Kind::kText;
  if (kind_ == WalKind::kHistory) {
    difference.kept_fork = last_fork(kept);
    difference.refused_fork = last_fork(refused);
  }
  while (!kept.empty() || !refused.empty()) {
    ++difference.line;
    const std::string_view kept_line = next_line(kept);
    const std::string_view refused_line = next_line(refused);
    difference.kept_line = printable(kept_line);
    difference.refused_line = printable(refused_line);
    if (kept_line != refused_line) {
      break;
    }
  }
  return difference;
}

namespace {

struct Content {
  const PieceSource& next;
  ByteView piece;
  bool ended = false;

  Result<void> refill() {
    if (piece.empty() && !ended) {
      TRY_ASSIGN(piece, next());
      ended = piece.empty();
    }
    return {};
  }
};

}  // namespace

Result<Difference> compare_contents(const WalName& name, const PieceSource& kept,
                                    const PieceSource& refused) {
  ContentComparison comparison(name);
  Content ours{kept, {}};
  Content theirs{refused, {}};
  while (true) {
    TRY(ours.refill());
    TRY(theirs.refill());
    if (ours.ended && theirs.ended) {
      return comparison.finish();
    }
    if (ours.ended || theirs.ended) {
      Content& longer = ours.ended ? theirs : ours;
      comparison.write_rest(ours.ended ? Side::kRefused : Side::kKept,
                            std::exchange(longer.piece, {}));
      continue;
    }
    const std::size_t both = std::min(ours.piece.size(), theirs.piece.size());
    comparison.write(ours.piece.first(both), theirs.piece.first(both));
    ours.piece = ours.piece.subspan(both);
    theirs.piece = theirs.piece.subspan(both);
  }
}

}  // namespace pgwalship
