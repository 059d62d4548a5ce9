#include "topology/quorum.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace pgwalship {
namespace {

constexpr std::string_view kSitePrefix = "site:";
constexpr std::size_t kNeededMax = 9999;  // far above any cluster; keeps the number in range

bool is_space(char c) {
  return c == ' ' || c == '\t';
}

char to_upper(char c) {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

bool same_word(std::string_view word, std::string_view keyword) {
  return std::equal(word.begin(), word.end(), keyword.begin(), keyword.end(),
                    [](char a, char b) { return to_upper(a) == to_upper(b); });
}

struct Token {
  std::string_view text;  // one of ( ) , or a word; empty at the end
  std::size_t position = 0;

  bool is(std::string_view keyword) const { return same_word(text, keyword); }
  bool is_word() const { return !text.empty() && text != "(" && text != ")" && text != ","; }
};

// One token ahead of an expression.
class Scanner {
 public:
  explicit Scanner(std::string_view expression) : expression_(expression) { advance(); }

  const Token& peek() const { return token_; }

  Token take() {
    const Token taken = token_;
    advance();
    return taken;
  }

  Result<Token> expect(std::string_view text) {
    if (token_.text != text) {
      return expected("'" + std::string(text) + "'");
    }
    return take();
  }

  Error expected(std::string_view what) const {
    const std::string found =
        token_.text.empty() ? "the end" : "'" + std::string(token_.text) + "'";
    return at(token_, std::string(what) + " expected, found " + found);
  }

  static Error at(const Token& token, std::string_view reason) {
    return Error{Errc::kInvalid,
                 "at character " + std::to_string(token.position) + ": " + std::string(reason), ""};
  }

 private:
  static bool is_punctuation(char c) { return c == '(' || c == ')' || c == ','; }

  void advance() {
    while (next_ < expression_.size() && is_space(expression_[next_])) {
      ++next_;
    }
    const std::size_t start = next_;
    if (next_ < expression_.size() && is_punctuation(expression_[next_])) {
      ++next_;
    } else {
      while (next_ < expression_.size() && !is_space(expression_[next_]) &&
             !is_punctuation(expression_[next_])) {
        ++next_;
      }
    }
    token_ = Token{expression_.substr(start, next_ - start), start + 1};
  }

  std::string_view expression_;
  std::size_t next_ = 0;
  Token token_;
};

Result<std::size_t> parse_needed(Scanner& scanner) {
  const Token token = scanner.peek();
  std::size_t needed = 0;
  const char* end = token.text.data() + token.text.size();
  const auto [stop, code] = std::from_chars(token.text.data(), end, needed);
  if (token.text.empty() || stop != end || code == std::errc::invalid_argument) {
    return scanner.expected("a number");
  }
  if (code != std::errc() || needed > kNeededMax) {
    return Scanner::at(token, "at most " + std::to_string(kNeededMax) + " can be asked for");
  }
  if (needed == 0) {
    Error error = Scanner::at(token, "ANY 0 asks for nothing");
    error.hint = "write NONE when no peer has to hold a segment";
    return error;
  }
  scanner.take();
  return needed;
}

std::size_t count(const NodeSet& set) {
  return static_cast<std::size_t>(std::count(set.begin(), set.end(), true));
}

std::string names_of(const NodeList& nodes) {
  std::string names;
  for (const Node& node : nodes.nodes) {
    names += (names.empty() ? "" : ", ") + node.name;
  }
  return names.empty() ? "no node is listed" : "the nodes are: " + names;
}

bool has_site(const NodeList& nodes, std::string_view site) {
  return std::any_of(nodes.nodes.begin(), nodes.nodes.end(),
                     [site](const Node& node) { return node.site == site; });
}

}  // namespace

// Recursive descent; here and not in the header, which shows what a quorum is and not how it is
// read.
struct QuorumParser {
  using Item = Quorum::Item;
  using Term = Quorum::Term;

  static Result<Item> item(Scanner& scanner) {
    const Token token = scanner.peek();
    if (!token.is_word()) {
      return scanner.expected("a node name, site:NAME, site:local or *");
    }
    scanner.take();
    if (token.text == "*") {
      return Item{Item::Kind::kEveryone, ""};
    }
    if (same_word(token.text.substr(0, kSitePrefix.size()), kSitePrefix)) {
      const std::string_view site = token.text.substr(kSitePrefix.size());
      if (same_word(site, "local")) {
        return Item{Item::Kind::kLocalSite, ""};
      }
      if (!is_valid_name(site)) {
        return Scanner::at(token, "'" + std::string(site) + "' is not the name of a site");
      }
      return Item{Item::Kind::kSite, std::string(site)};
    }
    if (!is_valid_name(token.text)) {
      return Scanner::at(token, "'" + std::string(token.text) + "' is not the name of a node");
    }
    return Item{Item::Kind::kNode, std::string(token.text)};
  }

  static Result<Term> term(Scanner& scanner) {
    Term term;
    if (scanner.peek().is("ANY")) {
      scanner.take();
      TRY_ASSIGN(term.needed, parse_needed(scanner));
    } else if (scanner.peek().is("ALL")) {
      scanner.take();
    } else {
      return scanner.expected("ANY or ALL");
    }
    TRY(scanner.expect("("));
    while (true) {
      TRY_ASSIGN(Item next, item(scanner));
      term.items.push_back(std::move(next));
      if (scanner.peek().text != ",") {
        break;
      }
      scanner.take();
    }
    if (scanner.peek().text != ")") {
      return scanner.expected("',' or ')'");
    }
    scanner.take();
    return term;
  }

  static Result<std::vector<Term>> terms(Scanner& scanner) {
    std::vector<Term> terms;
    if (scanner.peek().is("NONE")) {
      scanner.take();
    } else if (!scanner.peek().is("ANY") && !scanner.peek().is("ALL")) {
      return scanner.expected("NONE, ANY or ALL");
    } else {
      while (true) {
        TRY_ASSIGN(Term next, term(scanner));
        terms.push_back(std::move(next));
        if (!scanner.peek().is("AND")) {
          break;
        }
        scanner.take();
      }
    }
    if (!scanner.peek().text.empty()) {
      return scanner.expected(terms.empty() ? "nothing after NONE" : "AND or nothing more");
    }
    return terms;
  }
};

Result<Quorum> Quorum::parse(std::string_view expression) {
  Scanner scanner(expression);
  Quorum quorum;
  TRY_ASSIGN(quorum.terms_, QuorumParser::terms(scanner));
  return quorum;
}

std::string Quorum::text(const Term& term) {
  std::string text = term.needed == 0 ? "ALL (" : "ANY " + std::to_string(term.needed) + " (";
  const char* separator = "";
  for (const Item& item : term.items) {
    text += separator;
    separator = ", ";
    switch (item.kind) {
      case Item::Kind::kEveryone:
        text += "*";
        break;
      case Item::Kind::kNode:
        text += item.name;
        break;
      case Item::Kind::kSite:
        text += std::string(kSitePrefix) + item.name;
        break;
      case Item::Kind::kLocalSite:
        text += std::string(kSitePrefix) + "local";
        break;
    }
  }
  return text + ")";
}

std::string Quorum::text() const {
  if (is_none()) {
    return "NONE";
  }
  std::string joined;
  for (const Term& term : terms_) {
    joined += (joined.empty() ? "" : " AND ") + text(term);
  }
  return joined;
}

NodeSet Quorum::members_of(const Term& term, const NodeList& nodes, NodeId pusher) {
  NodeSet members(nodes.size(), false);
  for (NodeId id = 0; id < nodes.size(); ++id) {
    const Node& node = nodes.at(id);
    members[id] =
        id != pusher && std::any_of(term.items.begin(), term.items.end(), [&](const Item& item) {
          switch (item.kind) {
            case Item::Kind::kEveryone:
              return true;
            case Item::Kind::kNode:
              return node.name == item.name;
            case Item::Kind::kSite:
              return node.site == item.name;
            case Item::Kind::kLocalSite:
              return !node.site.empty() && node.site == nodes.at(pusher).site;
          }
          return false;
        });
  }
  return members;
}

Result<void> Quorum::validate(const NodeList& nodes) const {
  for (const Term& term : terms_) {
    for (const Item& item : term.items) {
      if (item.kind == Item::Kind::kNode && !nodes.find(item.name)) {
        return Error{Errc::kInvalid, "node '" + item.name + "' is not listed", names_of(nodes)};
      }
      if (item.kind == Item::Kind::kSite && !has_site(nodes, item.name)) {
        return Error{Errc::kInvalid, "no node has site '" + item.name + "'", names_of(nodes)};
      }
    }
    if (nodes.size() == 0) {
      return Error{Errc::kInvalid, text(term) + " can never hold: no node is listed",
                   "list the nodes, or write NONE"};
    }
    for (NodeId pusher = 0; pusher < nodes.size(); ++pusher) {
      const std::size_t held = count(members_of(term, nodes, pusher));
      if (held == 0 || held < term.needed) {
        return Error{
            Errc::kInvalid,
            text(term) + " can never hold on node '" + nodes.at(pusher).name + "': it names " +
                (held == 0 ? "no" : "only " + std::to_string(held)) +
                (held == 1 ? " other node" : " other nodes"),
            "a node never counts in its own list, and every node uses the same expression; where "
            "one is alone at its site, name the other site instead of site:local"};
      }
    }
  }
  return {};
}

bool Quorum::satisfied(const NodeList& nodes, NodeId pusher, const NodeSet& holders) const {
  CHECK(holders.size() == nodes.size());
  return std::all_of(terms_.begin(), terms_.end(), [&](const Term& term) {
    const NodeSet members = members_of(term, nodes, pusher);
    std::size_t held = 0;
    for (NodeId id = 0; id < nodes.size(); ++id) {
      held += members[id] && holders[id] ? 1 : 0;
    }
    const std::size_t listed = count(members);
    return listed > 0 && held >= (term.needed == 0 ? listed : term.needed);
  });
}

NodeSet Quorum::members(const NodeList& nodes, NodeId pusher) const {
  NodeSet all(nodes.size(), false);
  for (const Term& term : terms_) {
    const NodeSet members = members_of(term, nodes, pusher);
    for (NodeId id = 0; id < nodes.size(); ++id) {
      all[id] = all[id] || members[id];
    }
  }
  return all;
}

bool absence_proven(const NodeList& nodes, const Quorum& quorum, OnQuorumLoss on_quorum_loss,
                    const NodeSet& absent) {
  CHECK(absent.size() == nodes.size());
  NodeSet silent = absent;
  silent.flip();
  for (NodeId pusher = 0; pusher < nodes.size(); ++pusher) {
    if (!silent[pusher]) {
      continue;  // it would hold its own copy
    }
    // The more holders, the sooner a quorum is satisfied: all silent nodes together decide it.
    if (on_quorum_loss == OnQuorumLoss::kLocal || quorum.satisfied(nodes, pusher, silent)) {
      return false;
    }
  }
  return true;
}

}  // namespace pgwalship
