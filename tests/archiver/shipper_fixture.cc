#include "tests/archiver/shipper_fixture.h"

#include <algorithm>

namespace pgwalship {

void ShipperTest::cluster(const Setup& setup) {
  nodes_ = setup.nodes;
  sent_.clear();
  open_.clear();
  pulls_.clear();
  open_pulls_.clear();
  reports_.clear();
  asked_.clear();
  verdicts_.clear();
  shipper_.emplace(Shipper::Options{NodeList{setup.nodes, a}, Quorum::parse(setup.quorum).value(),
                                    setup.on_quorum_loss, setup.pg_wal_minimum_free});
}

void ShipperTest::at(double seconds) {
  now_ = start_ + std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
  step(Tick{});
}

void ShipperTest::submit(PushId push, const WalName& name, char content, LocalName local_name) {
  Sha256 sha256;
  sha256.bytes.fill(static_cast<std::byte>(content));
  step(PushSubmitted{push, name, sha256, now_ + std::chrono::seconds(15), local_name});
}

void ShipperTest::stored(PushId push, Result<PutOutcome> result) {
  step(LocalStored{push, std::move(result)});
}

void ShipperTest::lose(NodeId peer, const std::string& reason) {
  open_[peer].clear();
  step(PeerLost{peer, reason});
}

void ShipperTest::answer(NodeId peer, const WalName& name, Result<PutOutcome> result) {
  std::vector<Open>& open = open_[peer];
  const auto found =
      std::find_if(open.begin(), open.end(), [&](const Open& o) { return o.name == name; });
  ASSERT_NE(found, open.end()) << name.text() << " is not on its way to " << nodes_[peer].name;
  const TransferId transfer = found->transfer;
  open.erase(found);
  step(FileAnswered{peer, transfer, std::move(result)});
}

void ShipperTest::compared(NodeId peer, Result<Listing> mine, Result<Listing> theirs,
                           std::optional<bool> peer_reconciled) {
  compared_as(peer,
              !mine.ok()     ? Result<Differences>(mine.error())
              : !theirs.ok() ? Result<Differences>(theirs.error())
                             : compare_names(mine.value(), theirs.value(), floor_),
              peer_reconciled);
}

void ShipperTest::compared_as(NodeId peer, Result<Differences> differences,
                              std::optional<bool> peer_reconciled) {
  step(Compared{peer, self_reconciled_, std::move(differences), peer_reconciled, evidence_from_,
                self_vanished_, peer_vanished_[peer]});
}

void ShipperTest::pulled(const WalName& name, Result<PutOutcome> result, PullFault fault) {
  const auto found = std::find_if(open_pulls_.begin(), open_pulls_.end(),
                                  [&](const Open& o) { return o.name == name; });
  ASSERT_NE(found, open_pulls_.end()) << name.text() << " is not being pulled";
  const TransferId transfer = found->transfer;
  open_pulls_.erase(found);
  step(FilePulled{transfer, std::move(result), fault});
}

void ShipperTest::told(NodeId peer, Result<void> result) {
  step(ReconciledAnswered{peer, std::move(result)});
}

void ShipperTest::up(NodeId peer) {
  greet(peer);
  compared(peer);
  ASSERT_EQ(state(peer), PeerState::kCurrent);
}

std::string ShipperTest::verdict(PushId push) const {
  const auto found = verdicts_.find(push);
  return found == verdicts_.end() ? "none" : found->second;
}

double ShipperTest::next_wakeup() const {
  const TimePoint next = shipper_->next_wakeup();
  return next == kNever ? -1 : std::chrono::duration<double>(next - start_).count();
}

WalName ShipperTest::segment(std::uint32_t number) {
  constexpr std::uint32_t kBytes = 16U << 20U;
  return WalName::segment_at(1, std::uint64_t{number} * kBytes, kBytes);
}

WalName ShipperTest::history(const std::string& timeline) {
  return WalName::parse("0000000" + timeline + ".history").value();
}

ShipperTest::Listing ShipperTest::segments(std::uint32_t first, std::uint32_t last) {
  Listing listing;
  for (std::uint32_t number = first; number <= last; ++number) {
    listing.push_back(segment(number));
  }
  return listing;
}

std::string ShipperTest::short_name(const WalName& name) {
  return name.kind() == WalKind::kSegment ? std::to_string(name.seg()) : name.text();
}

void ShipperTest::step(const ShipperEvent& event) {
  for (const ShipperAction& action : shipper_->step(event, now_)) {
    std::visit([this](const auto& it) { note(it); }, action);
  }
}

void ShipperTest::note(const StoreLocally& action) {
  asked_.push_back("store " + std::to_string(action.push));
}

void ShipperTest::note(const SendFile& action) {
  sent_[action.peer].push_back((action.fresh ? "fresh " : "catch-up ") + short_name(action.name));
  open_[action.peer].push_back(Open{action.transfer, action.name});
  source_[short_name(action.name)] = action.staged;
}

void ShipperTest::note(const PullFile& action) {
  pulls_.push_back(short_name(action.name) + (action.conflict ? " of " : " from ") +
                   nodes_[action.peer].name + (action.conflict ? ", a conflict" : ""));
  open_pulls_.push_back(Open{action.transfer, action.name});
}

void ShipperTest::note(const Compare& action) {
  asked_.push_back("compare " + nodes_[action.peer].name);
}

std::string ShipperTest::mark_text(std::uint64_t mark) {
  return mark == 0 ? "" : " whole but for " + std::to_string(mark);
}

void ShipperTest::note(const TellReconciled& action) {
  const std::string from = action.from == 0 ? "" : " from " + position_text(action.from);
  asked_.push_back("tell " + nodes_[action.peer].name + from + mark_text(action.vanished));
}

void ShipperTest::note(const MarkReconciled& action) {
  const std::string from = action.from == 0 ? "" : " from " + position_text(action.from);
  asked_.push_back("mark a" + from + mark_text(action.vanished));
}

void ShipperTest::note(const Reply& action) {
  EXPECT_FALSE(verdicts_.contains(action.push)) << "a second verdict";
  const Result<std::string>& verdict = action.verdict;
  verdicts_[action.push] =
      verdict.ok() ? "ok" + (verdict.value().empty() ? "" : ": " + verdict.value())
                   : std::string(to_word(verdict.error().code)) + ": " + verdict.error().message;
}

void ShipperTest::note(const Report& action) {
  const char* gravity = action.gravity == Gravity::kInfo      ? "info: "
                        : action.gravity == Gravity::kWarning ? "warning: "
                                                              : "error: ";
  reports_.push_back(gravity + action.line);
}

}  // namespace pgwalship
