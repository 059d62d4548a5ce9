#include "cmd/known_hosts.h"

#include <algorithm>
#include <sstream>

namespace pgwalship {
namespace {

// NAMES TYPE BASE64 [comment]; nothing for comments, markers and what is none of these.
struct Entry {
  std::vector<std::string> names;
  PinnedKey key;
};

Entry parse_line(const std::string& line) {
  std::istringstream words(line);
  std::string names;
  Entry entry;
  words >> names >> entry.key.type >> entry.key.base64;
  if (names.empty() || names.front() == '#' || names.front() == '@' || entry.key.base64.empty()) {
    return {};
  }
  std::istringstream list(names);
  for (std::string name; std::getline(list, name, ',');) {
    entry.names.push_back(name);
  }
  return entry;
}

std::vector<std::string> lines_of(std::string_view text) {
  std::istringstream in{std::string(text)};
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) {
    lines.push_back(line);
  }
  return lines;
}

}  // namespace

std::string known_hosts_entry_name(const std::string& host, std::uint16_t port) {
  return port == 22 ? host : "[" + host + "]:" + std::to_string(port);
}

std::vector<PinnedKey> pinned_keys(std::string_view text, std::string_view name) {
  std::vector<PinnedKey> keys;
  for (const std::string& line : lines_of(text)) {
    Entry entry = parse_line(line);
    if (std::find(entry.names.begin(), entry.names.end(), name) != entry.names.end()) {
      keys.push_back(std::move(entry.key));
    }
  }
  return keys;
}

std::string with_pinned_key(std::string_view text, std::string_view name, const PinnedKey& key) {
  std::string all(text);
  if (!all.empty() && all.back() != '\n') {
    all += '\n';
  }
  return all + std::string(name) + " " + key.type + " " + key.base64 + "\n";
}

std::string without_pinned_keys(std::string_view text, std::string_view name) {
  std::string kept;
  for (const std::string& line : lines_of(text)) {
    const Entry entry = parse_line(line);
    if (std::find(entry.names.begin(), entry.names.end(), name) == entry.names.end()) {
      kept += line + "\n";
      continue;
    }
    std::string others;
    for (const std::string& other : entry.names) {
      if (other != name) {
        others += (others.empty() ? "" : ",") + other;
      }
    }
    if (!others.empty()) {
      kept += others + " " + entry.key.type + " " + entry.key.base64 + "\n";
    }
  }
  return kept;
}

}  // namespace pgwalship
