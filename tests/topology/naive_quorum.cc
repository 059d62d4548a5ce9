#include "tests/topology/naive_quorum.h"

#include <algorithm>
#include <cctype>
#include <optional>
#include <sstream>

namespace pgwalship::naive {
namespace {

struct Clause {
  std::string number;  // empty for ALL
  std::vector<std::string> items;
};
using Clauses = std::vector<Clause>;

std::string lower(std::string text) {
  for (char& c : text) {
    c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return text;
}

std::vector<std::string> split_at_spaces(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) {
    words.push_back(word);
  }
  return words;
}

bool is_made_of(const std::string& text, const std::string& characters) {
  return !text.empty() && text.find_first_not_of(characters) == std::string::npos;
}

bool names_site(const std::string& item) {
  return lower(item).rfind("site:", 0) == 0;
}

bool is_item(const std::string& item) {
  return item == "*" ||
         is_made_of(names_site(item) ? item.substr(5) : item,
                    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_");
}

std::optional<std::vector<std::string>> read_items(const std::string& list) {
  std::vector<std::string> items;
  std::string rest = list + ",";
  while (!rest.empty()) {
    const auto words = split_at_spaces(rest.substr(0, rest.find(',')));
    if (words.size() != 1 || !is_item(words[0])) {
      return std::nullopt;
    }
    items.push_back(words[0]);
    rest.erase(0, rest.find(',') + 1);
  }
  return items;
}

// Cuts the text at its closing parentheses.
std::optional<Clauses> read(const std::string& expression) {
  if (split_at_spaces(lower(expression)) == std::vector<std::string>{"none"}) {
    return Clauses{};
  }
  Clauses clauses;
  std::string rest = expression;
  while (rest.find(')') != std::string::npos) {
    const std::string piece = rest.substr(0, rest.find(')'));
    rest.erase(0, piece.size() + 1);
    const auto open = piece.find('(');
    if (open == std::string::npos) {
      return std::nullopt;
    }
    std::vector<std::string> head = split_at_spaces(lower(piece.substr(0, open)));
    if (!clauses.empty()) {
      if (head.empty() || head[0] != "and") {
        return std::nullopt;
      }
      head.erase(head.begin());
    }
    const bool all = head == std::vector<std::string>{"all"};
    const bool any = head.size() == 2 && head[0] == "any" && is_made_of(head[1], "0123456789") &&
                     std::stod(head[1]) >= 1 && std::stod(head[1]) <= 9999;
    const auto items = read_items(piece.substr(open + 1));
    if ((!all && !any) || !items) {
      return std::nullopt;
    }
    clauses.push_back({any ? head[1] : "", *items});
  }
  if (clauses.empty() || !split_at_spaces(rest).empty()) {
    return std::nullopt;
  }
  return clauses;
}

Names expand(const Clause& clause, const std::vector<Host>& hosts, const std::string& pusher) {
  std::string site_of_pusher;
  for (const Host& host : hosts) {
    if (host.name == pusher) {
      site_of_pusher = host.site;
    }
  }
  Names names;
  for (const std::string& item : clause.items) {
    const std::string site = lower(item) == "site:local" ? site_of_pusher
                             : names_site(item)          ? item.substr(5)
                                                         : "";
    for (const Host& host : hosts) {
      if (item == "*" || item == host.name || (!site.empty() && host.site == site)) {
        names.insert(host.name);
      }
    }
  }
  names.erase(pusher);
  return names;
}

bool clause_satisfied(const Clause& clause, const std::vector<Host>& hosts,
                      const std::string& pusher, const Names& holders) {
  const Names wanted = expand(clause, hosts, pusher);
  Names have;
  std::set_intersection(wanted.begin(), wanted.end(), holders.begin(), holders.end(),
                        std::inserter(have, have.end()));
  return clause.number.empty() ? !wanted.empty() && have == wanted
                               : have.size() >= std::stoul(clause.number);
}

}  // namespace

bool accepts(const std::string& expression) {
  return read(expression).has_value();
}

bool satisfied(const std::string& expression, const std::vector<Host>& hosts,
               const std::string& pusher, const Names& holders) {
  const std::optional<Clauses> clauses = read(expression);
  for (const Clause& clause : clauses.value()) {
    if (!clause_satisfied(clause, hosts, pusher, holders)) {
      return false;
    }
  }
  return true;
}

bool can_hold(const std::string& expression, const std::vector<Host>& hosts) {
  Names names;
  Names sites;
  for (const Host& host : hosts) {
    names.insert(host.name);
    sites.insert(host.site);
  }
  const std::optional<Clauses> clauses = read(expression);
  for (const Clause& clause : clauses.value()) {
    for (const std::string& item : clause.items) {
      const bool known = item == "*" || lower(item) == "site:local" || names.count(item) > 0 ||
                         (names_site(item) && sites.count(item.substr(5)) > 0);
      if (!known) {
        return false;
      }
    }
  }
  return std::all_of(hosts.begin(), hosts.end(), [&](const Host& host) {
    return satisfied(expression, hosts, host.name, names);
  });
}

bool absent_for_sure(const std::string& expression, const std::vector<Host>& hosts, Loss loss,
                     const Names& answered_absent) {
  for (const Host& pusher : hosts) {
    for (unsigned subset = 0; subset < (1U << hosts.size()); ++subset) {
      Names holders;
      for (std::size_t bit = 0; bit < hosts.size(); ++bit) {
        if ((subset >> bit & 1U) != 0) {
          holders.insert(hosts[bit].name);
        }
      }
      const bool possible = holders.count(pusher.name) > 0 &&
                            std::none_of(holders.begin(), holders.end(), [&](const auto& name) {
                              return answered_absent.count(name) > 0;
                            });
      if (possible &&
          (loss == Loss::kLocal || satisfied(expression, hosts, pusher.name, holders))) {
        return false;
      }
    }
  }
  return true;
}

}  // namespace pgwalship::naive
