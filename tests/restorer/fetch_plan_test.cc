#include "restorer/fetch_plan.h"

#include "tests/topology/tables.h"

#include <gtest/gtest.h>

#include <map>
#include <sstream>

namespace pgwalship {
namespace {

using std::chrono::milliseconds;

const TimePoint kStart{std::chrono::hours(1)};

struct Setting {
  NodeList nodes;
  Quorum quorum;
  OnQuorumLoss on_quorum_loss = OnQuorumLoss::kWait;
  FetchPlan::LocalCopy local = FetchPlan::LocalCopy::kAbsent;
  bool self_evidence = true;
  milliseconds wait{0};
  milliseconds settle{0};
  std::vector<std::size_t> open_pulls;
  std::uint64_t turn = 0;
  std::size_t skip = 0;

  FetchPlan plan() const {
    return FetchPlan({.nodes = &nodes,
                      .quorum = &quorum,
                      .on_quorum_loss = on_quorum_loss,
                      .local = local,
                      .self_evidence = self_evidence,
                      .wait = wait,
                      .settle = settle,
                      .open_pulls = open_pulls.empty() ? nullptr : &open_pulls,
                      .turn = turn,
                      .skip = skip},
                     kStart);
  }

  void apply(const TableLine& line) {
    if (line.directive == "nodes") {
      nodes = make_nodes(line.left);
    } else if (line.directive == "quorum") {
      quorum = make_quorum(line.left);
    } else if (line.directive == "on-quorum-loss") {
      on_quorum_loss = line.left == "local" ? OnQuorumLoss::kLocal : OnQuorumLoss::kWait;
    } else if (line.directive == "local") {
      local = line.left == "corrupt"    ? FetchPlan::LocalCopy::kCorrupt
              : line.left == "expired"  ? FetchPlan::LocalCopy::kExpired
              : line.left == "vanished" ? FetchPlan::LocalCopy::kVanished
                                        : FetchPlan::LocalCopy::kAbsent;
      self_evidence = line.left != "unproven" && line.left != "corrupt";
    } else if (line.directive == "wait") {
      wait = milliseconds(std::stoi(line.left));
    } else {
      ADD_FAILURE() << "line " << line.number << ": what is " << line.directive << "?";
    }
  }
};

std::string verdict_word(FetchVerdict verdict) {
  const std::map<FetchVerdict, std::string> words{{FetchVerdict::kFound, "found"},
                                                  {FetchVerdict::kAbsent, "absent"},
                                                  {FetchVerdict::kUnknown, "unknown"},
                                                  {FetchVerdict::kCorrupt, "corrupt"},
                                                  {FetchVerdict::kNoRoom, "no-room"}};
  return words.at(verdict);
}

// A plan that is driven by the words of testdata/fetch_plan.txt.
class Drive {
 public:
  explicit Drive(const Setting& setting) : setting_(setting), plan_(setting_.plan()) {}

  void play(const std::string& events) {
    std::istringstream stream(events);
    for (std::string text; std::getline(stream, text, ',');) {
      const std::vector<std::string> event = words(text);
      ASSERT_FALSE(event.empty());
      if (event[0] == "tick") {
        step(FetchTick{});
      } else if (event[0] == "at") {
        let_pass(kStart + milliseconds(std::stoi(event.at(1))));
      } else {
        step(peer_event(event));
      }
    }
  }

  std::string actions() const { return actions_ + (plan_.ended() ? "" : "open"); }
  const std::optional<FetchEnded>& end() const { return end_; }
  const FetchPlan& plan() const { return plan_; }

 private:
  // As a host would: a tick at each time the plan asks for.
  void let_pass(TimePoint until) {
    for (int turns = 0; plan_.next_wakeup() <= until; ++turns) {
      ASSERT_LT(turns, 10) << "the plan wakes its host again and again";
      now_ = std::max(now_, plan_.next_wakeup());
      step(FetchTick{});
    }
    now_ = until;
    step(FetchTick{});
  }

  FetchEvent peer_event(const std::vector<std::string>& words) const {
    const NodeId peer = setting_.nodes.find(words.at(0)).value();
    const std::map<std::string, FetchEvent> events{
        {"up", PeerArrived{peer, true}},
        {"new", PeerArrived{peer, false}},
        {"down", PeerVanished{peer}},
        {"lacks", StatAnswered{peer, Presence::kAbsent}},
        {"attests", StatAnswered{peer, Presence::kAbsent, true}},
        {"expired", StatAnswered{peer, Presence::kExpired, true}},
        {"vanished", StatAnswered{peer, Presence::kVanished, true}},
        {"has", StatAnswered{peer, Presence::kPresent}},
        {"bad", StatAnswered{peer, Presence::kCorrupt}},
        {"unable", StatAnswered{peer, Error{Errc::kIo, "read: Input/output error", ""}}},
        {"pulled", PullAnswered{peer, {}}},
        {"rotten", PullAnswered{peer, Error{Errc::kCorrupt, "wrong hash", ""}}},
        {"refused", PullAnswered{peer, Error{Errc::kRetry, "the disk is too slow", ""}}},
        {"full", StoreFailed{peer, Error{Errc::kNoSpace, "the disk is full", "make room"}}}};
    return events.at(words.at(1));
  }

  void step(const FetchEvent& event) {
    for (const FetchAction& action : plan_.step(event, now_)) {
      EXPECT_FALSE(end_.has_value()) << "an action after the end";
      if (const auto* ask = std::get_if<AskPeer>(&action)) {
        actions_ += "ask " + setting_.nodes.at(ask->peer).name + ", ";
      } else if (const auto* pull = std::get_if<PullFrom>(&action)) {
        actions_ += "pull " + setting_.nodes.at(pull->peer).name + ", ";
      } else {
        end_ = std::get<FetchEnded>(action);
        actions_ += verdict_word(end_->verdict);
      }
    }
  }

  const Setting& setting_;
  FetchPlan plan_;
  TimePoint now_ = kStart;
  std::string actions_;
  std::optional<FetchEnded> end_;
};

Setting three_nodes() {
  Setting setting;
  setting.nodes = make_nodes("a b c");
  setting.quorum = make_quorum("ANY 1 (*)");
  return setting;
}

FetchEnded end_of(const Setting& setting, const std::string& events) {
  Drive drive(setting);
  drive.play(events);
  EXPECT_TRUE(drive.end().has_value()) << events;
  return drive.end().value_or(FetchEnded{});
}

TEST(FetchPlan, SaysThatWhatIsAbsentMayHaveExpired) {
  const FetchEnded end = end_of(three_nodes(), "b up, c up, b expired, c lacks");
  EXPECT_EQ(end.verdict, FetchVerdict::kAbsent);
  EXPECT_NE(end.message.find("may have expired"), std::string::npos) << end.message;
  const FetchEnded unknown = end_of(three_nodes(), "b up, tick, b expired");
  EXPECT_EQ(unknown.verdict, FetchVerdict::kUnknown);
  EXPECT_NE(unknown.message.find("b does not have it (any more)"), std::string::npos)
      << unknown.message;
}

TEST(FetchPlan, H25H28DecidesAsTheTableSays) {
  Setting setting;
  for (const TableLine& line : read_table("fetch_plan.txt")) {
    if (!line.directive.empty()) {
      setting.apply(line);
      continue;
    }
    Drive drive(setting);
    drive.play(line.left);
    EXPECT_EQ(drive.actions(), line.right) << "fetch_plan.txt:" << line.number << ": " << line.left;
  }
}

TEST(FetchPlan, H25SaysWhoWasSilentAndWhyThatMatters) {
  const FetchEnded end = end_of(three_nodes(), "b up, tick, at 1500");
  EXPECT_EQ(end.message,
            "not found, but it may exist; b did not answer in time, c is "
            "not connected; with quorum = ANY 1 (*) they may have acknowledged it");
  EXPECT_NE(end.hint, "");
}

TEST(FetchPlan, H25SaysWhenANodesWordIsNoEvidence) {
  Setting setting = three_nodes();
  setting.self_evidence = false;
  const FetchEnded end = end_of(setting, "b new, c up, b lacks, c down, tick");
  EXPECT_NE(end.message.find("this node's own archive was never made complete"), std::string::npos);
  EXPECT_NE(end.message.find("b does not have it, but its archive was never made complete"),
            std::string::npos);
  EXPECT_NE(end.message.find("c went away"), std::string::npos);
}

TEST(FetchPlan, H25NamesOnQuorumLossWhenThatIsTheDoubt) {
  Setting setting = three_nodes();
  setting.on_quorum_loss = OnQuorumLoss::kLocal;
  const FetchEnded end = end_of(setting, "b up, b lacks");
  EXPECT_NE(end.message.find("on-quorum-loss = local"), std::string::npos) << end.message;
}

TEST(FetchPlan, H28NamesEveryCorruptCopy) {
  Setting setting = three_nodes();
  setting.local = FetchPlan::LocalCopy::kCorrupt;
  const FetchEnded end = end_of(setting, "b up, c up, b bad, c unable");
  EXPECT_EQ(end.message,
            "there are only corrupt copies: this node's, b's; c cannot say: "
            "read: Input/output error");
}

TEST(FetchPlan, SaysWhyAPromisedCopyCouldNotBeHad) {
  const FetchEnded end = end_of(three_nodes(), "c up, c has, c refused");
  EXPECT_NE(end.message.find("c has it, but: the disk is too slow"), std::string::npos)
      << end.message;
}

TEST(FetchPlan, ADiskThatIsFullHereIsNoReasonToTryAnotherPeer) {
  const FetchEnded end = end_of(three_nodes(), "b up, c up, b has, c has, b full");
  EXPECT_EQ(end.verdict, FetchVerdict::kNoRoom);
  EXPECT_EQ(end.message, "b has it, but this node's archive cannot take it: the disk is full");
  EXPECT_EQ(end.hint, "make room");
}

std::string source_of(const Setting& setting, const std::string& events) {
  Drive drive(setting);
  drive.play(events);
  const std::string actions = drive.actions();
  const std::size_t pull = actions.find("pull ");
  return pull == std::string::npos ? "none" : actions.substr(pull + 5, 1);
}

TEST(FetchPlan, SpreadsFilesOverThePeersThatHaveThem) {
  Setting setting = three_nodes();
  setting.settle = milliseconds(100);
  const std::string all = "b up, c up, b has, c has";
  EXPECT_EQ(source_of(setting, all), "b");
  setting.turn = 2;
  EXPECT_EQ(source_of(setting, all), "c");
  setting.open_pulls = {0, 0, 1};
  EXPECT_EQ(source_of(setting, all), "b") << "the one with less to do, before the turn";
  setting.skip = 1;
  EXPECT_EQ(source_of(setting, all), "c") << "the next best";
  setting.skip = 2;
  EXPECT_EQ(source_of(setting, all), "b");
}

TEST(FetchPlan, StaysOnItsSiteHoweverBusyThatIs) {
  Setting setting = three_nodes();
  setting.nodes = make_nodes("a/east b/east c/west");
  setting.open_pulls = {0, 3, 0};
  setting.settle = milliseconds(100);
  EXPECT_EQ(source_of(setting, "b up, c up, c has, b has"), "b");
}

TEST(FetchPlan, WaitsALittleForOtherSourcesWhenNobodyWaitsForTheFile) {
  Setting setting = three_nodes();
  EXPECT_EQ(source_of(setting, "b up, c up, c has"), "c") << "a client does";
  setting.settle = milliseconds(100);
  EXPECT_EQ(source_of(setting, "b up, c up, c has"), "none");
  EXPECT_EQ(source_of(setting, "b up, c up, c has, at 99"), "none");
  EXPECT_EQ(source_of(setting, "b up, c up, c has, at 100"), "c");
  EXPECT_EQ(source_of(setting, "b up, c up, c has, b lacks"), "c") << "all have answered";
}

TEST(FetchPlan, AsksForATickOnlyWhileTimeMatters) {
  Setting setting = three_nodes();
  setting.wait = milliseconds(5000);
  Drive drive(setting);
  EXPECT_EQ(drive.plan().next_wakeup(), kStart + milliseconds(5000));
  drive.play("b up");
  EXPECT_EQ(drive.plan().next_wakeup(), kStart + kStatPatience);
  drive.play("b has");
  EXPECT_EQ(drive.plan().next_wakeup(), kNever);
  drive.play("b pulled");
  EXPECT_EQ(drive.plan().next_wakeup(), kNever);
}

}  // namespace
}  // namespace pgwalship
