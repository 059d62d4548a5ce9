#include "archiver/look_ahead.h"

#include "base/words.h"

#include <algorithm>

namespace pgwalship {

LookAheadActions LookAhead::step(const LookAheadEvent& event, TimePoint now) {
  actions_.clear();
  std::visit([&](const auto& e) { on(e, now); }, event);
  while (!delayed_.empty() && delayed_.begin()->first <= now) {
    waiting_.insert(delayed_.begin()->second);
    delayed_.erase(delayed_.begin());
  }
  fill(now);
  note_unasked(now);
  view_.waiting = waiting_.size() + delayed_.size();
  view_.in_flight = in_flight_;
  view_.ahead = ahead_;
  return std::exchange(actions_, {});
}

TimePoint LookAhead::next_wakeup() const {
  TimePoint next = delayed_.empty() ? kNever : delayed_.begin()->first;
  if (!waiting_.empty() && in_flight_ < places()) {
    next = std::min(next, retry_at_);
  }
  if (ahead_ > 0 && !view_.unasked_since) {
    next = std::min<TimePoint>(next, asked_at_ + kUnaskedTime);
  }
  return next;
}

// Events ---------------------------------------------------------------------------------------

void LookAhead::on(const ReadyListed& event, TimePoint now) {
  completeness_ = event.completeness;
  // Both are in the same order: one walk through them.
  auto at = items_.begin();
  bool taken_up = false;  // by its server
  const auto leave_out = [&] {
    at->second.marked = false;
    taken_up = taken_up || at->second.state == State::kAhead;
    const WalName gone = (at++)->first;
    forget_if_over(gone);
  };
  for (const WalName& name : event.names) {
    while (at != items_.end() && at->first < name) {
      leave_out();
    }
    if (at == items_.end() || at->first != name) {
      at = items_.emplace_hint(at, name, Item{});
      waiting_.insert(name);
    }
    at->second.marked = true;
    ++at;
  }
  while (at != items_.end()) {
    leave_out();
  }
  if (taken_up) {
    note_asked(now);
  }
}

void LookAhead::on(const AheadRead& event, TimePoint now) {
  Item& item = in_flight(event.name, State::kReading);
  switch (event.outcome) {
    case AheadRead::Outcome::kRead:
      if (item.clients > 0 || !item.marked) {
        actions_.emplace_back(DropAhead{event.name});
        answer(item, std::nullopt);
        become(event.name, item, State::kClients);
      } else {
        item.stamp = event.stamp;
        item.content = event.content;
        decline_others(item);
        become(event.name, item, State::kShipping);
        actions_.emplace_back(ShipAhead{event.name});
      }
      break;
    case AheadRead::Outcome::kYoung:
      answer(item, std::nullopt);
      wait(event.name, item, now + kStampTick);
      break;
    case AheadRead::Outcome::kUnfinished:
      answer(item, std::nullopt);
      wait(event.name, item, now + kAheadRetryMax);
      break;
    case AheadRead::Outcome::kGone:
      answer(item, std::nullopt);
      become(event.name, item, State::kLeft);
      break;
    case AheadRead::Outcome::kFailed:
      answer(item, std::nullopt);  // its own push says what is wrong with it
      fail(event.name, item, *event.error, now);
      break;
  }
  forget_if_over(event.name);
}

void LookAhead::on(const AheadShipped& event, TimePoint now) {
  Item& item = in_flight(event.name, State::kShipping);
  answer(item, event.verdict);
  if (!event.verdict.ok()) {
    fail(event.name, item, event.verdict.error(), now);
  } else if (!event.verdict.value().empty()) {
    // Not quite what was asked for: its server's own push is told so.
    become(event.name, item, State::kLeft);
  } else {
    become(event.name, item, State::kAhead);
    ++view_.shipped;
    view_.last_name = event.name.text();
    view_.last_error.clear();
    retry_delay_ = kAheadRetryMin;
    if (std::exchange(in_trouble_, false)) {
      report(Gravity::kInfo, "look-ahead: segments get through again");
    }
    if (ahead_ == 1) {
      asked_at_ = now;
    }
  }
  forget_if_over(event.name);
}

void LookAhead::on(const Claimed& event, TimePoint now) {
  note_asked(now);
  const auto found = items_.find(event.name);
  const State state = found == items_.end() ? State::kLeft : found->second.state;
  const bool is_it = found != items_.end() && found->second.stamp == event.stamp;
  if (state == State::kReading || (state == State::kShipping && is_it)) {
    found->second.claims.emplace(event.claim, event.stamp);
    claims_.emplace(event.claim, event.name);
    return;
  }
  // A bad copy goes to quarantine, and a conflict may be decided for the other content: what was
  // shipped once is no reason then to let the server's own copy go.
  const bool is_held = state == State::kAhead && found->second.content == event.held;
  if (is_held && is_it) {
    ++view_.answered;
    actions_.emplace_back(AnswerClaim{event.claim, Result<std::string>(std::string())});
    return;
  }
  if (state == State::kWaiting || (state == State::kAhead && !is_held)) {
    wait(event.name, found->second, now + kClientPatience);
  }
  actions_.emplace_back(AnswerClaim{event.claim, std::nullopt});
}

void LookAhead::on(const ClaimDropped& event, TimePoint) {
  const auto claim = claims_.find(event.claim);
  if (claim != claims_.end()) {
    items_.at(claim->second).claims.erase(event.claim);
    claims_.erase(claim);
  }
}

void LookAhead::on(const ClientBegan& event, TimePoint now) {
  note_asked(now);
  const auto [at, is_new] = items_.try_emplace(event.name);
  Item& item = at->second;
  item.marked = item.marked && !is_new;
  ++item.clients;
  if (item.state != State::kReading && item.state != State::kShipping) {
    become(event.name, item, State::kClients);
  }
}

void LookAhead::on(const ClientEnded& event, TimePoint now) {
  Item& item = items_.at(event.name);
  CHECK(item.clients > 0);
  --item.clients;
  if (item.clients == 0 && item.state == State::kClients) {
    wait(event.name, item, now + kClientPatience);
  }
  forget_if_over(event.name);
}

void LookAhead::on(const HoldingsLost&, TimePoint now) {
  for (auto& [name, item] : items_) {
    if (item.state == State::kAhead) {
      wait(name, item, now);
    }
  }
}

void LookAhead::on(const StopAhead&, TimePoint) {
  stopped_ = true;
}

void LookAhead::on(const AheadTick&, TimePoint) {}

// Decisions ------------------------------------------------------------------------------------

LookAhead::Item& LookAhead::in_flight(const WalName& name, State state) {
  Item& item = items_.at(name);
  CHECK(item.state == state);
  return item;
}

void LookAhead::become(const WalName& name, Item& item, State state) {
  const auto flies = [](State s) { return s == State::kReading || s == State::kShipping; };
  const auto count = [&](std::size_t& counter, bool was, bool is) {
    counter = counter + (is ? 1 : 0) - (was ? 1 : 0);
  };
  count(in_flight_, flies(item.state), flies(state));
  count(ahead_, item.state == State::kAhead, state == State::kAhead);
  if (item.state == State::kWaiting) {
    waiting_.erase(name);
    delayed_.erase({item.not_before, name});
  }
  item.state = state;
}

void LookAhead::wait(const WalName& name, Item& item, TimePoint not_before) {
  become(name, item, State::kWaiting);
  item.not_before = not_before;
  delayed_.emplace(not_before, name);
}

void LookAhead::answer(Item& item, const std::optional<Result<std::string>>& verdict) {
  for (const auto& [claim, stamp] : std::exchange(item.claims, {})) {
    claims_.erase(claim);
    view_.answered += verdict && verdict->ok() ? 1 : 0;
    actions_.emplace_back(AnswerClaim{claim, verdict});
  }
}

// Claims that waited until it was known what was read.
void LookAhead::decline_others(Item& item) {
  std::erase_if(item.claims, [&](const auto& entry) {
    const auto& [claim, stamp] = entry;
    if (item.stamp == stamp) {
      return false;
    }
    claims_.erase(claim);
    actions_.emplace_back(AnswerClaim{claim, std::nullopt});
    return true;
  });
}

// The push of its server says what is wrong with a file; here it is enough to leave that alone.
void LookAhead::fail(const WalName& name, Item& item, const Error& error, TimePoint now) {
  view_.last_error = name.text() + ": " + error.message;
  if (error.code == Errc::kConflict || error.code == Errc::kInvalid) {
    become(name, item, State::kLeft);
    return;
  }
  if (!std::exchange(in_trouble_, true)) {
    report(Gravity::kWarning, "look-ahead: " + name.text() + ": " + error.text());
  }
  // Others have their turn before it: it may be this file alone that cannot be read.
  wait(name, item, now + 2 * retry_delay_ + kAheadRetryMin);
  retry_at_ = now + retry_delay_;
  retry_delay_ = std::min<Duration>(retry_delay_ * 2, kAheadRetryMax);
}

void LookAhead::forget_if_over(const WalName& name) {
  const auto found = items_.find(name);
  Item& item = found->second;
  if (item.marked || item.clients > 0 || item.state == State::kReading ||
      item.state == State::kShipping) {
    return;
  }
  become(name, item, State::kLeft);
  items_.erase(found);
}

// A history file does not wait for one (H20).
std::size_t LookAhead::places() const {
  const bool is_history = !waiting_.empty() && waiting_.begin()->kind() == WalKind::kHistory;
  return (in_trouble_ ? 1 : options_.in_flight_max) + (is_history ? 1 : 0);
}

void LookAhead::fill(TimePoint now) {
  while (!stopped_ && !waiting_.empty() && in_flight_ < places() && retry_at_ <= now) {
    const WalName name = *waiting_.begin();
    become(name, items_.at(name), State::kReading);
    actions_.emplace_back(ReadAhead{name, completeness_});
  }
}

void LookAhead::note_asked(TimePoint now) {
  asked_at_ = now;
  if (std::exchange(view_.unasked_since, std::nullopt)) {
    report(Gravity::kInfo, "look-ahead: PostgreSQL's archiver is at work again");
  }
}

void LookAhead::note_unasked(TimePoint now) {
  if (ahead_ == 0 || view_.unasked_since || now < asked_at_ + kUnaskedTime) {
    return;
  }
  view_.unasked_since = asked_at_;
  report(Gravity::kWarning,
         "look-ahead: PostgreSQL has asked for nothing although " + counted(ahead_, "file") +
             (ahead_ == 1 ? " waits" : " wait") +
             " for its archive_command; on the quorum they are safe, and pg_wal grows" +
             "\nHINT: PostgreSQL's log and pg_stat_archiver say what its archiver does");
}

void LookAhead::report(Gravity gravity, std::string line) {
  actions_.emplace_back(Report{gravity, std::move(line)});
}

}  // namespace pgwalship
