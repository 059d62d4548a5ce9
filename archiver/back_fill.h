// Decides which files of the own server's pg_wal are archived without being asked: those that
// PostgreSQL has put a mark on and that the archive lacks. A standby marks what it has streamed as
// done, and nobody ever archives it: when the primary died before it did, this is the only copy,
// and the checkpoint after the promotion recycles it (H41). So there is no waiting: a file is read
// as soon as its mark is seen.
//
// Pure: events and `now` in, actions out. Memory and time grow with the marks, linearly (H19): a
// name that the archive was found to hold is never asked for again while its mark stays.
//
// Whoever carries the actions out promises: ListPgWal gives PgWalListed once; ExamineFile gives
// FileExamined once.
#pragma once

#include "archiver/shipper_events.h"
#include "base/clock.h"
#include "base/file_system.h"
#include "wal/data_directory.h"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

namespace pgwalship {

// A look at all marks. A segment takes longer to fill than this; a hint brings it forward.
inline constexpr std::chrono::seconds kPgWalScanInterval{1};
// At the soonest after the last listing.
inline constexpr std::chrono::milliseconds kHintedScanInterval{100};
// Each look costs as much as there are marks: so many times as long as it took there is none (H19).
inline constexpr int kScanRest = 10;
// The worker has the next one at hand when it is done with one.
inline constexpr std::size_t kExaminedAtOnceMax = 2;
inline constexpr std::chrono::seconds kBackFillRetryMin{1};
inline constexpr std::chrono::seconds kBackFillRetryMax{30};

struct PgWalMarks {
  bool in_recovery = false;
  std::vector<ArchiveMark> marks;  // in archiving order
};
struct PgWalListed {
  Result<PgWalMarks> marks;
  Duration took{};
};
struct PgWalHint {};  // something happened there
struct FileExamined {
  enum class Outcome {
    kStored,      // archived now
    kThere,       // the archive has a file of that name, or has expired it
    kUnfinished,  // it ends in the middle, or changed while it was read
    kGone,        // neither pg_wal nor the archive has it
    kFailed,
  };
  WalName name;
  Outcome outcome = Outcome::kFailed;
  std::optional<Error> error;    // with kFailed
  std::optional<FileStat> seen;  // with kUnfinished: as it was
};
struct BackFillTick {};
using BackFillEvent = std::variant<PgWalListed, PgWalHint, FileExamined, BackFillTick>;

struct ListPgWal {};
struct ExamineFile {
  WalName name;
  std::optional<FileStat> unless_still;  // kUnfinished without reading when it looks like this
};
struct ArchiveHasGrown {};  // this archive has a file that no peer may have
using BackFillAction = std::variant<ListPgWal, ExamineFile, ArchiveHasGrown, Report>;
using BackFillActions = std::vector<BackFillAction>;

class BackFill {
 public:
  // Whose business files are that are marked `.ready`: look-ahead's, when that is on.
  enum class Ready { kMine, kOthers };

  explicit BackFill(Ready ready = Ready::kMine) : ready_(ready) {}

  BackFillActions step(const BackFillEvent& event, TimePoint now);
  TimePoint next_wakeup() const;

  struct View {
    std::uint64_t stored = 0;
    std::uint64_t missed = 0;     // recycled before they could be read
    std::uint64_t conflicts = 0;  // the archive holds other content
    std::size_t waiting = 0;
    std::string last_name;   // stored
    std::string last_error;  // empty when all is well
  };
  const View& view() const { return view_; }

 private:
  struct Item {
    enum class State { kWaiting, kInFlight, kUnfinished, kSettled };
    State state = State::kWaiting;
    bool marked = true;  // was in the last listing
    bool fresh = false;  // was not in the first one
    std::optional<FileStat> seen;
  };

  void on(const PgWalListed& event, TimePoint now);
  void on(const PgWalHint& event, TimePoint now);
  void on(const FileExamined& event, TimePoint now);
  void on(const BackFillTick& event, TimePoint now);

  bool is_wanted(const ArchiveMark& mark, const PgWalMarks& marks) const;
  void take(const PgWalMarks& marks);
  void on_failure(const WalName& name, Item& item, const Error& error, TimePoint now);
  void fill(TimePoint now);
  void report(Gravity gravity, std::string line);

  const Ready ready_;
  std::map<WalName, Item> items_;  // of the last listing, and what is in flight
  std::set<WalName> waiting_;
  std::size_t in_flight_ = 0;
  bool listing_ = false;
  bool hinted_ = false;  // while listing: look once more
  bool first_listing_ = true;
  bool unreadable_ = false;
  bool in_trouble_ = false;  // reported, and nothing stored since
  TimePoint scan_at_{};
  TimePoint listed_at_{};
  Duration hinted_interval_{kHintedScanInterval};
  TimePoint retry_at_{};
  Duration retry_delay_{kBackFillRetryMin};
  View view_;
  BackFillActions actions_;
};

}  // namespace pgwalship
