#include "cmd/text_table.h"

#include <algorithm>

namespace pgwalship {

TextTable::TextTable(std::vector<std::string> heading) {
  std::vector<Cell>& row = rows_.emplace_back();
  for (std::string& text : heading) {
    row.emplace_back(std::move(text), Shade::kFaint);
  }
}

std::string TextTable::text(Colours colours) const {
  const std::size_t columns = rows_.front().size();
  std::vector<std::size_t> widths(columns, 0);
  for (std::size_t column = 0; column < columns; ++column) {
    for (std::size_t row = 1; row < rows_.size(); ++row) {
      widths[column] = std::max(widths[column], rows_[row][column].text.size());
    }
    if (widths[column] > 0) {
      widths[column] = std::max(widths[column], rows_.front()[column].text.size());
    }
  }
  std::string text;
  for (const auto& row : rows_) {
    std::size_t blanks = 0;  // written only when more follows
    for (std::size_t column = 0; column < columns; ++column) {
      if (widths[column] == 0) {
        continue;
      }
      const Cell& cell = row[column];
      blanks += 2;
      if (!cell.text.empty()) {
        text += std::string(blanks, ' ') + shaded(cell.text, cell.shade, colours);
        blanks = 0;
      }
      blanks += widths[column] - cell.text.size();
    }
    text += "\n";
  }
  return text;
}

}  // namespace pgwalship
