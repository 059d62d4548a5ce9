#include "cmd/tutorial_script.h"

#include "topology/node_list.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <regex>
#include <sstream>
#include <utility>

namespace pgwalship {
namespace {

constexpr std::size_t kTextMax = std::size_t{1} << 20;  // a script that somebody wrote
constexpr std::size_t kLineMax = 4096;                  // bounds what a regular expression reads
constexpr int kJoinedLinesMax = 200;                    // of one list

bool is_name_start(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool is_name_character(char c) {
  return is_name_start(c) || (c >= '0' && c <= '9');
}
bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return text;
}

// What stands behind NAME= in a script.
struct Assignment {
  std::string name;
  std::string value;                  // with what $NAME stands for, as far as that is known
  std::vector<std::string> literals;  // words that stand there themselves
  std::vector<std::string> unknown;   // names that are used and were not set before
  bool opaque = false;                // a shell would be needed
};

// Reads one value from its start to the end of the word, or of the list in brackets.
class ValueReader {
 public:
  using Values = std::map<std::string, std::string>;
  ValueReader(std::string_view text, const Values& known) : text_(text), known_(known) {}

  Assignment read() {
    const bool is_list = peek() == '(';
    at_ += is_list ? 1 : 0;
    while (at_ < text_.size() && !assignment_.opaque && take_one(is_list)) {
    }
    end_word();
    return std::move(assignment_);
  }

  // Whether a quote or bracket is open at the end of the text: more lines belong to it.
  static bool is_open(std::string_view text) {
    char quote = 0;
    bool list = !text.empty() && text.front() == '(';
    for (const char c : text) {
      if (quote != 0) {
        quote = c == quote ? char{0} : quote;
      } else if (c == '"' || c == '\'') {
        quote = c;
      } else if (c == ')') {
        list = false;
      }
    }
    return quote != 0 || list;
  }

 private:
  char peek(std::size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : char{0};
  }

  // False at the end of the value.
  bool take_one(bool is_list) {
    const char c = text_[at_];
    if (quote_ == 0 && ((is_list && c == ')') || (!is_list && (is_blank(c) || c == ';')))) {
      return false;
    }
    if (quote_ == 0 && c == '#' && (at_ == 0 || is_blank(text_[at_ - 1]))) {
      at_ = std::min(text_.find('\n', at_), text_.size());
      return true;
    }
    if (c == '`' && quote_ != '\'') {
      assignment_.opaque = true;
    } else if (quote_ != 0 && c == quote_) {
      quote_ = 0;
    } else if (quote_ == 0 && (c == '"' || c == '\'')) {
      quote_ = c;
    } else if (c == '$' && quote_ != '\'') {
      take_variable();
      return true;
    } else if (is_blank(c)) {
      end_word();
      assignment_.value += ' ';
    } else {
      word_ += c;
      assignment_.value += c;
    }
    ++at_;
    return true;
  }

  void take_variable() {
    ++at_;
    const bool braces = peek() == '{';
    at_ += braces ? 1 : 0;
    const std::size_t start = at_;
    while (is_name_character(peek())) {
      ++at_;
    }
    const std::string name(text_.substr(start, at_ - start));
    if (name.empty() || !is_name_start(name.front()) || (braces && peek() != '}')) {
      assignment_.opaque = true;
      return;
    }
    at_ += braces ? 1 : 0;
    if (const auto found = known_.find(name); found != known_.end()) {
      assignment_.value += found->second;
      expanded_ = true;
    } else {
      assignment_.unknown.push_back(name);
    }
  }

  void end_word() {
    if (!word_.empty() && !expanded_) {
      assignment_.literals.push_back(word_);
    }
    word_.clear();
    expanded_ = false;
  }

  const std::string_view text_;
  const Values& known_;
  std::size_t at_ = 0;
  char quote_ = 0;
  std::string word_;
  bool expanded_ = false;
  Assignment assignment_;
};

// "sitea" of "sitea_nodes"; empty of "nodes", "all_nodes", "NODES".
std::optional<std::string> site_of_list(const std::string& name) {
  const std::string small = lower(name);
  for (const std::string_view suffix : {"nodes", "hosts", "servers", "peers", "replicas"}) {
    if (!small.ends_with(suffix)) {
      continue;
    }
    std::string site = small.substr(0, small.size() - suffix.size());
    while (!site.empty() && site.back() == '_') {
      site.pop_back();
    }
    return site == "all" || site == "other" || !is_valid_name(site) || site == "local"
               ? std::string()
               : site;
  }
  return std::nullopt;
}

class ScriptReader {
 public:
  TutorialScript read(std::string_view text) {
    std::istringstream in{std::string(text.substr(0, kTextMax))};
    for (std::string line; std::getline(in, line);) {
      ++line_;
      if (line.size() <= kLineMax) {
        take_line(line, in);
      }
    }
    // One list is no site.
    const bool one_site = std::all_of(
        script_.nodes.begin(), script_.nodes.end(),
        [&](const ScriptNode& node) { return node.site == script_.nodes.front().site; });
    for (ScriptNode& node : script_.nodes) {
      node.site = one_site ? "" : node.site;
    }
    return std::move(script_);
  }

 private:
  void take_line(const std::string& line, std::istream& more) {
    static const std::regex assigns(R"(^\s*(?:(?:export|local|readonly|declare(?: -\w+)*)\s+)?)"
                                    R"(([A-Za-z_]\w*)=)");
    std::smatch match;
    if (line.find_first_not_of(" \t") == std::string::npos ||
        line[line.find_first_not_of(" \t")] == '#') {
      return;
    }
    if (std::regex_search(line, match, assigns)) {
      std::string value = match.suffix();
      const int began = line_;
      std::string next;
      while (ValueReader::is_open(value) && line_ - began < kJoinedLinesMax &&
             std::getline(more, next)) {
        ++line_;
        value += "\n" + next;
      }
      take_assignment(match[1].str(), value, began);
    }
    take_commands(line);
  }

  void take_assignment(const std::string& name, const std::string& text, int line) {
    Assignment assignment = ValueReader(text, values_).read();
    if (assignment.opaque) {
      return;
    }
    const std::string small = lower(name);
    const bool verifies = small.find("verif") != std::string::npos;
    for (const std::string& unknown : assignment.unknown) {
      if (verifies || site_of_list(name)) {
        std::string& remark = script_.remarks.emplace_back("line " + std::to_string(line));
        remark.append(": '").append(unknown).append("' is set nowhere, so '");
        remark.append(name).append("' is empty");
        remark += verifies ? ": the script verified no node" : "";
      }
    }
    if (verifies) {
      script_.verifies = true;
    } else if (const auto site = site_of_list(name)) {
      for (const std::string& word : assignment.literals) {
        add_node(word, *site);
      }
    }
    const std::string& value = assignment.value;
    const bool is_path = value.starts_with('/') && value.find(' ') == std::string::npos;
    if (is_path && small.find("archive") != std::string::npos) {
      set_once(script_.archive_directory, value);
    } else if (is_path && small.find("key") != std::string::npos) {
      set_once(script_.identity, value);
    }
    values_[name] = value;
  }

  // user@HOST:DIRECTORY, ssh -i KEY, ssh -p PORT.
  void take_commands(const std::string& line) {
    static const std::regex remote(R"(([a-z_][a-z0-9_-]*)@(\$|([A-Za-z0-9][A-Za-z0-9.-]*):))");
    static const std::regex key(R"(ssh\s[^|;]*-i\s+(/[^\s"']+))");
    static const std::regex port(R"(ssh\s[^|;]*-p\s+([0-9]{1,5})\b)");
    std::smatch match;
    if (std::regex_search(line, match, remote)) {
      set_once(script_.user, match[1].str());
      if (match[3].matched) {
        add_node(match[3].str(), "");
      }
    }
    if (std::regex_search(line, match, key)) {
      set_once(script_.identity, match[1].str());
    }
    if (std::regex_search(line, match, port)) {
      unsigned number = 0;
      const std::string digits = match[1].str();
      std::from_chars(digits.data(), digits.data() + digits.size(), number);
      if (number > 0 && number <= 65535) {
        script_.port = static_cast<std::uint16_t>(number);
      }
    }
  }

  // "postgres@pgdb1:/archive" names pgdb1.
  void add_node(std::string word, const std::string& site) {
    if (const std::size_t at = word.find('@'); at != std::string::npos) {
      word.erase(0, at + 1);
    }
    word = word.substr(0, word.find(':'));
    const bool known = std::any_of(script_.nodes.begin(), script_.nodes.end(),
                                   [&](const ScriptNode& node) { return node.name == word; });
    if (!known && is_valid_name(word)) {
      script_.nodes.push_back({word, site});
    }
  }

  static void set_once(std::string& into, const std::string& value) {
    if (into.empty()) {
      into = value;
    }
  }

  TutorialScript script_;
  ValueReader::Values values_;
  int line_ = 0;
};

}  // namespace

TutorialScript read_tutorial_script(std::string_view text) {
  return ScriptReader().read(text);
}

}  // namespace pgwalship
