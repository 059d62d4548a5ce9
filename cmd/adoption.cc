#include "cmd/adoption.h"

#include <algorithm>

namespace pgwalship {
namespace {

std::string key_directory(const Adoption& adoption) {
  const std::string& key = adoption.script.identity;
  return key.empty() ? adoption.home + "/.ssh" : key.substr(0, key.rfind('/'));
}

std::string quorum(const Adoption& adoption) {
  const bool has_sites = std::any_of(adoption.script.nodes.begin(), adoption.script.nodes.end(),
                                     [](const ScriptNode& node) { return !node.site.empty(); });
  return adoption.script.verifies && has_sites ? "ALL (site:local)" : "ANY 1 (*)";
}

std::string command(const Adoption& adoption, const std::string& rest) {
  const bool is_default = adoption.config_path == adoption.default_config;
  return "pgwalship " + (is_default ? "" : "--config " + adoption.config_path + " ") + rest;
}

}  // namespace

std::string adopted_config(const Adoption& adoption) {
  std::string text = "# Written by pgwalship adopt";
  text += adoption.script_path.empty() ? ".\n" : " from '" + adoption.script_path + "'.\n";
  if (!adoption.script.nodes.empty()) {
    text += "# The same file belongs on every node.\n[cluster]\nname = main\n";
    for (const ScriptNode& node : adoption.script.nodes) {
      text += "node = " + node.name + (node.site.empty() ? "" : " site=" + node.site) +
              (adoption.script.port == 22 ? "" : " port=" + std::to_string(adoption.script.port)) +
              "\n";
    }
    if (adoption.script.nodes.size() > 1) {
      text += "quorum = " + quorum(adoption) + "\n";
    }
    text += "\n";
  }
  text += "[archive]\ndirectory = " + adoption.archive + "\n\n[postgres]\n";
  text += adoption.data_directory.empty()
              ? "# So that nothing is lost at a failover; SHOW data_directory prints it:\n"
                "# data-directory = /var/lib/postgresql/15/main\n"
              : "data-directory = " + adoption.data_directory + "\n";
  text += "# So that status and alarms know the server:\n# conninfo = dbname=postgres\n";
  if (adoption.script.nodes.size() > 1) {
    text += "\n[ssh]\n";
    text += adoption.script.user.empty() ? "" : "user = " + adoption.script.user + "\n";
    text += "identity = " + key_directory(adoption) + "/pgwalship\n";
    text += "known-hosts = " + key_directory(adoption) + "/pgwalship_known_hosts\n";
  }
  return text;
}

std::string next_steps(const Adoption& adoption) {
  std::string text = "What is left to do:\n";
  int number = 0;
  const auto step = [&](const std::string& what) {
    text += "  " + std::to_string(++number) + ". " + what + "\n";
  };
  if (adoption.script.nodes.size() > 1) {
    step(
        "on every node: the same configuration, `pgwalship adopt` for its archive, then\n"
        "     " +
        command(adoption, "keys create") +
        "   and append the line that it prints on the "
        "peers,\n     " +
        command(adoption, "keys pin") + "      when every node has its key");
  }
  step(command(adoption, "config --check") + " on every node: no FAIL but archive_command");
  step(
      "in postgresql.conf of every node, the primary last:\n"
      "       archive_mode = on\n"
      "       archive_command = '" +
      command(adoption, "push %p %f") +
      "'\n"
      "       restore_command = '" +
      command(adoption, "fetch %f %p") +
      "'\n"
      "     and reload. In Pacemaker's pgsql resource it is the parameter restore_command.\n"
      "     From then on the script must run nowhere: its rsync --delete removes from the other\n"
      "     nodes what it does not know");
  step(
      "start pgwalshipd on every node, not before: it and the script must not write one archive\n"
      "     at the same time. Pushes fail until then, and PostgreSQL keeps its segments");
  step(command(adoption, "status") + " tells when all archives are equal");
  if (!adoption.script.identity.empty()) {
    step("take the key '" + adoption.script.identity +
         "' out of the authorized_keys of all nodes: it opens a shell there");
  }
  text +=
      "The way back: stop pgwalshipd on every node, then set archive_command to the script again "
      "and\nreload. The archive is still a directory of NAME.gz files that gunzip reads; "
      "remove\n'" +
      adoption.archive +
      "/.pgwalship' when nothing in its quarantine "
      "matters to you.\n";
  return text;
}

}  // namespace pgwalship
