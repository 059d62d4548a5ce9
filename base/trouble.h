// Something that fails again and again is one line in the log: when it begins, and again only when
// the reason changes (H48).
#pragma once

#include <string>
#include <string_view>

namespace pgwalship {

class Trouble {
 public:
  // True when it is to be said.
  bool begins(std::string_view reason) {
    if (reason == reason_) {
      return false;
    }
    reason_ = reason;
    return true;
  }
  void ends() { reason_.clear(); }

 private:
  std::string reason_;  // empty: there is none
};

}  // namespace pgwalship
