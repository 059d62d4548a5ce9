#include "base/random.h"
#include "tests/topology/naive_quorum.h"
#include "topology/quorum.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

namespace pgwalship {
namespace {

constexpr std::size_t kNodesMax = 5;

// Throws the dice for clusters and expressions; one seed, one story.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : random_(seed) {}

  NodeList nodes() {
    static const std::vector<std::string> sites = {"", "east", "west", "west"};
    NodeList list;
    const std::size_t size = 1 + random_.below(kNodesMax);
    for (std::size_t i = 0; i < size; ++i) {
      list.nodes.push_back(Node{"n" + std::to_string(i), one_of(sites), "127.0.0.1"});
    }
    return list;
  }

  std::string expression() {
    if (random_.one_in(20)) {
      return space() + word("NONE") + space();
    }
    std::string text = space() + term();
    while (random_.one_in(2)) {
      text += space() + word("AND") + " " + space() + term();
    }
    return text + space();
  }

  // The expression with one character added, dropped or changed.
  std::string damaged(std::string text) {
    static const std::string characters = "()*,:; 019aAnN.-_/";
    const std::string other(1, characters[random_.below(characters.size())]);
    const std::size_t at = random_.below(text.size());
    switch (random_.below(3)) {
      case 0:
        return text.insert(at, other);
      case 1:
        return text.erase(at, 1);
      default:
        return text.replace(at, 1, other);
    }
  }

 private:
  std::string one_of(const std::vector<std::string>& all) { return all[random_.below(all.size())]; }

  std::string space() { return std::string(random_.below(3), ' '); }

  std::string word(std::string text) {
    for (char& c : text) {
      if (c >= 'A' && c <= 'Z' && random_.one_in(4)) {
        c = static_cast<char>(c - 'A' + 'a');
      }
    }
    return text;
  }

  std::string item() {
    switch (random_.below(8)) {
      case 0:
        return "*";
      case 1:
        return "site:local";
      case 2:
        return "site:east";
      case 3:
        return "site:west";
      default:
        return "n" + std::to_string(random_.below(kNodesMax));
    }
  }

  std::string term() {
    std::string text = random_.one_in(2)
                           ? word("ALL")
                           : word("ANY") + " " + space() + std::to_string(1 + random_.below(3));
    text += space() + "(" + space() + item();
    while (random_.one_in(2)) {
      text += space() + "," + space() + item();
    }
    return text + space() + ")";
  }

  Random random_;
};

struct Both {
  NodeList nodes;
  std::vector<naive::Host> hosts;
  std::string expression;
};

Both throw_dice(Dice& dice) {
  Both both{dice.nodes(), {}, dice.expression()};
  for (const Node& node : both.nodes.nodes) {
    both.hosts.push_back({node.name, node.site});
  }
  return both;
}

NodeSet set_of(const Both& both, unsigned bits) {
  NodeSet set(both.nodes.size(), false);
  for (std::size_t id = 0; id < both.nodes.size(); ++id) {
    set[id] = (bits >> id & 1U) != 0;
  }
  return set;
}

naive::Names names_of(const Both& both, unsigned bits) {
  naive::Names names;
  for (std::size_t id = 0; id < both.nodes.size(); ++id) {
    if ((bits >> id & 1U) != 0) {
      names.insert(both.nodes.at(id).name);
    }
  }
  return names;
}

void compare(const Both& both) {
  const auto parsed = Quorum::parse(both.expression);
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  const Quorum& quorum = parsed.value();
  EXPECT_EQ(quorum.validate(both.nodes).ok(), naive::can_hold(both.expression, both.hosts));
  const auto again = Quorum::parse(quorum.text());
  ASSERT_TRUE(again.ok()) << quorum.text();
  EXPECT_EQ(again.value().text(), quorum.text());

  for (unsigned bits = 0; bits < (1U << both.nodes.size()); ++bits) {
    const NodeSet set = set_of(both, bits);
    const naive::Names names = names_of(both, bits);
    for (NodeId pusher = 0; pusher < both.nodes.size(); ++pusher) {
      const bool expected =
          naive::satisfied(both.expression, both.hosts, both.nodes.at(pusher).name, names);
      ASSERT_EQ(quorum.satisfied(both.nodes, pusher, set), expected)
          << "pusher " << pusher << " holders " << bits;
      ASSERT_EQ(again.value().satisfied(both.nodes, pusher, set), expected) << quorum.text();
    }
  }
}

void compare_absence(const Both& both) {
  const auto parsed = Quorum::parse(both.expression);
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  for (unsigned bits = 0; bits < (1U << both.nodes.size()); ++bits) {
    const NodeSet absent = set_of(both, bits);
    const naive::Names names = names_of(both, bits);
    ASSERT_EQ(absence_proven(both.nodes, parsed.value(), OnQuorumLoss::kWait, absent),
              naive::absent_for_sure(both.expression, both.hosts, naive::Loss::kWait, names))
        << "absent " << bits;
    ASSERT_EQ(absence_proven(both.nodes, parsed.value(), OnQuorumLoss::kLocal, absent),
              naive::absent_for_sure(both.expression, both.hosts, naive::Loss::kLocal, names))
        << "absent " << bits;
  }
}

TEST(QuorumRandom, AgreesWithTheNaiveOne) {
  for (std::uint64_t seed = 1; seed <= 500; ++seed) {
    Dice dice(seed);
    const Both both = throw_dice(dice);
    SCOPED_TRACE("seed " + std::to_string(seed) + ": " + both.expression);
    ASSERT_NO_FATAL_FAILURE(compare(both));
  }
}

TEST(QuorumRandom, H25ProvesAbsenceAsTheNaiveOneDoes) {
  for (std::uint64_t seed = 1001; seed <= 1300; ++seed) {
    Dice dice(seed);
    const Both both = throw_dice(dice);
    SCOPED_TRACE("seed " + std::to_string(seed) + ": " + both.expression);
    ASSERT_NO_FATAL_FAILURE(compare_absence(both));
  }
}

TEST(QuorumRandom, AcceptsDamagedExpressionsOnlyWhenTheNaiveOneDoes) {
  int accepted = 0;
  int refused = 0;
  for (std::uint64_t seed = 2001; seed <= 3000; ++seed) {
    Dice dice(seed);
    const std::string text = dice.damaged(dice.expression());
    const bool ok = Quorum::parse(text).ok();
    ASSERT_EQ(ok, naive::accepts(text)) << "seed " << seed << ": " << text;
    (ok ? accepted : refused) += 1;
  }
  EXPECT_GT(accepted, 100);
  EXPECT_GT(refused, 100);
}

}  // namespace
}  // namespace pgwalship
