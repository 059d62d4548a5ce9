#include "cmd/reconcile_report.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <string_view>
#include <utility>

namespace pgwalship {
namespace {

using State = ReconcileReport::State;
using Node = ReconcileReport::Node;

constexpr int kEqual = 0;
constexpr int kFailed = 1;
constexpr int kConflicts = 3;

std::string_view to_word(State state) {
  switch (state) {
    case State::kGoesOn:
      return "running";
    case State::kEqual:
      return "equal";
    case State::kFailed:
      return "failed";
    case State::kUnreachable:
      return "unreachable";
  }
  return "?";
}

void add(std::string& text, const std::string& words) {
  text += (text.empty() ? "" : ", ") + words;
}

void add_count(std::string& text, std::uint64_t count, std::string_view words) {
  if (count > 0) {
    add(text, std::to_string(count) + " " + std::string(words));
  }
}

std::string counts_of(const Node& node) {
  std::string text;
  add_count(text, node.received, "received");
  add_count(text, node.sent, "sent");
  add_count(text, node.conflicts, node.conflicts == 1 ? "conflict" : "conflicts");
  return text;
}

std::string line_of(const Node& node) {
  const std::string counts = counts_of(node);
  switch (node.state) {
    case State::kEqual: {
      std::string text = node.conflicts == 0 ? "equal" : "";
      if (!counts.empty()) {
        add(text, counts);
      }
      return text;
    }
    case State::kGoesOn: {
      std::string text = counts;
      add_count(text, node.to_receive, "to receive");
      add_count(text, node.to_send, "to send");
      return text.empty() ? "comparing" : text;
    }
    case State::kFailed:
    case State::kUnreachable:
      return std::string(to_word(node.state)) + ": " + node.why +
             (counts.empty() ? "" : " (" + counts + ")");
  }
  return "";
}

}  // namespace

std::string reconcile_progress(const ReconcileReport& report) {
  std::string text;
  for (const Node& node : report.nodes) {
    text += (text.empty() ? "" : "; ") + node.name + ": " + line_of(node);
  }
  return text;
}

std::string reconcile_text(const ReconcileReport& report) {
  std::string text;
  for (const Node& node : report.nodes) {
    text += node.name + ": " + line_of(node) + "\n";
  }
  return text.empty() ? "there is no peer to compare with\n" : text;
}

std::string reconcile_json(const ReconcileReport& report) {
  auto peers = nlohmann::ordered_json::array();
  for (const Node& node : report.nodes) {
    peers.push_back({{"node", node.name},
                     {"state", to_word(node.state)},
                     {"received", node.received},
                     {"sent", node.sent},
                     {"conflicts", node.conflicts},
                     {"error", node.why}});
  }
  const nlohmann::ordered_json json{{"version", 1}, {"peers", std::move(peers)}};
  constexpr int kIndent = 2;
  return json.dump(kIndent, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

int reconcile_status(const ReconcileReport& report) {
  const auto any = [&](const auto& matches) {
    return std::any_of(report.nodes.begin(), report.nodes.end(), matches);
  };
  if (any([](const Node& node) { return node.state != State::kEqual; })) {
    return kFailed;
  }
  return any([](const Node& node) { return node.conflicts > 0; }) ? kConflicts : kEqual;
}

}  // namespace pgwalship
