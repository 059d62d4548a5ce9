// An archive script as high-availability tutorials teach it (gzip, then rsync to every other node),
// read for what it knows about the cluster. Its text is looked at and never executed: assignments
// of plain words, quoted strings and arrays, and what they say of each other through $NAME. What
// needs a shell (commands, substitutions) is left out. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pgwalship {

struct ScriptNode {
  std::string name;
  std::string site;  // of sitea_nodes="...": "sitea"; empty when there is only one list

  friend bool operator==(const ScriptNode&, const ScriptNode&) = default;
};

struct TutorialScript {
  std::string archive_directory;  // empty: it does not say
  std::string identity;           // the key that it gives to ssh
  std::string user;               // whom it logs in as
  std::uint16_t port = 22;
  std::vector<ScriptNode> nodes;     // in the order of the script
  bool verifies = false;             // it fails when some of the nodes are not reached
  std::vector<std::string> remarks;  // what is wrong with it, "line 30: ..."
};

TutorialScript read_tutorial_script(std::string_view text);

}  // namespace pgwalship
