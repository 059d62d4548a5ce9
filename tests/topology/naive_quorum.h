// A second quorum, written from README ("Quorum") and ARCHITECTURE (I3) alone, with own code: slow,
// the text cut apart again for each question, sets of names, every subset tried. The randomised
// test compares the two.
#pragma once

#include <set>
#include <string>
#include <vector>

namespace pgwalship::naive {

struct Host {
  std::string name;
  std::string site;
};

using Names = std::set<std::string>;

bool accepts(const std::string& expression);
bool satisfied(const std::string& expression, const std::vector<Host>& hosts,
               const std::string& pusher, const Names& holders);
// Every name and site is known, and on every host the expression holds if all peers hold the file.
bool can_hold(const std::string& expression, const std::vector<Host>& hosts);

enum class Loss { kWait, kLocal };
// Tries every host as the pusher with every set of holders out of those that are silent.
bool absent_for_sure(const std::string& expression, const std::vector<Host>& hosts, Loss loss,
                     const Names& answered_absent);

}  // namespace pgwalship::naive
