// What a person at a terminal sees and a program that reads the output does not: colour, and one
// line of progress that is written over. The functions are pure; ProgressLine writes to stderr.
#pragma once

#include "base/clock.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace pgwalship {

enum class Shade { kPlain, kGood, kAttention, kBad, kHeading, kFaint };
enum class Colours { kOff, kOn };

// On when `fd` is a terminal that can show them and NO_COLOR (no-color.org) is not set.
Colours colours_of(int fd);
// `text` in the shade, or as it is.
std::string shaded(std::string_view text, Shade shade, Colours colours);

// Columns of the terminal behind `fd`; 80 when it does not say.
std::size_t terminal_width(int fd);

// Lines of the terminal behind `fd`; 24 when it does not say.
std::size_t terminal_height(int fd);

// As many lines of `text` as fit a screen, the last one for how many are left out. Colours take no
// room.
std::string fitted(std::string_view text, std::size_t columns, std::size_t rows);

struct Progress {
  std::string what;  // "verified"
  std::uint64_t done = 0;
  std::uint64_t all = 0;    // 0: not known
  std::uint64_t bytes = 0;  // 0: no rate is shown
  Duration elapsed{};
  std::string now = {};  // the file that is worked on; the first to go when there is no room
};
// "verified [#####     ] 120 of 400, 95 MB/s, 3 s to go", at most `width` columns.
std::string progress_text(const Progress& progress, std::size_t width);

// "95 MB", "1.5 kB"; powers of 1024. For reading, not for a configuration: rounded.
std::string rounded_size(double bytes);
// "1.5", "12": one digit behind the point below ten.
std::string rounded_number(double value);
// "59 s", "2 min", "3 days": in the largest unit of which there are two.
std::string rounded_time(double seconds);

// One line on stderr, at most every 200 ms; nothing when stderr is no terminal. clear() before
// anything else is written to the terminal. Not thread safe.
class ProgressLine {
 public:
  explicit ProgressLine(const Clock& clock);
  ~ProgressLine() { clear(); }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  // Since when it runs is filled in here.
  void show(Progress progress);
  // A line that somebody else made.
  void show_text(std::string_view text);
  void clear();

 private:
  bool is_due();
  void write(std::string_view text);

  const Clock& clock_;
  const bool is_terminal_;
  const TimePoint began_;
  TimePoint next_{};
  bool shown_ = false;
};

}  // namespace pgwalship
