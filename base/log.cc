#include "base/log.h"

#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/sinks/syslog_sink.h>

#include <syslog.h>
#include <utility>

namespace pgwalship {

namespace {

constexpr char kSyslogName[] = "pgwalship";

spdlog::level::level_enum spdlog_level(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

// sd-daemon(3)
std::string_view journal_prefix(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "<7>";
    case LogLevel::kInfo:
      return "<6>";
    case LogLevel::kWarning:
      return "<4>";
    case LogLevel::kError:
      return "<3>";
  }
  return "<3>";
}

spdlog::sink_ptr make_sink(LogTarget target) {
  switch (target) {
    case LogTarget::kSyslog:
      // The formatting is syslog's, which adds time, name and level of its own.
      return std::make_shared<spdlog::sinks::syslog_sink_mt>(kSyslogName, LOG_PID, LOG_DAEMON,
                                                             false);
    case LogTarget::kStderr:
    case LogTarget::kJournal:
      break;
  }
  return std::make_shared<spdlog::sinks::stderr_sink_mt>();
}

Error unknown_word(std::string_view what, std::string_view word, std::string_view choices) {
  return Error{Errc::kInvalid, "unknown " + std::string(what) + " '" + std::string(word) + "'",
               "choose one of " + std::string(choices)};
}

// The journal takes each line for a message of its own; a continuation without a prefix would get
// another priority than its first line.
std::string with_prefix_on_each_line(std::string_view prefix, std::string_view text) {
  std::string result(prefix);
  for (const char c : text) {
    result += c;
    if (c == '\n') {
      result += prefix;
    }
  }
  return result;
}

}  // namespace

struct Log::Sink {
  Sink(LogTarget target_in, JournalSocket journal_in)
      : target(target_in), journal(std::move(journal_in)), logger(kSyslogName, make_sink(target)) {}

  // syslog(3)'s numbers are the journal's.
  bool send(LogLevel level, std::string_view line, const LogFields& fields) const {
    LogFields all{{"MESSAGE", std::string(line)},
                  {"PRIORITY", std::string(journal_prefix(level).substr(1, 1))},
                  {"SYSLOG_IDENTIFIER", kSyslogName}};
    all.insert(all.end(), fields.begin(), fields.end());
    return journal.send(all);
  }

  const LogTarget target;
  const JournalSocket journal;
  spdlog::logger logger;
};

Result<LogLevel> parse_log_level(std::string_view word) {
  for (const auto& [name, level] :
       {std::pair{"debug", LogLevel::kDebug}, std::pair{"info", LogLevel::kInfo},
        std::pair{"warning", LogLevel::kWarning}, std::pair{"error", LogLevel::kError}}) {
    if (word == name) {
      return level;
    }
  }
  return unknown_word("log level", word, "debug, info, warning, error");
}

Result<LogTarget> parse_log_target(std::string_view word) {
  for (const auto& [name, target] :
       {std::pair{"stderr", LogTarget::kStderr}, std::pair{"syslog", LogTarget::kSyslog},
        std::pair{"journal", LogTarget::kJournal}}) {
    if (word == name) {
      return target;
    }
  }
  return unknown_word("log target", word, "stderr, syslog, journal");
}

Log::Log(LogLevel level, LogTarget target, JournalSocket journal)
    : sink_(std::make_unique<Sink>(target, std::move(journal))) {
  sink_->logger.set_pattern(target == LogTarget::kStderr ? "%Y-%m-%d %H:%M:%S.%e %z %l: %v" : "%v");
  set_level(level);
}

Log::~Log() = default;

void Log::write(LogLevel level, std::string_view line, const LogFields& fields) {
  const auto severity = spdlog_level(level);
  if (!sink_->logger.should_log(severity)) {
    return;
  }
  if (sink_->target == LogTarget::kJournal && sink_->send(level, line, fields)) {
    return;
  }
  if (sink_->target == LogTarget::kJournal) {
    sink_->logger.log(severity, with_prefix_on_each_line(journal_prefix(level), line));
  } else {
    sink_->logger.log(severity, spdlog::string_view_t(line.data(), line.size()));
  }
}

void Log::set_level(LogLevel level) {
  sink_->logger.set_level(spdlog_level(level));
}

}  // namespace pgwalship
