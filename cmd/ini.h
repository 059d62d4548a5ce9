// INI text, taken apart without knowing what it means:
//     # comment        ; comment        [section]        key = value   # comment
// Blanks around names and values go; a comment starts a line or follows a blank. Values are raw: no
// quotes, no escapes, no continuation lines. Total: every line becomes an entry or a problem.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pgwalship {

struct IniEntry {
  int line = 0;
  std::string section;
  std::string key;
  std::string value;
};

struct IniSection {
  int line = 0;
  std::string name;
};

struct IniProblem {
  int line = 0;
  std::string what;
};

struct IniText {
  std::vector<IniSection> sections;  // each heading, in order; a section may come twice
  std::vector<IniEntry> entries;     // each key, in order; a key may come twice
  std::vector<IniProblem> problems;
  int last_line = 1;
};

IniText parse_ini(std::string_view text);

}  // namespace pgwalship
