#include "cmd/ini.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace pgwalship {
namespace {

constexpr std::string_view kBlanks = " \t\r";

bool is_blank(char c) {
  return kBlanks.find(c) != std::string_view::npos;
}

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) {
    return {};
  }
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

std::string_view without_comment(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '#' && (i == 0 || is_blank(text[i - 1]))) {
      return text.substr(0, i);
    }
  }
  return text;
}

bool is_word(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
  });
}

// Reads one line after the other into an IniText.
class Reader {
 public:
  void read_line(std::string_view raw) {
    const std::string_view line = trim(without_comment(raw));
    if (line.empty() || line.front() == ';') {
      return;
    }
    if (line.find('\0') != std::string_view::npos) {
      problem("a NUL character: this is not a text file");
    } else if (line.front() == '[') {
      read_heading(line);
    } else {
      read_entry(line);
    }
  }

  void next_line() { ++line_; }

  IniText take() {
    text_.last_line = std::max(line_, 1);
    return std::move(text_);
  }

 private:
  void problem(std::string what) { text_.problems.push_back({line_, std::move(what)}); }

  void read_heading(std::string_view line) {
    const std::string_view name = trim(line.substr(1, line.size() - 2));
    if (line.size() < 2 || line.back() != ']' || !is_word(name)) {
      problem("'" + std::string(line) + "' is not a section: write [name]");
      section_.reset();
      in_broken_section_ = true;
      return;
    }
    section_ = std::string(name);
    text_.sections.push_back({line_, *section_});
  }

  void read_entry(std::string_view line) {
    const auto equals = line.find('=');
    const std::string_view key = trim(line.substr(0, equals));
    if (equals == std::string_view::npos || !is_word(key)) {
      problem("'" + std::string(line) + "' is not understood: write key = value");
      return;
    }
    if (!section_) {
      if (!in_broken_section_) {
        problem(std::string(key) + ": stands before the first [section]");
      }
      return;  // below a heading that was a problem already
    }
    text_.entries.push_back(
        {line_, *section_, std::string(key), std::string(trim(line.substr(equals + 1)))});
  }

  IniText text_;
  int line_ = 0;
  std::optional<std::string> section_;
  bool in_broken_section_ = false;  // meaningful without a section_
};

}  // namespace

IniText parse_ini(std::string_view text) {
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (text.substr(0, kByteOrderMark.size()) == kByteOrderMark) {
    text.remove_prefix(kByteOrderMark.size());
  }
  Reader reader;
  while (!text.empty()) {
    const auto end = text.find('\n');
    reader.next_line();
    reader.read_line(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return reader.take();
}

}  // namespace pgwalship
