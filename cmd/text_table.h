// A table for a terminal: columns as wide as their widest cell, two blanks apart; columns that are
// empty throughout are left out. Pure.
#pragma once

#include "cmd/terminal.h"

#include <string>
#include <vector>

namespace pgwalship {

class TextTable {
 public:
  struct Cell {
    Cell(std::string t) : text(std::move(t)) {}  // NOLINT(google-explicit-constructor)
    Cell(const char* t) : text(t) {}             // NOLINT(google-explicit-constructor)
    Cell(std::string t, Shade s) : text(std::move(t)), shade(s) {}

    std::string text;
    Shade shade = Shade::kPlain;
  };

  explicit TextTable(std::vector<std::string> heading);
  // REQUIRES: as many cells as the heading has.
  void add(std::vector<Cell> row) { rows_.push_back(std::move(row)); }
  // Each line begins with two blanks and ends with a line break.
  std::string text(Colours colours) const;

 private:
  std::vector<std::vector<Cell>> rows_;  // the first is the heading
};

}  // namespace pgwalship
