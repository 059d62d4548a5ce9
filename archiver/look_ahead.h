// Decides which files of the own server's pg_wal are shipped before its archiver hands them over:
// those that are marked `.ready`, in archiving order, several at a time (H19, H20). A push of such
// a file is then answered at once, and while archive_command cannot be executed at all, the files
// get to safety all the same (H50).
//
// A file counts as shipped when the local archive and the quorum hold what was read from it, and as
// the file that a client has in its hand only when every field of its stamp is the one that was
// seen before and after it was read: a server does not write to a file that it has marked, but a
// crash can make one do it (H18). What the stamp does not prove is pushed by its client as ever.
//
// Pure: events and `now` in, actions out. Time and memory grow with the marks, linearly; files on
// their way are at most Options::in_flight_max.
//
// Whoever carries the actions out promises: ReadAhead gives AheadRead once; ShipAhead, for a file
// that was read, gives AheadShipped once, and DropAhead forgets it; AnswerClaim goes to the client.
#pragma once

#include "archiver/shipper_events.h"
#include "base/clock.h"
#include "base/file_system.h"
#include "wal/archive_index.h"
#include "wal/pg_wal_file.h"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace pgwalship {

// After a file that could not be shipped: one at a time, until one gets through.
inline constexpr std::chrono::seconds kAheadRetryMin{1};
inline constexpr std::chrono::seconds kAheadRetryMax{10};
// Two writes within this time may leave a file with the same time of change: the kernel's clock for
// it ticks every 10 ms at the slowest. A client that waits for a younger file pushes it sooner.
inline constexpr std::chrono::milliseconds kStampTick{20};
// A client that was told to push by itself has begun by then, or is gone.
inline constexpr std::chrono::seconds kClientPatience{2};
// So long the server leaves files that are shipped unasked for, before it is said. It tries again
// after a minute at the latest, when its archive_command fails.
inline constexpr std::chrono::seconds kUnaskedTime{120};

using ClaimId = std::uint64_t;

struct ReadyListed {  // all that are marked
  Completeness completeness = Completeness::kTold;
  std::vector<WalName> names;  // in archiving order
};
struct AheadRead {
  enum class Outcome {
    kRead,        // staged, to be shipped
    kYoung,       // just written: its stamp would not tell another write; not read
    kUnfinished,  // it ends in the middle, or has changed meanwhile
    kGone,
    kFailed,
  };
  WalName name;
  Outcome outcome = Outcome::kFailed;
  std::optional<Error> error;     // with kFailed
  std::optional<FileStat> stamp;  // kRead: nothing when the clock is behind the file's times
  ContentKey content;             // kRead
};
struct AheadShipped {
  WalName name;
  Result<std::string> verdict;  // as of a push
};
struct Claimed {  // a client has that file in its hand, and asks whether it is safe already
  ClaimId claim;
  WalName name;
  FileStat stamp;
  std::optional<ContentKey> held;  // what the local archive has by that name now
};
struct ClaimDropped {  // the client has gone
  ClaimId claim;
};
struct ClientBegan {  // pushes it
  WalName name;
};
struct ClientEnded {
  WalName name;
};
// A node's archive was replaced: what was shipped may be on too few nodes.
struct HoldingsLost {};
struct StopAhead {};  // the daemon ends: nothing is begun any more
struct AheadTick {};
using LookAheadEvent = std::variant<ReadyListed, AheadRead, AheadShipped, Claimed, ClaimDropped,
                                    ClientBegan, ClientEnded, HoldingsLost, StopAhead, AheadTick>;

struct ReadAhead {
  WalName name;
  Completeness completeness = Completeness::kTold;
};
struct ShipAhead {
  WalName name;
};
struct DropAhead {
  WalName name;
};
struct AnswerClaim {
  ClaimId claim;
  std::optional<Result<std::string>> verdict;  // nothing: push it
};
using LookAheadAction = std::variant<ReadAhead, ShipAhead, DropAhead, AnswerClaim, Report>;
using LookAheadActions = std::vector<LookAheadAction>;

class LookAhead {
 public:
  struct Options {
    std::size_t in_flight_max = 0;
  };

  explicit LookAhead(Options options) : options_(options) {}

  LookAheadActions step(const LookAheadEvent& event, TimePoint now);
  TimePoint next_wakeup() const;

  struct View {
    std::size_t waiting = 0;                 // to be shipped
    std::size_t in_flight = 0;               // being read or sent
    std::size_t ahead = 0;                   // shipped, and the server has not asked for them yet
    std::uint64_t shipped = 0;               // since the start
    std::uint64_t answered = 0;              // pushes that were answered at once
    std::optional<TimePoint> unasked_since;  // the server asks for nothing, although files wait
    std::string last_name;                   // shipped
    std::string last_error;                  // empty when all is well
  };
  const View& view() const { return view_; }

 private:
  enum class State {
    kWaiting,   // leaves to kReading
    kReading,   // leaves to kShipping, kWaiting (trouble), kLeft
    kShipping,  // leaves to kAhead, kWaiting, kLeft
    kAhead,     // on the quorum
    kClients,   // a client pushes it; back to kWaiting when that has ended
    kLeft,      // not for us: wrong, refused, or gone. Until its mark goes.
  };
  struct Item {
    State state = State::kWaiting;
    bool marked = true;             // was in the last listing
    std::size_t clients = 0;        // that push it now
    std::optional<FileStat> stamp;  // as it was read, and with it:
    ContentKey content;
    std::map<ClaimId, FileStat> claims;  // that wait for it
    TimePoint not_before{};
  };
  using Items = std::map<WalName, Item>;

  void on(const ReadyListed& event, TimePoint now);
  void on(const AheadRead& event, TimePoint now);
  void on(const AheadShipped& event, TimePoint now);
  void on(const Claimed& event, TimePoint now);
  void on(const ClaimDropped& event, TimePoint now);
  void on(const ClientBegan& event, TimePoint now);
  void on(const ClientEnded& event, TimePoint now);
  void on(const HoldingsLost& event, TimePoint now);
  void on(const StopAhead& event, TimePoint now);
  void on(const AheadTick& event, TimePoint now);

  Item& in_flight(const WalName& name, State state);
  void become(const WalName& name, Item& item, State state);
  void wait(const WalName& name, Item& item, TimePoint not_before);
  void answer(Item& item, const std::optional<Result<std::string>>& verdict);
  void decline_others(Item& item);
  void fail(const WalName& name, Item& item, const Error& error, TimePoint now);
  void forget_if_over(const WalName& name);
  std::size_t places() const;
  void fill(TimePoint now);
  void note_asked(TimePoint now);
  void note_unasked(TimePoint now);
  void report(Gravity gravity, std::string line);

  const Options options_;
  Items items_;                                      // all that are marked, and what is on its way
  std::set<WalName> waiting_;                        // ready to be begun
  std::set<std::pair<TimePoint, WalName>> delayed_;  // kWaiting too, until then: few
  std::map<ClaimId, WalName> claims_;                // that wait
  std::size_t in_flight_ = 0;
  std::size_t ahead_ = 0;
  Completeness completeness_ = Completeness::kTold;
  bool stopped_ = false;
  bool in_trouble_ = false;  // reported, and nothing shipped since
  bool unasked_told_ = false;
  TimePoint retry_at_{};
  Duration retry_delay_{kAheadRetryMin};
  TimePoint asked_at_{};  // or begun to wait for being asked
  View view_;
  LookAheadActions actions_;
};

}  // namespace pgwalship
