// Tables in testdata/retention: what an archive holds, the rules, and what must come of it. "==
// TITLE" begins a table, then one directive a line. Positions are numbers of segments, times are
// hours from an arbitrary start.
//     rules backups=2 days=7 size=100MB
//     segments TIMELINE FIRST-LAST BYTES @HOUR +HOURS     each so much later than the one before
//     file NAME BYTES @HOUR
//     backup TIMELINE START-STOP @HOUR LABEL              STOP 0: its label file cannot be read
//     history TIMELINE ANCESTOR:LEFT_AT...
//     server-timeline N | need WHO N | hold TEXT | now HOUR | now unknown | recorded-floor N
//     expect floor N | expect removes COUNT | expect gone NAME | expect kept NAME
//     expect says TEXT | expect size-unmet
#include "archiver/retention.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace pgwalship {
namespace {

constexpr std::uint32_t kSegmentBytes = 16U << 20U;
const WallTime kStart{std::chrono::hours(24 * 365 * 50)};

WalName segment(std::uint32_t timeline, std::uint32_t number) {
  return WalName::segment_at(timeline, std::uint64_t{number} * kSegmentBytes, kSegmentBytes);
}
SegmentPosition position(std::uint32_t number) {
  return segment(1, number).position();
}

struct Expectation {
  std::string kind;
  std::string text;
};

class Table {
 public:
  explicit Table(const std::string& text) {
    inputs.segment_bytes = kSegmentBytes;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      std::istringstream words(line);
      std::string word;
      if (words >> word && word[0] != '#') {
        read(word, words);
      }
    }
    std::sort(inputs.files.begin(), inputs.files.end(),
              [](const StoredFile& a, const StoredFile& b) { return a.name < b.name; });
    if (!given_now && !inputs.files.empty()) {
      inputs.now = latest;
    }
  }

  RetentionInputs inputs;
  std::vector<Expectation> expectations;

 private:
  static std::string rest_of(std::istringstream& words) {
    std::string rest;
    std::getline(words >> std::ws, rest);
    return rest;
  }
  static std::uint32_t number(std::string_view text) {
    return static_cast<std::uint32_t>(std::stoul(std::string(text)));
  }
  static std::uint64_t bytes(const std::string& text) {
    const std::uint64_t unit = text.ends_with("MB") ? 1U << 20U : text.ends_with("kB") ? 1024 : 1;
    return std::stoull(text) * unit;
  }
  static WallTime hour(const std::string& text) {
    return kStart + std::chrono::hours(std::stol(text.substr(text.front() == '@' ? 1 : 0)));
  }
  static std::pair<std::uint32_t, std::uint32_t> pair(const std::string& text, char between) {
    const auto at = text.find(between);
    return {number(text.substr(0, at)), number(text.substr(at + 1))};
  }
  void add(const WalName& name, std::uint64_t size, WallTime time) {
    inputs.files.push_back({name, size, time});
    latest = std::max(latest, time);
  }

  void read_rule(const std::string& rule) {
    const std::string value = rule.substr(rule.find('=') + 1);
    if (rule.starts_with("backups=")) {
      inputs.rules.backups = number(value);
    } else if (rule.starts_with("days=")) {
      inputs.rules.days = std::chrono::hours(24 * number(value));
    } else {
      ASSERT_TRUE(rule.starts_with("size=")) << rule;
      inputs.rules.size_bytes = bytes(value);
    }
  }

  void read_segments(std::istringstream& words) {
    std::string timeline;
    std::string range;
    std::string size;
    std::string at;
    std::string step = "+0";
    words >> timeline >> range >> size >> at >> step;
    const auto [first, last] = pair(range, '-');
    for (std::uint32_t i = first; i <= last; ++i) {
      const std::chrono::hours later(std::stol(step) * static_cast<long>(i - first));
      add(segment(number(timeline), i), bytes(size), hour(at) + later);
    }
  }

  void read_backup(std::istringstream& words) {
    std::string timeline;
    std::string range;
    std::string at;
    std::string label;
    words >> timeline >> range >> at >> label;
    const auto [start, stop] = pair(range, '-');
    const WalName name =
        WalName::parse(segment(number(timeline), start).text() + ".00000028.backup").value();
    add(name, 300, hour(at));
    inputs.backups.push_back({name, stop == 0 ? 0 : position(stop), label});
  }

  void read_history(std::istringstream& words) {
    std::string word;
    words >> word;
    KnownHistory history{number(word), {}};
    while (words >> word) {
      const auto [timeline, left_at] = pair(word, ':');
      history.ancestors.push_back({timeline, position(left_at)});
    }
    inputs.files.push_back(
        {WalName::parse(segment(history.timeline, 0).text().substr(0, 8) + ".history").value(), 41,
         kStart});
    inputs.histories.push_back(history);
  }

  void read(const std::string& what, std::istringstream& words) {
    std::string word;
    if (what == "rules") {
      while (words >> word) {
        read_rule(word);
      }
    } else if (what == "segments") {
      read_segments(words);
    } else if (what == "file") {
      std::string size;
      std::string at;
      words >> word >> size >> at;
      add(WalName::parse(word).value(), bytes(size), hour(at));
    } else if (what == "backup") {
      read_backup(words);
    } else if (what == "history") {
      read_history(words);
    } else if (what == "server-timeline") {
      words >> word;
      inputs.server_timeline = number(word);
    } else if (what == "need") {
      std::string who;
      words >> who >> word;
      inputs.needs.push_back({who, position(number(word))});
    } else if (what == "hold") {
      inputs.holds.push_back(rest_of(words));
    } else if (what == "now") {
      words >> word;
      given_now = true;
      inputs.now = word == "unknown" ? std::nullopt : std::optional(hour(word));
    } else if (what == "recorded-floor") {
      words >> word;
      inputs.recorded_floor = position(number(word));
    } else {
      ASSERT_EQ(what, "expect");
      words >> word;
      expectations.push_back({word, rest_of(words)});
    }
  }

  WallTime latest{};
  bool given_now = false;
};

bool holds(const std::vector<StoredFile>& files, const std::string& name) {
  return std::any_of(files.begin(), files.end(),
                     [&](const StoredFile& file) { return file.name.text() == name; });
}

void check(const Expectation& expected, const RetentionPlan& plan) {
  SCOPED_TRACE("expect " + expected.kind + " " + expected.text);
  if (expected.kind == "floor") {
    EXPECT_EQ(position_text(plan.floor),
              position_text(position(static_cast<std::uint32_t>(std::stoul(expected.text)))));
  } else if (expected.kind == "removes") {
    EXPECT_EQ(plan.expired.size(), std::stoul(expected.text));
  } else if (expected.kind == "gone") {
    EXPECT_TRUE(holds(plan.expired, expected.text));
  } else if (expected.kind == "kept") {
    EXPECT_FALSE(holds(plan.expired, expected.text));
  } else if (expected.kind == "says") {
    EXPECT_THAT(plan.reasons, testing::Contains(testing::HasSubstr(expected.text)));
  } else if (expected.kind == "size-unmet") {
    EXPECT_TRUE(plan.size_unmet);
  } else {
    ADD_FAILURE() << "no such expectation";
  }
}

struct Case {
  std::string title;
  std::string text;
};

void PrintTo(const Case& what, std::ostream* out) {
  *out << what.title;
}

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const auto& entry : std::filesystem::directory_iterator(PGWALSHIP_TESTDATA "/retention")) {
    std::ifstream file(entry.path());
    for (std::string line; std::getline(file, line);) {
      if (line.starts_with("== ")) {
        cases.push_back({line.substr(3), ""});
      } else if (!cases.empty()) {
        cases.back().text += line + "\n";
      }
    }
  }
  return cases;
}

std::string case_name(const testing::TestParamInfo<Case>& info) {
  std::string name;
  bool starts_word = true;
  for (const char c : info.param.title) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) {
      starts_word = true;
      continue;
    }
    name += starts_word ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
    starts_word = false;
  }
  return name;
}

class RetentionTables : public testing::TestWithParam<Case> {};

TEST_P(RetentionTables, KeepsAndLetsGoAsWritten) {
  const Table table(GetParam().text);
  ASSERT_FALSE(table.expectations.empty());
  const RetentionPlan plan = plan_retention(table.inputs);
  for (const Expectation& expected : table.expectations) {
    check(expected, plan);
  }
  // Whatever the table: what goes is below the floor, and below every server's need.
  for (const StoredFile& file : plan.expired) {
    EXPECT_TRUE(file.name.is_below(plan.floor));
    for (const ServerNeed& need : table.inputs.needs) {
      EXPECT_TRUE(file.name.is_below(need.position));
    }
  }
  if (HasFailure()) {
    for (const std::string& reason : plan.reasons) {
      std::printf("  %s\n", reason.c_str());
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Files, RetentionTables, testing::ValuesIn(all_cases()), case_name);

TEST(Retention, AStartIsAnLsnWhereTheSizeIsKnown) {
  const SegmentPosition position = SegmentPosition{10} << 32U | 3;
  EXPECT_EQ(start_text(position, 16U << 20U), "A/3000000");
  EXPECT_EQ(start_text(position, 0), "segment 0000000A00000003");
}

}  // namespace
}  // namespace pgwalship
