// The daemon's log. Levels say who must act: error - somebody, now; warning - somebody, soon;
// info - nobody, a change of state; debug - for a developer. One line per change of state, never
// per retry (H48). The only place that knows spdlog; one process has one Log, made in main and
// passed by reference. Any thread.
#pragma once

#include "base/journal.h"
#include "base/result.h"

#include <memory>
#include <string>
#include <string_view>

namespace pgwalship {

enum class LogLevel { kDebug, kInfo, kWarning, kError };
enum class LogTarget { kStderr, kSyslog, kJournal };

Result<LogLevel> parse_log_level(std::string_view word);    // debug, info, warning, error
Result<LogTarget> parse_log_target(std::string_view word);  // stderr, syslog, journal

class Log {
 public:
  // kJournal speaks to systemd's journal, with the fields. While that does not take it: to stderr,
  // with the sd-daemon(3) priority prefix that systemd reads there.
  Log(LogLevel level, LogTarget target, JournalSocket journal = JournalSocket());
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  // `fields` are for programs that search; the line says it all to people. Only the journal keeps
  // them.
  void write(LogLevel level, std::string_view line, const LogFields& fields = {});
  void debug(std::string_view line) { write(LogLevel::kDebug, line); }
  void info(std::string_view line) { write(LogLevel::kInfo, line); }
  void warning(std::string_view line) { write(LogLevel::kWarning, line); }
  void error(std::string_view line) { write(LogLevel::kError, line); }
  void set_level(LogLevel level);

 private:
  struct Sink;
  std::unique_ptr<Sink> sink_;
};

}  // namespace pgwalship
