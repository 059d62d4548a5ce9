// The man pages parse, and leave out no verb, option, key or exit status.
#include "cmd/config.h"
#include "cmd/exit_status.h"
#include "cmd/reload.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <sstream>

namespace pgwalship {
namespace {

using testing::HasSubstr;

const std::array kPages{"pgwalship.1", "pgwalshipd.8", "pgwalship.conf.5"};

std::string page(const std::string& name) {
  std::ifstream file(PGWALSHIP_MAN "/" + name);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string output_of(const std::string& command) {
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  std::string output;
  for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) {
    output += static_cast<char>(c);
  }
  EXPECT_EQ(::pclose(pipe), 0) << command << "\n" << output;
  return output;
}

// The lines from that heading to the next of its kind.
std::string part(const std::string& text, const std::string& heading) {
  const std::size_t begin = text.find(heading + "\n");
  if (begin == std::string::npos) {
    return "";
  }
  const std::string macro = "\n" + heading.substr(0, 3);
  const std::size_t end = text.find(macro, begin + heading.size());
  return text.substr(begin, end == std::string::npos ? end : end - begin);
}

std::set<std::string> long_options(const std::string& help) {
  std::set<std::string> options;
  const std::regex pattern("--([a-z][a-z-]*)");
  for (std::sregex_iterator it(help.begin(), help.end(), pattern), end; it != end; ++it) {
    options.insert((*it)[1].str());
  }
  return options;
}

std::set<std::string> verbs() {
  std::set<std::string> verbs;
  std::istringstream help(output_of(PGWALSHIP_CLIENT " --help"));
  bool among_verbs = false;
  for (std::string line; std::getline(help, line);) {
    if (among_verbs && line.rfind("  ", 0) != 0) {
      break;
    }
    if (among_verbs) {
      verbs.insert(line.substr(2, line.find(' ', 2) - 2));
    }
    among_verbs = among_verbs || line == "Verbs:";
  }
  return verbs;
}

TEST(ManPages, ParseWithoutAWarning) {
  if (std::system("command -v man >/dev/null && command -v groff >/dev/null") != 0) {
    GTEST_SKIP() << "man and groff are not installed";
  }
  for (const std::string name : kPages) {
    const std::string file = PGWALSHIP_MAN "/" + name;
    EXPECT_EQ(output_of("{ LC_ALL=C.UTF-8 man --warnings -E UTF-8 -l -Tutf8 -Z '" + file +
                        "' 2>&1 >/dev/null; }"),
              "")
        << name;
  }
}

TEST(ManPages, NameEveryVerb) {
  const std::string text = page("pgwalship.1");
  const std::set<std::string> all = verbs();
  EXPECT_THAT(all, testing::IsSupersetOf({"push", "fetch", "receive", "status"}));
  for (const std::string& verb : all) {
    EXPECT_THAT(text, testing::ContainsRegex("\n\\.Cm " + verb + "[ \n]")) << "in the synopsis";
    EXPECT_THAT(text, testing::ContainsRegex("\n\\.It Cm " + verb + "[ \n]"));
    EXPECT_NE(part(part(text, ".Sh EXIT STATUS"), ".Ss " + verb), "") << "exit status of " << verb;
  }
}

TEST(ManPages, NameEveryOption) {
  std::set<std::string> options = long_options(output_of(PGWALSHIP_CLIENT " --help"));
  for (const std::string& verb : verbs()) {
    options.merge(long_options(output_of(PGWALSHIP_CLIENT " " + verb + " --help")));
  }
  EXPECT_GT(options.size(), 3U);
  for (const std::string& option : options) {
    EXPECT_THAT(page("pgwalship.1"), testing::ContainsRegex("[ ,]-" + option + "\\b"));
  }
  for (const std::string& option : long_options(output_of(PGWALSHIP_DAEMON " --help"))) {
    EXPECT_THAT(page("pgwalshipd.8"), testing::ContainsRegex("[ ,]-" + option + "\\b"));
  }
}

// The options that the usage line of a verb has stand in its own lines of the synopsis.
TEST(ManPages, ShowEveryOptionInTheSynopsisOfItsVerb) {
  const std::string synopsis = part(page("pgwalship.1"), ".Sh SYNOPSIS");
  for (const std::string& verb : verbs()) {
    std::string lines;
    const std::regex command("\n\\.Cm " + verb + "[ \n]");
    for (std::sregex_iterator it(synopsis.begin(), synopsis.end(), command), end; it != end; ++it) {
      const auto begin = static_cast<std::size_t>(it->position());
      lines += synopsis.substr(begin, synopsis.find("\n.Nm", begin) - begin) + "\n";
    }
    const std::string help = output_of(PGWALSHIP_CLIENT " " + verb + " --help");
    const std::string prefix = "Usage: pgwalship [--config FILE] ";
    const std::string usage = help.substr(prefix.size(), help.find('\n') - prefix.size());
    for (const std::string& option : long_options(usage)) {
      EXPECT_THAT(lines, testing::ContainsRegex("Fl -" + option + "[ \n]")) << verb;
    }
  }
}

TEST(ManPages, NameEveryConfigurationKeyInItsSection) {
  const std::string text = page("pgwalship.conf.5");
  for (const std::string& key : config_keys()) {
    const std::size_t blank = key.find(' ');
    const std::string section = part(text, ".Ss " + key.substr(0, blank));
    EXPECT_THAT(section, HasSubstr("\n.It Ic " + key.substr(blank + 1) + "\n")) << key;
  }
}

TEST(ManPages, NameNoKeyThatIsNotUnderstood) {
  std::set<std::string> known;
  for (const std::string& key : config_keys()) {
    known.insert(key.substr(key.find(' ') + 1));
  }
  const std::string text = page("pgwalship.conf.5");
  const std::regex pattern("\n\\.(It )?Ic ([a-z-]+)");
  for (std::sregex_iterator it(text.begin(), text.end(), pattern), end; it != end; ++it) {
    EXPECT_TRUE(known.contains((*it)[2].str())) << (*it)[2].str();
  }
}

TEST(ManPages, NameEveryExitStatusOfPushAndFetch) {
  const std::string statuses = part(page("pgwalship.1"), ".Sh EXIT STATUS");
  const std::string push = part(statuses, ".Ss push");
  for (const PushExit exit : {PushExit::kDurable, PushExit::kRetry, PushExit::kUsage,
                              PushExit::kConflict, PushExit::kNoSpace}) {
    EXPECT_THAT(push, HasSubstr("\n.It " + std::to_string(to_status(exit)) + "\n"));
  }
  const std::string fetch = part(statuses, ".Ss fetch");
  for (const FetchExit exit :
       {FetchExit::kFound, FetchExit::kNotThere, FetchExit::kUsage, FetchExit::kStop}) {
    EXPECT_THAT(fetch, HasSubstr(" Ta " + std::to_string(to_status(exit))));
  }
}

TEST(ManPages, NameEveryKeyThatAReloadTakesOver) {
  const std::string signals = part(page("pgwalshipd.8"), ".Sh SIGNALS");
  for (const std::string& key : config_keys()) {
    const std::string section = key.substr(0, key.find(' '));
    const std::string name = key.substr(key.find(' ') + 1);
    const bool named = signals.find("\n.Li " + name) != std::string::npos ||
                       signals.find("\n.Li " + section) != std::string::npos;
    EXPECT_EQ(named, when_taken_over(key) != TakenOver::kAtRestart) << key;
  }
}

TEST(ManPages, ReferToPagesThatExist) {
  const std::regex ours("\n\\.Xr (pgwalship[a-z.]*) ([1-8])");
  for (const std::string name : kPages) {
    const std::string text = page(name);
    for (std::sregex_iterator it(text.begin(), text.end(), ours), end; it != end; ++it) {
      const std::string target = (*it)[1].str() + "." + (*it)[2].str();
      EXPECT_THAT(kPages, testing::Contains(target)) << name;
    }
  }
}

}  // namespace
}  // namespace pgwalship
