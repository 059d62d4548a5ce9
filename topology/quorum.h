// Which peers must hold a file before it is acknowledged. The local copy is always required on top.
//     expression := NONE | term { AND term }
//     term       := ANY number ( items ) | ALL ( items )
//     items      := item { , item }
//     item       := * | node name | site:NAME | site:local
// Keywords in any case, as in PostgreSQL's synchronous_standby_names. The pushing node itself never
// counts in a list, so that one expression serves every node. An item may name a node twice (by
// name and by site): it counts once. Pure: no clock, no I/O.
#pragma once

#include "base/result.h"
#include "topology/node_list.h"

#include <string>
#include <string_view>
#include <vector>

namespace pgwalship {

class Quorum {
 public:
  // Any set of peers satisfies it: `NONE`.
  Quorum() = default;

  // kInvalid with the position (from 1) and the reason. `ANY 0` is refused here.
  static Result<Quorum> parse(std::string_view expression);

  // kInvalid for what can never work on one of the nodes: an unknown node or site, a list that is
  // empty there, ANY more than it holds. What passes is satisfied when every peer holds the file.
  Result<void> validate(const NodeList& nodes) const;

  // True when `holders` satisfies every term for a push from `pusher`. The pusher's own bit is
  // ignored. Never false for `NONE`; a list that is empty for this pusher is never satisfied.
  bool satisfied(const NodeList& nodes, NodeId pusher, const NodeSet& holders) const;

  // Peers that a push from `pusher` may need: the union of the lists, without the pusher.
  NodeSet members(const NodeList& nodes, NodeId pusher) const;

  bool is_none() const { return terms_.empty(); }
  // In normal form: upper-case keywords, single spaces.
  std::string text() const;

 private:
  friend struct QuorumParser;
  struct Item {
    enum class Kind { kEveryone, kNode, kSite, kLocalSite };
    Kind kind = Kind::kEveryone;
    std::string name;
  };
  struct Term {
    std::size_t needed = 0;  // 0 means all
    std::vector<Item> items;
  };

  static std::string text(const Term& term);
  // The nodes that the list names, without the pusher.
  static NodeSet members_of(const Term& term, const NodeList& nodes, NodeId pusher);

  std::vector<Term> terms_;
};

// What happens when the quorum does not answer within push-timeout.
enum class OnQuorumLoss {
  kWait,   // the push fails and PostgreSQL tries again: WAL collects in pg_wal
  kLocal,  // below a free-space threshold of pg_wal the local copy alone is acknowledged, loudly
};

// The proof of absence (ARCHITECTURE, I3). `absent` holds the nodes, this one included, that have
// answered "I do not have it" and whose word counts as evidence. True when the others could not, by
// themselves, have satisfied the quorum of any node that may have pushed the file: then it was
// never acknowledged. With OnQuorumLoss::kLocal one silent node is always enough to doubt.
bool absence_proven(const NodeList& nodes, const Quorum& quorum, OnQuorumLoss on_quorum_loss,
                    const NodeSet& absent);

}  // namespace pgwalship
