#include "cmd/reconcile_report.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace pgwalship {
namespace {

using Node = ReconcileReport::Node;
using State = ReconcileReport::State;

ReconcileReport report(std::vector<Node> nodes) {
  return {.id = 1, .last = true, .nodes = std::move(nodes)};
}

TEST(ReconcileReport, HasALineForEachPeer) {
  const ReconcileReport all =
      report({{.name = "b", .state = State::kEqual},
              {.name = "c", .state = State::kEqual, .received = 3, .sent = 2},
              {.name = "d", .state = State::kEqual, .sent = 2, .conflicts = 1},
              {.name = "e", .state = State::kUnreachable, .why = "no route"},
              {.name = "f", .state = State::kFailed, .received = 1, .why = "disk full"}});
  EXPECT_EQ(reconcile_text(all),
            "b: equal\n"
            "c: equal, 3 received, 2 sent\n"
            "d: 2 sent, 1 conflict\n"
            "e: unreachable: no route\n"
            "f: failed: disk full (1 received)\n");
  EXPECT_EQ(reconcile_text(report({})), "there is no peer to compare with\n");
}

TEST(ReconcileReport, SaysHowFarItIs) {
  EXPECT_EQ(reconcile_progress(report({{.name = "b"},
                                       {.name = "c", .sent = 2, .to_send = 40},
                                       {.name = "d", .state = State::kEqual}})),
            "b: comparing; c: 2 sent, 40 to send; d: equal");
}

TEST(ReconcileReport, TheExitStatusTells) {
  EXPECT_EQ(reconcile_status(report({{.name = "b", .state = State::kEqual}})), 0);
  EXPECT_EQ(reconcile_status(report({{.name = "b", .state = State::kEqual, .conflicts = 1}})), 3);
  EXPECT_EQ(reconcile_status(report({{.name = "b", .state = State::kUnreachable},
                                     {.name = "c", .state = State::kEqual, .conflicts = 1}})),
            1);
}

TEST(ReconcileReport, IsJsonForPrograms) {
  const auto json = nlohmann::json::parse(
      reconcile_json(report({{.name = "b", .state = State::kEqual, .received = 3}})));
  EXPECT_EQ(json, nlohmann::json::parse(R"json({"version": 1, "peers": [{"node": "b",
      "state": "equal", "received": 3, "sent": 0, "conflicts": 0, "error": ""}]})json"));
}

}  // namespace
}  // namespace pgwalship
