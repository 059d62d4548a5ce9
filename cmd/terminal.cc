#include "cmd/terminal.h"

#include "base/fd.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <sys/ioctl.h>
#include <tuple>
#include <unistd.h>
#include <utility>
#include <vector>

namespace pgwalship {
namespace {

constexpr std::size_t kUsualWidth = 80;
constexpr std::size_t kUsualHeight = 24;
constexpr std::size_t kBarWidth = 20;
constexpr std::chrono::milliseconds kInterval{200};
// A rate and a time to go before this are guesses.
constexpr std::chrono::milliseconds kFirstEstimate{500};

// ECMA-48 "select graphic rendition".
std::string_view code_of(Shade shade) {
  switch (shade) {
    case Shade::kGood:
      return "\033[32m";
    case Shade::kAttention:
      return "\033[33m";
    case Shade::kBad:
      return "\033[1;31m";
    case Shade::kHeading:
      return "\033[1m";
    case Shade::kFaint:
      return "\033[2m";
    case Shade::kPlain:
      break;
  }
  return "";
}

// "\033[1;31m" is no column, and of the bytes of a character in UTF-8 the first alone is one.
std::size_t visible_columns(std::string_view line) {
  std::size_t columns = 0;
  bool in_code = false;
  for (const char c : line) {
    constexpr unsigned kContinuationMask = 0xC0;
    constexpr unsigned kContinuation = 0x80;
    if (c == '\033') {
      in_code = true;
    } else if (in_code) {
      in_code = c != 'm';
    } else if (c != '\n' && (static_cast<unsigned char>(c) & kContinuationMask) != kContinuation) {
      ++columns;
    }
  }
  return columns;
}

std::string bar(std::uint64_t done, std::uint64_t all) {
  const auto full = static_cast<std::size_t>(static_cast<double>(kBarWidth) *
                                             static_cast<double>(done) / static_cast<double>(all));
  return " [" + std::string(full, '#') + std::string(kBarWidth - full, ' ') + "]";
}

}  // namespace

Colours colours_of(int fd) {
  const char* term = std::getenv("TERM");
  const char* no_color = std::getenv("NO_COLOR");
  const bool can = term != nullptr && std::string_view(term) != "dumb";
  const bool may = no_color == nullptr || *no_color == '\0';
  return can && may && isatty(fd) == 1 ? Colours::kOn : Colours::kOff;
}

std::string shaded(std::string_view text, Shade shade, Colours colours) {
  const std::string_view code = colours == Colours::kOn ? code_of(shade) : "";
  return code.empty() ? std::string(text) : std::string(code) + std::string(text) + "\033[0m";
}

std::size_t terminal_width(int fd) {
  winsize size{};
  return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : kUsualWidth;
}

std::size_t terminal_height(int fd) {
  winsize size{};
  return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 ? size.ws_row : kUsualHeight;
}

std::string fitted(std::string_view text, std::size_t columns, std::size_t rows) {
  struct Line {
    std::string_view text;
    std::size_t rows;
  };
  std::vector<Line> lines;
  std::size_t all = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size() - 1) + 1;
    const std::string_view line = text.substr(0, end);
    const std::size_t taken =
        (std::max<std::size_t>(visible_columns(line), 1) + columns - 1) / columns;
    lines.push_back({line, taken});
    all += taken;
    text.remove_prefix(end);
  }
  std::string shown;
  std::size_t used = 0;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    // One for the line that tells of the rest.
    if (all > rows && used + lines[i].rows + 1 > rows) {
      return shown + "... " + std::to_string(lines.size() - i) +
             " more lines, in a larger window\n";
    }
    used += lines[i].rows;
    shown += lines[i].text;
  }
  return shown;
}

std::string progress_text(const Progress& progress, std::size_t width) {
  const std::uint64_t done =
      progress.all > 0 ? std::min(progress.done, progress.all) : progress.done;
  std::string text = progress.what;
  if (progress.all > 0) {
    text += bar(done, progress.all);
  }
  text += " " + std::to_string(done);
  if (progress.all > 0) {
    text += " of " + std::to_string(progress.all);
  }
  const double seconds = std::chrono::duration<double>(progress.elapsed).count();
  if (progress.elapsed >= kFirstEstimate) {
    if (progress.bytes > 0) {
      text += ", " + rounded_size(static_cast<double>(progress.bytes) / seconds) + "/s";
    }
    if (done > 0 && done < progress.all) {
      const double each = seconds / static_cast<double>(done);
      text += ", " + rounded_time(each * static_cast<double>(progress.all - done)) + " to go";
    }
  }
  if (!progress.now.empty() && text.size() + 2 + progress.now.size() <= width) {
    text += ": " + progress.now;
  }
  return text.substr(0, width);
}

std::string rounded_number(double value) {
  std::array<char, 64> text{};
  const bool is_small = value < 10 && value != static_cast<double>(static_cast<int>(value));
  std::snprintf(text.data(), text.size(), is_small ? "%.1f" : "%.0f", value);
  return text.data();
}

std::string rounded_size(double bytes) {
  static constexpr std::array kUnits{"B", "kB", "MB", "GB", "TB"};
  std::size_t unit = 0;
  for (; bytes >= 1024 && unit + 1 < kUnits.size(); ++unit) {
    bytes /= 1024;
  }
  return rounded_number(bytes) + " " + kUnits[unit];
}

std::string rounded_time(double seconds) {
  struct Unit {
    double seconds;
    const char* name;
  };
  for (const Unit& unit : {Unit{86400, "days"}, Unit{3600, "h"}, Unit{60, "min"}}) {
    if (seconds >= 2 * unit.seconds) {
      return std::to_string(static_cast<std::int64_t>(seconds / unit.seconds)) + " " + unit.name;
    }
  }
  return rounded_number(seconds) + " s";
}

ProgressLine::ProgressLine(const Clock& clock)
    : clock_(clock), is_terminal_(isatty(STDERR_FILENO) == 1), began_(clock.now()) {}

void ProgressLine::show(Progress progress) {
  if (is_due()) {
    progress.elapsed = clock_.now() - began_;
    write(progress_text(progress, terminal_width(STDERR_FILENO) - 1));
  }
}

void ProgressLine::show_text(std::string_view text) {
  if (is_due()) {
    write(text.substr(0, terminal_width(STDERR_FILENO) - 1));
  }
}

void ProgressLine::clear() {
  if (std::exchange(shown_, false)) {
    std::ignore = write_full(STDERR_FILENO, as_bytes("\r\033[K"), "write");
    next_ = {};  // what was there is drawn again at once
  }
}

bool ProgressLine::is_due() {
  return is_terminal_ && clock_.now() >= next_;
}

void ProgressLine::write(std::string_view text) {
  next_ = clock_.now() + kInterval;
  shown_ = true;
  // Who closed the terminal wants no progress.
  std::ignore =
      write_full(STDERR_FILENO, as_bytes("\r\033[K" + std::string(text)), "write progress");
}

}  // namespace pgwalship
