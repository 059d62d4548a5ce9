#include "archiver/postgres_watch.h"

#include <libpq-fe.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <memory>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

namespace pgwalship {

namespace {

// More than one only when the loop is late; then the next answer is as good as the one dropped.
constexpr std::size_t kAnswersMax = 4;

constexpr const char* kQuery =
    "SELECT current_setting('server_version_num'), pg_is_in_recovery(),"
    " (SELECT system_identifier FROM pg_control_system()),"
    " pg_size_bytes(current_setting('wal_segment_size')),"
    " current_setting('archive_mode'), current_setting('archive_command'),"
    " current_setting('restore_command', true), current_setting('wal_level'),"
    " archived_count, failed_count, last_archived_wal, last_failed_wal,"
    " CASE WHEN pg_is_in_recovery()"
    " THEN GREATEST(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())"
    " ELSE pg_current_wal_lsn() END,"
    " redo_lsn - '0/0'::pg_lsn, timeline_id,"
    " (SELECT min(restart_lsn) - '0/0'::pg_lsn FROM pg_replication_slots),"
    " floor(extract(epoch FROM clock_timestamp() - last_archived_time)),"
    " CASE WHEN NOT pg_is_in_recovery() THEN pg_walfile_name(pg_current_wal_lsn()) END,"
    " (SELECT max(flush_lsn) - '0/0'::pg_lsn FROM pg_stat_replication WHERE state = 'streaming'),"
    " (SELECT count(*) - count(state) FROM pg_stat_replication)"
    " FROM pg_stat_archiver, pg_control_checkpoint()";

enum Column : int {
  kVersion,
  kInRecovery,
  kSystemId,
  kSegmentBytes,
  kArchiveMode,
  kArchiveCommand,
  kRestoreCommand,
  kWalLevel,
  kArchivedCount,
  kFailedCount,
  kLastArchived,
  kLastFailed,
  kLsn,
  kRedo,
  kTimeline,
  kOldestSlot,
  kLastArchivedAge,
  kWrites,
  kStreamed,
  kHiddenStandbys,
  kColumns
};

using Connection = std::unique_ptr<PGconn, decltype(&PQfinish)>;
using Answer = std::unique_ptr<PGresult, decltype(&PQclear)>;

// libpq's messages have several lines, indented.
std::string on_one_line(std::string_view text) {
  std::string line;
  std::string_view between;
  for (const char c : text) {
    if (c == '\n') {
      between = "; ";
    } else if (c == ' ' || c == '\t') {
      between = between.empty() ? " " : between;
    } else {
      line += line.empty() ? "" : between;
      line += c;
      between = "";
    }
  }
  return line;
}

template <typename Number>
Number number_of(const char* text) {
  const std::string_view digits(text);
  Number number = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return number;
}

// The first eight digits of a segment's name; 0 when there is none.
std::uint32_t timeline_of(std::string_view name) {
  std::uint32_t timeline = 0;
  const std::string_view digits = name.substr(0, 8);
  std::from_chars(digits.data(), digits.data() + digits.size(), timeline, 16);
  return timeline;
}

// One connection for one question.
class Inquiry {
 public:
  Inquiry(const Clock& clock, int stop_fd) : clock_(clock), stop_fd_(stop_fd) {}

  Result<PostgresFacts> ask(const PostgresWatch::Options& options) {
    deadline_ = clock_.now() + options.connect_timeout;
    TRY(connect(options.conninfo));
    deadline_ = clock_.now() + options.query_timeout;
    // The server gives up by itself: closing the connection does not end what it is doing.
    const auto limit =
        std::chrono::duration_cast<std::chrono::milliseconds>(options.query_timeout).count();
    TRY(query(("SET statement_timeout = " + std::to_string(limit)).c_str()));
    TRY_ASSIGN(const Answer answer, query(kQuery));
    TRY_ASSIGN(PostgresFacts facts, read(*answer));
    facts.far_address = far_address();
    return facts;
  }

 private:
  // `keywords` after the conninfo are defaults for what it does not say.
  Result<void> connect(const std::string& conninfo) {
    const std::array<const char*, 3> keywords{"dbname", "fallback_application_name", nullptr};
    const std::array<const char*, 3> values{conninfo.c_str(), "pgwalshipd", nullptr};
    constexpr int kDbnameIsConninfo = 1;
    connection_.reset(PQconnectStartParams(keywords.data(), values.data(), kDbnameIsConninfo));
    CHECK(connection_ != nullptr);
    if (PQstatus(connection_.get()) == CONNECTION_BAD) {
      return trouble(Errc::kInvalid);
    }
    auto wanted = PGRES_POLLING_WRITING;
    while (wanted != PGRES_POLLING_OK) {
      if (wanted == PGRES_POLLING_FAILED) {
        return trouble(Errc::kRetry);
      }
      TRY(wait_for(wanted == PGRES_POLLING_READING ? POLLIN : POLLOUT, "connect"));
      wanted = PQconnectPoll(connection_.get());
    }
    return {};
  }

  Result<Answer> query(const char* text) {
    if (PQsendQuery(connection_.get(), text) == 0) {
      return trouble(Errc::kRetry);
    }
    Answer last(nullptr, &PQclear);
    for (;;) {
      while (PQisBusy(connection_.get()) != 0) {
        TRY(wait_for(POLLIN, "query"));
        if (PQconsumeInput(connection_.get()) == 0) {
          return trouble(Errc::kRetry);
        }
      }
      Answer answer(PQgetResult(connection_.get()), &PQclear);
      if (answer == nullptr) {
        return last;
      }
      const ExecStatusType status = PQresultStatus(answer.get());
      if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
        return Error{Errc::kRetry, on_one_line(PQresultErrorMessage(answer.get())), ""};
      }
      last = std::move(answer);
    }
  }

  static Result<PostgresFacts> read(const PGresult& answer) {
    if (PQntuples(&answer) != 1 || PQnfields(&answer) != kColumns) {
      return Error{Errc::kProtocol, "the server's answer has another form than asked for", ""};
    }
    const auto column = [&](Column number) { return PQgetvalue(&answer, 0, number); };
    PostgresFacts facts;
    facts.reachable = true;
    facts.server_version = number_of<int>(column(kVersion));
    facts.role = std::string_view(column(kInRecovery)) == "t" ? PostgresFacts::Role::kStandby
                                                              : PostgresFacts::Role::kPrimary;
    facts.system_id = number_of<std::uint64_t>(column(kSystemId));
    facts.segment_bytes = number_of<std::uint32_t>(column(kSegmentBytes));
    facts.archive_mode = column(kArchiveMode);
    facts.archive_command = column(kArchiveCommand);
    facts.restore_command = column(kRestoreCommand);
    facts.wal_level = column(kWalLevel);
    facts.archived_count = number_of<std::uint64_t>(column(kArchivedCount));
    facts.failed_count = number_of<std::uint64_t>(column(kFailedCount));
    facts.last_archived_wal = column(kLastArchived);
    facts.last_failed_wal = column(kLastFailed);
    facts.current_lsn = column(kLsn);
    facts.redo_lsn = number_of<std::uint64_t>(column(kRedo));
    facts.timeline = number_of<std::uint32_t>(column(kTimeline));
    if (PQgetisnull(&answer, 0, kLastArchivedAge) == 0) {
      facts.last_archived_age_seconds =
          std::max(0.0, static_cast<double>(number_of<std::int64_t>(column(kLastArchivedAge))));
    }
    facts.oldest_slot_lsn = number_of<std::uint64_t>(column(kOldestSlot));
    facts.writes_timeline = timeline_of(column(kWrites));
    facts.streamed_lsn = number_of<std::uint64_t>(column(kStreamed));
    facts.hidden_standbys = number_of<std::uint64_t>(column(kHiddenStandbys));
    return facts;
  }

  Result<void> wait_for(short events, const char* what) {
    for (;;) {
      const auto left =
          std::chrono::ceil<std::chrono::milliseconds>(deadline_ - clock_.now()).count();
      if (left <= 0) {
        return Error{Errc::kTimeout, std::string(what) + ": PostgreSQL does not answer", ""};
      }
      std::array<pollfd, 2> fds{pollfd{PQsocket(connection_.get()), events, 0},
                                pollfd{stop_fd_, POLLIN, 0}};
      const int ready = ::poll(fds.data(), fds.size(), static_cast<int>(left));
      if (ready < 0 && errno != EINTR) {
        return errno_error("poll", errno);
      }
      if (fds[1].revents != 0) {
        return Error{Errc::kRetry, "stopping", ""};
      }
      if (ready > 0) {
        return {};
      }
    }
  }

  // A socket can be bound to this machine's own addresses alone.
  std::string far_address() const {
    const char* address = PQhostaddr(connection_.get());
    const std::string text = address == nullptr ? "" : address;
    addrinfo hints{};
    hints.ai_flags = AI_NUMERICHOST;
    hints.ai_socktype = SOCK_DGRAM;
    addrinfo* raw = nullptr;
    if (text.empty() || text.front() == '/' ||
        ::getaddrinfo(text.c_str(), nullptr, &hints, &raw) != 0) {
      return "";
    }
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> found(raw, &::freeaddrinfo);
    const Fd socket(::socket(found->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const bool is_far = socket.valid() &&
                        ::bind(socket.get(), found->ai_addr, found->ai_addrlen) != 0 &&
                        errno == EADDRNOTAVAIL;
    return is_far ? text : "";
  }

  Error trouble(Errc code) const {
    return Error{code, on_one_line(PQerrorMessage(connection_.get())), ""};
  }

  const Clock& clock_;
  const int stop_fd_;
  TimePoint deadline_{};
  Connection connection_{nullptr, &PQfinish};
};

}  // namespace

PostgresWatch::PostgresWatch(const Clock& clock, Options options)
    : clock_(clock),
      options_(std::move(options)),
      stop_(make_eventfd()),
      answers_(kAnswersMax),
      thread_([this] { run(); }) {}

PostgresWatch::~PostgresWatch() {
  signal_eventfd(stop_.get());
  thread_.join();
}

void PostgresWatch::run() {
  pollfd stop{stop_.get(), POLLIN, 0};
  while (stop.revents == 0) {
    const TimePoint asked_at = clock_.now();
    const Result<PostgresFacts> asked = Inquiry(clock_, stop_.get()).ask(options_);
    PostgresFacts facts;
    if (asked.ok()) {
      facts = asked.value();
      facts.asked_at = asked_at;
    } else {
      facts.error = asked.error().message;
    }
    std::ignore = answers_.try_push(facts);  // full: see kAnswersMax
    // A signal handler of the process ends the wait early: then it is asked sooner.
    const Duration pause =
        asked.ok() ? options_.interval : std::min(options_.interval, options_.interval_down);
    const auto interval = std::chrono::ceil<std::chrono::milliseconds>(pause).count();
    std::ignore = ::poll(&stop, 1, static_cast<int>(interval));
  }
}

}  // namespace pgwalship
