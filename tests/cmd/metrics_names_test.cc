// docs/monitoring against what is exported.
#include "cmd/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>

namespace pgwalship {
namespace {

using testing::Contains;
using testing::IsSubsetOf;

std::string doc(const std::string& name) {
  std::ifstream in(PGWALSHIP_DOCS "/monitoring/" + name);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::string type_word(Metric::Type type) {
  return type == Metric::Type::kCounter ? "counter"
         : type == Metric::Type::kGauge ? "gauge"
                                        : "histogram";
}

// As series are called: a histogram has three.
std::set<std::string> series() {
  std::set<std::string> names;
  for (const Metric& metric : metrics_of("{}")) {
    const std::string name(metric.name);
    if (metric.type == Metric::Type::kHistogram) {
      names.insert({name + "_bucket", name + "_sum", name + "_count"});
    } else {
      names.insert(name);
    }
  }
  return names;
}

std::set<std::string> names_in(const std::string& text) {
  static const std::regex name("pgwalship_[a-z_]+");
  std::set<std::string> names;
  for (std::sregex_iterator it(text.begin(), text.end(), name), end; it != end; ++it) {
    names.insert(it->str());
  }
  return names;
}

TEST(MetricNames, EachIsDocumentedWithItsTypeAndItsHelp) {
  std::map<std::string, std::pair<std::string, std::string>> documented;
  std::istringstream text(doc("README.md"));
  static const std::regex row(R"(^\| `(pgwalship_[a-z_]+)` \| ([a-z]+) \| (.*) \|$)");
  for (std::string line; std::getline(text, line);) {
    if (std::smatch match; std::regex_match(line, match, row)) {
      documented[match[1]] = {match[2], match[3]};
    }
  }
  std::string expected;
  for (const Metric& metric : metrics_of("{}")) {
    const std::string name(metric.name);
    const std::string line =
        "| `" + name + "` | " + type_word(metric.type) + " | " + std::string(metric.help) + " |";
    EXPECT_EQ(documented[name].first, type_word(metric.type)) << line;
    EXPECT_EQ(documented[name].second, metric.help) << line;
    documented.erase(name);
  }
  for (const auto& [name, rest] : documented) {
    ADD_FAILURE() << name << " is documented and not exported";
  }
}

TEST(MetricNames, FollowPrometheusRules) {
  for (const Metric& metric : metrics_of("{}")) {
    const std::string name(metric.name);
    EXPECT_TRUE(name.starts_with("pgwalship_")) << name;
    EXPECT_EQ(name.ends_with("_total"), metric.type == Metric::Type::kCounter) << name;
    EXPECT_FALSE(metric.help.empty()) << name;
    EXPECT_TRUE(metric.help.ends_with(".")) << name;
  }
}

TEST(MetricNames, AlertsAndDashboardUseNoOther) {
  const std::set<std::string> known = series();
  EXPECT_THAT(names_in(std::regex_replace(doc("pgwalship.rules.yml"), std::regex("#[^\n]*"), "")),
              IsSubsetOf(known));
  const auto dashboard = nlohmann::json::parse(doc("pgwalship.dashboard.json"), nullptr, false);
  ASSERT_TRUE(dashboard.is_object());
  std::set<std::string> used;
  for (const auto& panel : dashboard.at("panels")) {
    for (const auto& target : panel.value("targets", nlohmann::json::array())) {
      used.merge(names_in(target.at("expr").get<std::string>()));
    }
  }
  EXPECT_GT(used.size(), 10U);
  EXPECT_THAT(used, IsSubsetOf(known));
}

}  // namespace
}  // namespace pgwalship
