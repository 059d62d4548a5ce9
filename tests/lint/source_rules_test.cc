// The house rules a machine can check, over every source file of the tree. Each rule is a function
// of one file, so that a test can also show that it bites.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace pgwalship {
namespace {

struct SourceFile {
  std::string path;  // from the top of the tree
  std::string text;

  std::vector<std::string> lines() const {
    std::vector<std::string> result;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) result.push_back(line);
    return result;
  }
  std::string floor() const { return path.substr(0, path.find('/')); }
  bool is_test() const { return floor() == "tests" || floor() == "bench"; }
  bool ends_with(const std::string& suffix) const {
    return path.size() >= suffix.size() &&
           path.compare(path.size() - suffix.size(), suffix.size(), suffix) == 0;
  }
};

using Problems = std::vector<std::string>;

const std::filesystem::path kTop = PGWALSHIP_SOURCE_DIR;
const std::vector<std::string> kFloors = {"base",     "wal",      "topology", "transport",
                                          "archiver", "restorer", "cmd"};

std::vector<SourceFile> files_below(const std::vector<std::string>& folders,
                                    const std::set<std::string>& extensions) {
  std::vector<SourceFile> files;
  for (const std::string& folder : folders) {
    if (!std::filesystem::exists(kTop / folder)) continue;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(kTop / folder)) {
      if (!entry.is_regular_file()) continue;
      if (!extensions.empty() && !extensions.contains(entry.path().extension().string())) continue;
      std::ifstream in(entry.path(), std::ios::binary);
      std::ostringstream text;
      text << in.rdbuf();
      files.push_back({std::filesystem::relative(entry.path(), kTop).string(), text.str()});
    }
  }
  return files;
}

std::vector<SourceFile> cxx_files() {
  std::vector<std::string> folders = kFloors;
  folders.insert(folders.end(), {"tests", "bench"});
  return files_below(folders, {".cc", ".h"});
}

void add_problem(Problems& problems, const SourceFile& file, std::size_t line_index,
                 const std::string& what) {
  problems.push_back(file.path + ":" + std::to_string(line_index + 1) + ": " + what);
}

// Enough for our style: comments are // only, and no rule below looks into string literals.
std::string without_comment(const std::string& line) {
  return line.substr(0, line.find("//"));
}

std::string included_path(const std::string& line) {
  static const std::regex pattern(R"re(^\s*#\s*include\s*["<]([^">]+)[">])re");
  std::smatch match;
  return std::regex_search(line, match, pattern) ? match[1].str() : "";
}

bool is_listed(const std::string& path, const std::vector<std::string>& places) {
  return std::any_of(places.begin(), places.end(), [&](const std::string& place) {
    return place.back() == '/' ? path.rfind(place, 0) == 0 : path == place;
  });
}

// archiver and restorer stand side by side; everything else is a tower.
int height(const std::string& floor) {
  static const std::map<std::string, int> heights = {
      {"base", 0},     {"wal", 1},      {"topology", 2}, {"transport", 3},
      {"archiver", 4}, {"restorer", 4}, {"cmd", 5}};
  const auto found = heights.find(floor);
  return found == heights.end() ? -1 : found->second;
}

Problems check_floors(const SourceFile& file) {
  Problems problems;
  if (height(file.floor()) < 0) return problems;
  const auto lines = file.lines();
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string path = included_path(lines[i]);
    const std::string floor = path.substr(0, path.find('/'));
    if (floor == "tests") add_problem(problems, file, i, "includes a test's file");
    if (height(floor) < 0 || floor == file.floor()) continue;
    if (height(floor) >= height(file.floor())) {
      add_problem(problems, file, i, file.floor() + " may not include " + floor);
    }
  }
  return problems;
}

struct LibraryRule {
  std::regex include;
  std::vector<std::string> places;
};

const std::vector<LibraryRule>& library_rules() {
  static const std::vector<LibraryRule> rules = {
      {std::regex("^libssh/"),
       {"transport/ssh_session.cc", "transport/ssh_keys.cc", "transport/ssh_handle.h",
        "transport/ssh_handle.cc"}},
      {std::regex("^zlib\\.h$"), {"wal/gzip_zlib.cc", "wal/digest.cc"}},
      {std::regex("^isa-l"), {"wal/isal.h"}},
      {std::regex("^openssl/"), {"wal/digest.cc"}},
      {std::regex("^(spdlog|fmt)/"), {"base/log.cc"}},
      {std::regex("^libpq"), {"archiver/postgres_watch.cc"}},
      {std::regex("^sys/inotify\\.h$"), {"base/directory_watch.cc"}},
      {std::regex("^nlohmann/"), {"archiver/status_report.cc", "cmd/"}},
      {std::regex("^boost/"), {"cmd/"}},
      {std::regex("^prometheus/"), {"cmd/metrics_server.cc"}},
  };
  return rules;
}

Problems check_libraries(const SourceFile& file) {
  Problems problems;
  if (file.is_test()) return problems;  // tests use them as an independent second opinion
  const auto lines = file.lines();
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string path = included_path(lines[i]);
    if (path.empty()) continue;
    for (const LibraryRule& rule : library_rules()) {
      if (std::regex_search(path, rule.include) && !is_listed(file.path, rule.places)) {
        add_problem(problems, file, i, "<" + path + "> belongs in " + rule.places.front());
      }
    }
  }
  return problems;
}

struct BannedCall {
  std::regex pattern;
  std::string instead;
  std::vector<std::string> places;  // where it is right, each for the reason beside it
};

const std::vector<BannedCall>& banned_calls() {
  static const std::string before = "(^|[^A-Za-z0-9_:>])";
  static const std::vector<BannedCall> rules = {
      {std::regex(before + "(::)?(fsync|fdatasync|sync_file_range|syncfs)\\("),
       "durability is FileSystem's: File::sync, sync_directory",
       {"base/posix_file_system.cc"}},
      {std::regex("(" + before +
                  "(::(rename|link|unlink|remove)|(::)?(renameat2?|linkat|unlinkat))|"
                  "std::(rename|remove|filesystem::(rename|remove|remove_all)))\\("),
       "names change through FileSystem alone",
       {"base/posix_file_system.cc",
        // The socket is no file of the archive, and nothing about it needs to be durable.
        "transport/local_socket.cc"}},
      {std::regex("(system|steady|high_resolution)_clock::now\\("),
       "time comes from Clock",
       {"base/clock.cc",
        // Deadlines of blocking calls into a library and the kernel; nothing is decided with them.
        "transport/ssh_handle.cc", "transport/tcp_connect.cc"}},
      {std::regex(before + "(::|std::)?(time|gettimeofday|clock_gettime)\\("),
       "time comes from Clock",
       {"base/clock.cc"}},
      {std::regex(before + "(std::)?(rand|srand|random_device)\\b"),
       "randomness comes from Random",
       {"base/random.cc",
        // The one seed of a process.
        "cmd/adopt_command.cc", "cmd/conflicts_command.cc", "cmd/daemon_options.cc",
        "cmd/receive_command.cc"}},
      {std::regex("\\b(sleep_for|sleep_until|usleep|nanosleep)\\("), "wait for the event", {}},
      {std::regex("\\busing namespace (?!std::(chrono_|string_)?literals|pgwalship;)"),
       "name what is used",
       {}},
      {std::regex("catch \\(\\.\\.\\.\\)"), "catch what can be thrown", {}},
  };
  return rules;
}

Problems check_banned_calls(const SourceFile& file) {
  Problems problems;
  if (file.is_test()) return problems;
  const auto lines = file.lines();
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string code = without_comment(lines[i]);
    for (const BannedCall& banned : banned_calls()) {
      if (std::regex_search(code, banned.pattern) && !is_listed(file.path, banned.places)) {
        add_problem(problems, file, i, banned.instead);
      }
    }
  }
  return problems;
}

Problems check_text(const SourceFile& file) {
  static const std::regex unfinished(
      "\\b(TO"
      "DO|FIX"
      "ME|X"
      "XX)\\b");
  static const std::regex private_path(
      "/(wo"
      "rk|home/[a-z]+|Users)/");
  Problems problems;
  const auto lines = file.lines();
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (std::regex_search(lines[i], unfinished)) add_problem(problems, file, i, "is unfinished");
    if (std::regex_search(lines[i], private_path)) {
      add_problem(problems, file, i, "names a path of one developer's machine");
    }
    if (!lines[i].empty() && (lines[i].back() == ' ' || lines[i].back() == '\r')) {
      add_problem(problems, file, i, "ends in white space");
    }
  }
  if (!file.text.empty() && file.text.back() != '\n') {
    add_problem(problems, file, lines.size(), "has no newline at its end");
  }
  return problems;
}

// In characters, not bytes: a UTF-8 continuation byte takes no column.
std::size_t columns(const std::string& line) {
  return static_cast<std::size_t>(std::count_if(line.begin(), line.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

Problems check_sizes(const SourceFile& file) {
  constexpr std::size_t kColumnsMax = 100;
  constexpr std::size_t kFileLinesMax = 500;
  constexpr std::size_t kHeaderLinesMax = 250;
  Problems problems;
  const auto lines = file.lines();
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (columns(lines[i]) > kColumnsMax)
      add_problem(problems, file, i, "is wider than 100 columns");
  }
  const std::size_t lines_max = file.ends_with(".h") ? kHeaderLinesMax : kFileLinesMax;
  if (lines.size() > lines_max) {
    add_problem(problems, file, lines.size(),
                "is longer than " + std::to_string(lines_max) + " lines: it holds two things");
  }
  return problems;
}

std::string joined(const Problems& problems) {
  std::string text;
  for (const std::string& problem : problems) text += "\n" + problem;
  return text;
}

template <typename Rule>
void expect_clean(const std::vector<SourceFile>& files, const Rule& rule) {
  Problems all;
  for (const SourceFile& file : files) {
    const Problems problems = rule(file);
    all.insert(all.end(), problems.begin(), problems.end());
  }
  EXPECT_TRUE(all.empty()) << joined(all);
}

TEST(SourceRules, FindsTheSources) {
  const auto files = cxx_files();
  for (const std::string& floor : kFloors) {
    EXPECT_TRUE(std::any_of(files.begin(), files.end(), [&](const SourceFile& file) {
      return file.floor() == floor;
    })) << floor;
  }
}

TEST(SourceRules, IncludesPointDown) {
  expect_clean(cxx_files(), check_floors);
}

TEST(SourceRules, OneLibraryOneFile) {
  expect_clean(cxx_files(), check_libraries);
}

TEST(SourceRules, NoBannedCalls) {
  expect_clean(cxx_files(), check_banned_calls);
}

TEST(SourceRules, NothingTooLong) {
  expect_clean(cxx_files(), check_sizes);
}

TEST(SourceRules, NothingUnfinishedAndNoPrivatePaths) {
  std::vector<std::string> folders = kFloors;
  folders.insert(folders.end(), {"tests", "bench", "docs", "man", "scripts", "systemd", "cmake",
                                 "completion", "packaging", ".ci"});
  std::vector<SourceFile> files;
  for (SourceFile& file : files_below(folders, {})) {
    if (!file.ends_with(".pyc")) files.push_back(std::move(file));
  }
  expect_clean(files, check_text);
}

TEST(SourceRules, EveryTestIsBuilt) {
  for (const SourceFile& file : files_below({"tests"}, {".cc"})) {
    if (!file.ends_with("_test.cc")) continue;
    const auto path = std::filesystem::path(file.path);
    std::ifstream in(kTop / path.parent_path() / "CMakeLists.txt");
    std::ostringstream list;
    list << in.rdbuf();
    EXPECT_NE(list.str().find(path.filename().string()), std::string::npos)
        << file.path << " is in no CMakeLists.txt";
  }
}

SourceFile sample(const std::string& path, const std::string& text) {
  return {path, text};
}

TEST(SourceRulesBite, FloorsAboveAndBeside) {
  EXPECT_EQ(check_floors(sample("wal/a.cc", "#include \"transport/frame.h\"\n")).size(), 1U);
  EXPECT_EQ(check_floors(sample("archiver/a.cc", "#include \"restorer/fetch_plan.h\"\n")).size(),
            1U);
  EXPECT_EQ(check_floors(sample("cmd/a.cc", "#include \"tests/support/temp_dir.h\"\n")).size(), 1U);
  EXPECT_TRUE(check_floors(sample("cmd/a.cc", "#include \"restorer/fetch_plan.h\"\n")).empty());
}

TEST(SourceRulesBite, LibrariesOutOfPlace) {
  EXPECT_EQ(check_libraries(sample("wal/gzip.cc", "#include <zlib.h>\n")).size(), 1U);
  EXPECT_EQ(check_libraries(sample("cmd/a.cc", "#include <libssh/libssh.h>\n")).size(), 1U);
  EXPECT_TRUE(check_libraries(sample("wal/gzip_zlib.cc", "#include <zlib.h>\n")).empty());
}

TEST(SourceRulesBite, CallsOutOfPlace) {
  for (const std::string call :
       {"if (::fsync(fd) != 0) {", "fdatasync(fd);", "  ::unlink(path);", "return ::rename(a, b);",
        "std::filesystem::remove(p);", "linkat(a, b, c, d, e);", "x = std::rand();",
        "auto t = std::chrono::steady_clock::now();", "std::this_thread::sleep_for(1s);",
        "using namespace std;", "} catch (...) {"}) {
    EXPECT_EQ(check_banned_calls(sample("wal/a.cc", call + "\n")).size(), 1U) << call;
  }
  for (const std::string call :
       {"file_system_.rename(a, b);", "Result<void> link(const std::string& from);",
        "// never call ::fsync() here", "using namespace std::chrono_literals;", "uptime(x);"}) {
    EXPECT_TRUE(check_banned_calls(sample("wal/a.cc", call + "\n")).empty()) << call;
  }
}

TEST(SourceRulesBite, SizesAndText) {
  EXPECT_EQ(check_sizes(sample("wal/a.cc", std::string(101, 'x') + "\n")).size(), 1U);
  EXPECT_EQ(check_sizes(sample("wal/a.h", std::string(251, '\n'))).size(), 1U);
  EXPECT_TRUE(check_sizes(sample("wal/a.cc", std::string(251, '\n'))).empty());
  EXPECT_EQ(check_text(sample("wal/a.cc",
                              "// TO"
                              "DO: later\n"))
                .size(),
            1U);
  EXPECT_EQ(check_text(sample("docs/a.md",
                              "see /ho"
                              "me/me/x\n"))
                .size(),
            1U);
  EXPECT_EQ(check_text(sample("docs/a.md", "no newline")).size(), 1U);
}

}  // namespace
}  // namespace pgwalship
